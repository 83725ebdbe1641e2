"""Matrix products of dense layers in bfloat16 with sums in float32: those of gemm.py, on pairs of numbers (codegen/pairs.py).

Operands are rounded as they are packed: both into panels in which k and k + 1 lie in one place of 32 bits, so that a panel
of the same size holds twice as many k. Bytes are exact in bfloat16: their scale is a factor of the sum. Pairs that are zero
for all rows of a panel are left out. The order of a sum depends on the shapes alone.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import float32, int64, void
from numba.core import types

from glassnet.kernels.codegen.addresses import int32_at, integers_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.codegen.pairs import pair_neighbours, pair_of, pair_rows
from glassnet.kernels.codegen.simd import I32, I64, VECTOR, emitted
from glassnet.kernels.matmul.gemm import ROW, row_by
from glassnet.kernels.matmul.pack import value_at
from glassnet.kernels.matmul.tile import ADD, SET, packed_pair_tile
from glassnet.kernels.sizes import (
    COLUMN_INDEX,
    COLUMN_PANEL,
    COLUMNS,
    COUNTS_AT,
    GROUPS,
    INDEXES_AT,
    LANES,
    ROWS,
    SPAN,
    TABLE_AT,
    TILES,
    VECTORS,
    WIDE_AT,
    WIDE_DEPTH,
    WIDE_PANEL,
    WIDE_STRIP,
)

PAIR_DEPTH = 2 * WIDE_DEPTH  # k in panels of pairs
STRETCH = 2 * LANES  # k that a register of pairs has
PAIRS = ir.VectorType(I32, LANES)
SIZES = ir.Constant(PAIRS, [0x7FFF7FFF] * LANES)  # all but the signs


def _load(emit, address, of_bytes):
    """One register of the source as floats."""
    if not of_bytes:
        return emit.load(address)
    return emit.builder.uitofp(emit.builder.zext(emit.load_bytes(address), PAIRS), VECTOR)


def _ink(emit, pairs):
    """The bits of pairs of which one is not zero."""
    return emit.builder.and_(emit.builder.bitcast(pairs, PAIRS), SIZES)


@emitted(types.int64(*[types.int64] * 7))
def _pack_block(emit, is_bytes, addresses, column, panel, index, first, height):
    """Transpose STRETCH columns of SPAN rows, from `column` on, into the panel, as pairs; the number of pairs kept.

    `addresses` points to SPAN row addresses; the first pair is numbered `first` in `index`.
    """
    builder, found = emit.builder, emit.variable(I64(0))

    def emit_form(of_bytes):
        size = 1 if of_bytes else 4
        offset = builder.mul(column, I64(size))
        groups, ink = [], ir.Constant(PAIRS, [0] * LANES)
        for group in range(GROUPS):
            rows = []
            for r in range(LANES):
                slot = builder.add(addresses, I64(8 * (group * LANES + r)))
                row = builder.add(builder.load(emit.pointer(slot, I64)), offset)
                rows.append(
                    pair_neighbours(emit, *(_load(emit, builder.add(row, I64(size * LANES * i)), of_bytes) for i in (0, 1)))
                )
                ink = builder.or_(ink, _ink(emit, rows[-1]))
            groups.append(rows)
        some = builder.icmp_unsigned("!=", ink, ir.Constant(PAIRS, [0] * LANES))
        with builder.if_then(emit.any(some)):
            columns = [emit.transpose(rows) for rows in groups]
            kept = I64(0)
            for lane in range(LANES):  # each pair is written; the next one overwrites it unless it is kept
                target = builder.add(panel, builder.mul(builder.mul(kept, height), I64(4)))
                for group in range(GROUPS):
                    emit.store(columns[group][lane], builder.add(target, I64(4 * LANES * group)))
                number = builder.trunc(builder.add(first, I64(lane)), I32)
                builder.store(number, emit.pointer(builder.add(index, builder.mul(kept, I64(4))), I32))
                kept = builder.add(kept, builder.zext(builder.extract_element(some, I32(lane)), I64))
            builder.store(kept, found)

    emit.either(is_bytes, emit_form)
    return builder.load(found)


@emitted(types.int64(*[types.int64] * 4))
def _pair_span(emit, is_bytes, first, second, target):
    """The pairs of SPAN neighbours in two rows (the second: zeros, if its address is 0); whether any is not zero."""
    builder, found = emit.builder, emit.variable(I64(0))

    def emit_form(of_bytes):
        def emit_rows(two):
            some = ir.Constant(PAIRS, [0] * LANES)
            for group in range(GROUPS):
                offset = I64((1 if of_bytes else 4) * LANES * group)
                a = _load(emit, builder.add(first, offset), of_bytes)
                b = _load(emit, builder.add(second, offset), of_bytes) if two else emit.zeros
                pairs = pair_rows(emit, a, b)
                some = builder.or_(some, _ink(emit, pairs))
                emit.store(pairs, builder.add(target, I64(4 * LANES * group)))
            ink = builder.icmp_unsigned("!=", some, ir.Constant(PAIRS, [0] * LANES))
            builder.store(builder.zext(emit.any(ink), I64), found)

        emit.either(second, emit_rows)

    emit.either(is_bytes, emit_form)
    return builder.load(found)


@emitted()
def _pair_columns(emit, first, second, target):
    """The pairs of COLUMNS neighbours in two rows of floats; zeros for the second, if its address is 0."""

    def emit_rows(two):
        for v in range(VECTORS):
            offset = I64(4 * LANES * v)
            a = emit.load(emit.builder.add(first, offset))
            b = emit.load(emit.builder.add(second, offset)) if two else emit.zeros
            emit.store(pair_rows(emit, a, b), emit.builder.add(target, offset))

    emit.either(second, emit_rows)


@emitted()
def _transpose_pairs(emit, source, stride, last, target):
    """LANES rows of STRETCH floats, `stride` bytes apart, as columns of pairs: rows behind row `last` repeat it."""
    builder = emit.builder
    rows = []
    for r in range(LANES):
        number = builder.select(builder.icmp_signed("<", last, I64(r)), last, I64(r))
        row = builder.add(source, builder.mul(number, stride))
        rows.append(pair_neighbours(emit, emit.load(row), emit.load(builder.add(row, I64(4 * LANES)))))
    for k, column in enumerate(emit.transpose(rows)):
        emit.store(column, builder.add(target, I64(4 * COLUMNS * k)))


@compiled
def _two_at(first, second, is_bytes):
    """The pair of two numbers at addresses; 0 as the second address: zero."""
    return pair_of(value_at(first, is_bytes), value_at(second, is_bytes) if second != 0 else np.float32(0))


@compiled
def pack_rows(source, is_bytes, stride, order, first, height, k0, k1, scratch):
    """A[r, k] = source[order[first + r], k] for k0 ≤ k < k1 in pairs of k, in the first panel; the number of pairs kept."""
    size = 1 if is_bytes else 4
    panel, index, table = scratch, scratch + INDEXES_AT, scratch + TABLE_AT
    rows, addresses = integers_at(order + 8 * first, height), integers_at(table, SPAN)
    for r in range(SPAN):  # rows beyond the panel's height repeat its first: they are overwritten, or never read
        addresses[r] = source + size * stride * rows[r if r < height else 0]
    kept, k = 0, k0
    while k + STRETCH <= k1:
        kept += _pack_block(is_bytes, table, k, panel + 4 * kept * height, index + 4 * kept, (k - k0) // 2, height)
        k += STRETCH
    while k < k1:
        some = 0
        target = int32_at(panel + 4 * kept * height, height)
        for r in range(height):
            at = addresses[r] + size * k
            target[r] = _two_at(at, at + size if k + 1 < k1 else 0, is_bytes)
            some |= target[r]
        int32_at(index, kept + 1)[kept] = (k - k0) // 2
        kept += some != 0
        k += 2
    return kept


@compiled
def pack_columns(source, is_bytes, stride, order, first, k0, k1, column, tiles, width, panels, indexes, kept):
    """A_t[r, k] = source[order[first + k], column + ROWS·t + r] for k0 ≤ k < k1 in pairs of k; their counts in kept[t]."""
    size = 1 if is_bytes else 4
    rows, counts = integers_at(order + 8 * first, k1), integers_at(kept, TILES)
    for t in range(TILES):
        counts[t] = 0
    for k in range(k0, k1, 2):
        above = source + size * (stride * rows[k] + column)
        below = source + size * (stride * rows[k + 1] + column) if k + 1 < k1 else 0
        for t in range(tiles):
            whole = column + ROWS * t + SPAN <= stride  # else reading whole registers would leave the image
            height = min(ROWS, width - column - ROWS * t)
            panel, apart, some = panels + 4 * (t * COLUMN_PANEL + counts[t] * height), size * ROWS * t, int64(0)
            if whole:
                some = _pair_span(is_bytes, above + apart, below + apart if below != 0 else 0, panel)
            else:
                target = int32_at(panel, height)
                for r in range(height):
                    pair = _two_at(above + apart + size * r, below + apart + size * r if below != 0 else 0, is_bytes)
                    target[r] = pair
                    some |= pair
            int32_at(indexes + 4 * t * COLUMN_INDEX, counts[t] + 1)[counts[t]] = (k - k0) // 2
            counts[t] += some != 0


@compiled
def pack_b(b, width, inner, transposed, k0, k1, first, last, panels, apart):
    """B[k0:k1, first:last] in panels [pair of k][COLUMNS], so many bytes apart; B is (inner, width), or its transpose is."""
    for j in range(first, last, COLUMNS):
        panel = panels + apart * ((j - first) // COLUMNS)
        if transposed:
            whole = k0 + (k1 - k0) // STRETCH * STRETCH
            for column in range(j, min(j + COLUMNS, last), LANES):
                target = panel + 4 * (column - j)
                for k in range(k0, whole, STRETCH):
                    row = b + 4 * (column * inner + k)
                    _transpose_pairs(row, 4 * inner, width - 1 - column, target + 2 * COLUMNS * (k - k0))
            for k in range(whole, k1, 2):
                pairs = int32_at(panel + 2 * COLUMNS * (k - k0), COLUMNS)
                for column in range(j, min(j + COLUMNS, last)):
                    at = b + 4 * (column * inner + k)
                    pairs[column - j] = _two_at(at, at + 4 if k + 1 < k1 else 0, int64(0))
        else:
            for k in range(k0, k1, 2):
                row = b + 4 * (k * width + j)
                _pair_columns(row, row + 4 * width if k + 1 < k1 else 0, panel + 2 * COLUMNS * (k - k0))


pair_row = outlined(ROW, "pair_row")(row_by(packed_pair_tile))


@compiled
def panel_bytes(inner):
    """Of a panel that has all k."""
    return 4 * COLUMNS * ((inner + 1) // 2)


@outlined(void(*[int64] * 3, float32, *[int64] * 13))
def multiply_row_pairs(
    source, is_bytes, stride, scale, order, first, m, inner, b, transposed, width, panels, bias, c, scratch, thread, threads
):
    """C (m, width) = bias + scale · x · B, B of shape (inner, width) or `transposed`, or in `panels` that have all k."""
    tiles = (m + ROWS - 1) // ROWS
    blocks = (width + COLUMNS - 1) // COLUMNS
    my_tiles, last_tile, my_column, last_column = 0, tiles, 0, width
    if tiles >= threads and blocks < 2 * threads:  # deal out rows of tiles, else columns
        my_tiles, last_tile = tiles * thread // threads, tiles * (thread + 1) // threads
    else:
        my_column = COLUMNS * (blocks * thread // threads)
        last_column = min(width, COLUMNS * (blocks * (thread + 1) // threads))
    for j0 in range(my_column, last_column, WIDE_STRIP):
        j1 = min(j0 + WIDE_STRIP, last_column)
        for k0 in range(0, inner, PAIR_DEPTH):
            k1 = min(inner, k0 + PAIR_DEPTH)
            packed, apart = scratch + WIDE_AT, int64(4 * WIDE_PANEL)
            if panels == 0:
                pack_b(b, width, inner, transposed, k0, k1, j0, j1, packed, apart)
            else:
                apart = panel_bytes(inner)
                packed = panels + j0 // COLUMNS * apart + 2 * COLUMNS * k0
            for t in range(my_tiles, last_tile):
                row, end = m * t // tiles, m * (t + 1) // tiles
                kept = pack_rows(source, is_bytes, stride, order, first + row, end - row, k0, k1, scratch)
                if kept > 0 or k0 == 0:
                    pair_row(
                        end - row, scratch, 4 * (end - row), scratch + INDEXES_AT, kept, packed, COLUMNS,
                        apart, bias, c + 4 * row * width, width, SET if k0 == 0 else ADD, scale, j0, j1,
                        0, 0, 0, 0,
                    )  # fmt: skip


@outlined(void(*[int64] * 3, float32, *[int64] * 9, float32, *[int64] * 3))
def multiply_column_pairs(
    source, is_bytes, stride, scale, order, first, m, inner, b, width, zeros, c, mode, alpha, scratch, thread, threads
):
    """C (inner, width) = scale · xᵀ · B (mode SET) or C + alpha · scale · xᵀ · B (mode ADD), B of shape (m, width)."""
    indexes, kept = scratch + INDEXES_AT, scratch + COUNTS_AT
    tiles = (inner + ROWS - 1) // ROWS
    my_tiles, last_tile = tiles * thread // threads, tiles * (thread + 1) // threads
    for j0 in range(0, width, WIDE_STRIP):
        j1 = min(j0 + WIDE_STRIP, width)
        for r0 in range(0, m, PAIR_DEPTH):
            r1 = min(m, r0 + PAIR_DEPTH)
            here = mode if r0 == 0 else ADD
            factor = scale * alpha if mode == ADD else scale
            pack_b(b, width, m, 0, r0, r1, j0, j1, scratch + WIDE_AT, 4 * WIDE_PANEL)
            for first_tile in range(my_tiles, last_tile, TILES):
                count = min(TILES, last_tile - first_tile)
                column = ROWS * first_tile
                pack_columns(source, is_bytes, stride, order, first, r0, r1, column, count, inner, scratch, indexes, kept)
                counts = integers_at(kept, TILES)
                for t in range(count):
                    if counts[t] > 0 or here == SET:
                        at = column + ROWS * t
                        height = min(ROWS, inner - at)
                        pair_row(
                            height, scratch + 4 * t * COLUMN_PANEL, 4 * height, indexes + 4 * t * COLUMN_INDEX, counts[t],
                            scratch + WIDE_AT, COLUMNS, 4 * WIDE_PANEL, zeros, c + 4 * at * width, width, here, factor,
                            j0, j1, 0, 0, 0, 0,
                        )  # fmt: skip
