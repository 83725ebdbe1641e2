"""Products of recurrent layers: few rows by the same weights step after step, and gradients summed over many steps.

    panels:  C[r, j] ⊕ sum over k of A[r, k] · B[k, j]         one step; B lies in panels, made once a mini-batch
    sums:    C[p, j] ⊕ sum over r of A[r, p] · B[r, j]         gradients to the weights

Tiles are as equal in height as they can be: 25 rows are 13 + 12, not 14 + 11. The order of each sum depends on the shapes
alone. All numbers are floats in the workspace or the parameters, behind which whole registers may be read.
"""

from __future__ import annotations

from numba import float32, int64, void
from numba.core import types

from glassnet.kernels.codegen.addresses import int32_at
from glassnet.kernels.codegen.jit import called_at, outlined
from glassnet.kernels.codegen.pairs import pair_neighbours
from glassnet.kernels.codegen.simd import I1, I32, I64, ZEROS, emitted
from glassnet.kernels.matmul.gemm import ROW, is_packed, tile_row
from glassnet.kernels.matmul.pack import pack_b
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.sizes import (
    COLUMN_DEPTH,
    COLUMN_PANEL,
    COLUMNS,
    GROUPS,
    INDEXES_AT,
    LANES,
    ROWS,
    TILES,
    WIDE_AT,
    WIDE_PANEL,
    WIDE_STRIP,
)

STRIP = 4 * COLUMNS  # columns of B's panels that all rows are multiplied by before the next
_call_row = called_at(ROW)


@emitted()
def _pack_square(emit, a, stride, last, panel, height, pairs):
    """LANES columns of a tile's rows, `stride` bytes apart, as [column][height]; rows behind `last` repeat it.

    `pairs` not 0: twice as many columns, in pairs of bfloat16.
    """
    builder = emit.builder

    def emit_form(in_pairs):
        groups = []
        for group in range(GROUPS):
            rows = []
            for r in range(group * LANES, group * LANES + LANES):
                number = builder.select(builder.icmp_signed("<", last, I64(r)), last, I64(r))
                row = builder.add(a, builder.mul(number, stride))
                value = emit.load(row)
                rows.append(pair_neighbours(emit, value, emit.load(builder.add(row, I64(4 * LANES)))) if in_pairs else value)
            groups.append(emit.transpose(rows))
        for lane in range(LANES):  # what is behind a column's height is overwritten by the next
            target = builder.add(panel, builder.mul(height, I64(4 * lane)))
            for group in range(GROUPS):
                emit.store(groups[group][lane], builder.add(target, I64(4 * LANES * group)))

    emit.either(pairs, emit_form)


@emitted(types.int64(*[types.int64] * 6))
def _append(emit, row, panel, height, index, number, count):
    """The numbers at `row` as column `count` of the panel, for row `number` of B; how many columns are kept."""
    builder, some = emit.builder, I1(0)
    target = builder.add(panel, builder.mul(builder.mul(count, height), I64(4)))
    for group in range(GROUPS):
        value = emit.load(builder.add(row, I64(4 * LANES * group)))
        emit.store(value, builder.add(target, I64(4 * LANES * group)))
        some = builder.or_(some, emit.any(builder.fcmp_unordered("!=", value, ZEROS)))
    place = emit.pointer(builder.add(index, builder.mul(count, I64(4))), I32)
    builder.store(builder.trunc(number, I32), place)
    return builder.add(count, builder.zext(some, I64))


@outlined(void(*[int64] * 12))
def multiply_panels(a, m, inner, panels, width, zeros, c, start, scratch, stride, ahead, pairs):
    """C (m, width) = A · B (start SET) or C + A · B (ADD), B (inner, width) in panels, rows of A `stride` floats apart.

    Meanwhile at least m · inner floats at `ahead` are brought into the cache. `pairs`: 0, or where the unit `pair_row` is;
    then the panels hold pairs of bfloat16, A is rounded to such, and `inner`, which is even, counts floats.
    """
    inner, size = (inner // 2, 8) if pairs != 0 else (inner, 4)
    index = int32_at(scratch + INDEXES_AT, COLUMN_DEPTH)
    for k in range(min(inner, COLUMN_DEPTH)):
        index[k] = k
    tiles, apart = (m + ROWS - 1) // ROWS, 4 * COLUMNS * (inner + LANES)
    for first in range(0, tiles, TILES):
        last = min(tiles, first + TILES)
        for k0 in range(0, inner, COLUMN_DEPTH):
            count = min(COLUMN_DEPTH, inner - k0)
            for t in range(first, last):
                row, height = m * t // tiles, m * (t + 1) // tiles - m * t // tiles
                panel = scratch + 4 * COLUMN_PANEL * (t - first)
                for k in range(0, count, LANES):
                    source = a + 4 * row * stride + size * (k0 + k)
                    _pack_square(source, 4 * stride, height - 1, panel + 4 * height * k, height, pairs)
            for j0 in range(0, width, STRIP):
                part = panels + apart * (j0 // COLUMNS) + 4 * COLUMNS * k0
                for t in range(first, last):
                    row, end, panel = m * t // tiles, m * (t + 1) // tiles, scratch + 4 * COLUMN_PANEL * (t - first)
                    near = ahead + 4 * COLUMNS * (inner * t + k0) if j0 == 0 else int64(0)
                    mode, j1 = start if k0 == 0 else ADD, min(j0 + STRIP, width)
                    if pairs != 0:
                        _call_row(
                            pairs, end - row, panel, 4 * (end - row), scratch + INDEXES_AT, count, part, COLUMNS, apart,
                            zeros, c + 4 * row * width, width, mode, float32(1), j0, j1, near, 4 * COLUMNS, 0, 0,
                        )  # fmt: skip
                    else:
                        tile_row(
                            end - row, panel, 4 * (end - row), scratch + INDEXES_AT, count, part, COLUMNS, apart, zeros,
                            c + 4 * row * width, width, mode, float32(1), j0, j1, near, 4 * COLUMNS, 0, 0,
                        )  # fmt: skip


@outlined(void(*[int64] * 10))
def sum_products(a, rows, inner, b, width, zeros, c, start, scratch, stride):
    """C (inner, width) = Aᵀ · B (start SET) or C + Aᵀ · B (ADD), A (rows, inner) with rows `stride` floats apart."""
    tiles = (inner + ROWS - 1) // ROWS
    packed = is_packed(tiles, width)
    strip = WIDE_STRIP if packed else width
    for j0 in range(0, width, strip):
        j1 = min(j0 + strip, width)
        for r0 in range(0, rows, COLUMN_DEPTH):
            r1 = min(rows, r0 + COLUMN_DEPTH)
            mode = start if r0 == 0 else ADD
            part, b_row, b_block = b + 4 * j0, width, 4 * COLUMNS
            if packed:
                pack_b(b, width, rows, 0, r0, r1, j0, j1, scratch + WIDE_AT, 4 * WIDE_PANEL)
                part, b_row, b_block = scratch + WIDE_AT - 4 * COLUMNS * r0, COLUMNS, 4 * WIDE_PANEL
            for t in range(tiles):
                column, end = inner * t // tiles, inner * (t + 1) // tiles
                kept = int64(0)
                for r in range(r0, r1):
                    row = a + 4 * (r * stride + column)
                    kept = _append(row, scratch, end - column, scratch + INDEXES_AT, r, kept)
                if kept > 0 or mode == SET:
                    tile_row(
                        end - column, scratch, 4 * (end - column), scratch + INDEXES_AT, kept, part, b_row, b_block, zeros,
                        c + 4 * column * width, width, mode, float32(1), j0, j1, 0, 0, 0, 0,
                    )  # fmt: skip
