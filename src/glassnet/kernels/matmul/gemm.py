"""Matrix products as loops over the register tile: the two that dense layers need.

    rows:     C[r, j] ⊕ sum over k of x[order[first + r], k] · B[k, j]            forward, and gradients to the input
    columns:  C[p, j] ⊕ sum over r of x[order[first + r], p] · B[r, j]            gradients to the weights

x is bytes or floats at an address, scaled as it is packed. Work is dealt to `threads` by tiles of C, each of which one thread
computes whole, in one order: the result does not depend on their number. Activations are read where they lie for narrow
gradients and for few weights; all else in panels, from which zeros are left out: the bits are the same. Where B is wide and
many tiles read it, a part of it at a time is packed into panels in the second-level cache; or it lies in panels, made once
for many products. A single row is a matrix-vector product (vector.py). Arrays are addresses; `scratch` is one thread's own.
"""

from __future__ import annotations

from numba import float32, int64, void

from glassnet.kernels.codegen.addresses import int32_at, integers_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.matmul.pack import pack_b, pack_columns, pack_rows
from glassnet.kernels.matmul.tile import ADD, LINE, LONG, SET, packed_tile, strided_tile
from glassnet.kernels.matmul.vector import vector_row
from glassnet.kernels.sizes import (
    COLUMN_DEPTH,
    COLUMN_INDEX,
    COLUMN_PANEL,
    COLUMNS,
    COUNTS_AT,
    DEPTH,
    DIRECT,
    DIRECT_WEIGHTS,
    INDEXES_AT,
    NEAR,
    NEAR_TILES,
    PANEL_STRIP,
    ROWS,
    TILES,
    TILES_ARE_LOW,
    WIDE,
    WIDE_AT,
    WIDE_DEPTH,
    WIDE_PANEL,
    WIDE_SHIFT,
    WIDE_STRIP,
    WIDE_TILES,
)

BLOCK = 65536  # floats of B that stay in the second-level cache while the tiles pass over them
IN_ROWS, TRANSPOSED, IN_PANELS = 0, 1, 2  # how B lies


def row_by(tile):
    """One panel against the columns first … last of B, whose blocks of COLUMNS are `b_block` bytes apart, by this tile.

    The panel's columns are `step` bytes apart.

    Unless `ahead` is 0, what lies there is brought into the cache meanwhile (see `packed_tile`): with each further block what
    lies `ahead_block` bytes on, or nothing, if that is 0.
    """

    def row(
        rows, panel, step, index, count, b, b_row, b_block, bias, c, c_row, mode, alpha, first, last,
        ahead, ahead_row, ahead_shift, ahead_block,
    ):  # fmt: skip
        for j in range(first, last, COLUMNS):
            columns, number = min(COLUMNS, last - j), (j - first) // COLUMNS
            block = b + b_block * number
            following, further, shift = panel, int64(0), int64(0)
            if ahead != 0 and (number == 0 or ahead_block != 0):
                following, further, shift = ahead + ahead_block * number, ahead_row, ahead_shift
            tile(
                rows, panel, step, index, count, block, b_row, bias + 4 * j, c + 4 * j, c_row, columns, alpha, mode,
                following, further, shift,
            )  # fmt: skip

    return row


ROW = void(*[int64] * 12, float32, *[int64] * 6)
tile_row = outlined(ROW, "tile_row")(row_by(packed_tile))


@outlined(void(*[int64] * 13))
def strided_row(rows, a, a_row, count, b, b_row, b_block, bias, c, c_row, mode, first, last):
    """The same of rows of A that are read where they lie, `a_row` floats apart."""
    for j in range(first, last, COLUMNS):
        block = b + b_block * ((j - first) // COLUMNS)
        strided_tile(
            rows, a, 0, a_row, 1, 1, count, block, 0, b_row, bias + 4 * j, c + 4 * j, c_row, min(COLUMNS, last - j),
            float32(1), mode, 0,
        )  # fmt: skip


@compiled
def _depth(width):
    """How many k are taken together: a function of the width alone, as the order of sums is."""
    return min(DEPTH, BLOCK // width) if width <= WIDE else WIDE_DEPTH


@compiled
def is_packed(tiles, width):
    return tiles >= WIDE_TILES and width > WIDE


@compiled
def _is_packed_for_rows(tiles, width, b):
    if WIDE < width <= NEAR:
        return tiles >= NEAR_TILES and (TILES_ARE_LOW or b % LINE != 0 or 4 * width % LINE != 0)
    return is_packed(tiles, width)


@compiled
def _panels_at(panels, inner, width, k, j):
    """Where the columns j … of B's rows k … lie in panels, and the bytes of one: the next rows follow behind all columns."""
    depth = min(_depth(width), inner - k)
    return panels + 4 * (k * ((width + COLUMNS - 1) // COLUMNS * COLUMNS) + j * depth), 4 * COLUMNS * depth


@compiled
def pack_panels(b, inner, width, panels, first, last):
    """Lay out the blocks first … last of COLUMNS columns of B as `multiply_rows` reads them."""
    if first < last:
        for k in range(0, inner, _depth(width)):
            target, apart = _panels_at(panels, inner, width, k, COLUMNS * first)
            end = min(inner, k + _depth(width))
            pack_b(b, width, inner, int64(0), k, end, COLUMNS * first, min(width, COLUMNS * last), target, apart)


@compiled
def _next_part(b, inner, width, layout, packed, k, j):
    """Where the part of B that begins with row k and column j lies, the bytes between its rows there, and its shift.

    The shift is of the blocks of COLUMNS floats in such a row, as `packed_tile` takes it.
    """
    if layout == IN_PANELS:
        return _panels_at(b, inner, width, k, j)[0], int64(4 * COLUMNS), int64(0)
    if layout == TRANSPOSED:
        return b + 4 * (j * inner + k), 4 * inner, int64(WIDE_SHIFT)
    return b + 4 * (k * width + j), 4 * width, int64(WIDE_SHIFT if packed else 0)


@compiled
def _asked_next(ahead, ahead_row, rows, asked, count):
    """Where the next `count` of the `rows` rows of the next part lie, when `asked` of them were brought before; or 0.

    The whole part is asked for twice, as the processor drops some requests.
    """
    return ahead + max(0, min(asked % rows, rows - count)) * ahead_row if asked < 2 * rows else 0


@outlined(void(*[int64] * 3, float32, *[int64] * 14))
def multiply_rows(
    source, is_bytes, stride, scale, order, first, m, inner, in_place, b, layout, width, bias, c, start, scratch, thread,
    threads,
):  # fmt: skip
    """C (m, width) = bias + x · B (start SET) or C + x · B (start ADD), B (inner, width) as `layout` says.

    `in_place`: x is rows of floats in order and without scale, which may be read where they lie.
    """
    tiles = (m + ROWS - 1) // ROWS
    blocks = (width + COLUMNS - 1) // COLUMNS
    my_tiles, last_tile, my_column, last_column = 0, tiles, 0, width
    packed = layout != IN_ROWS or _is_packed_for_rows(tiles, width, b)
    if tiles >= threads and not (packed and blocks >= 2 * threads):  # deal out rows of tiles, else columns
        my_tiles, last_tile = tiles * thread // threads, tiles * (thread + 1) // threads
    else:
        my_column = COLUMNS * (blocks * thread // threads)
        last_column = min(width, COLUMNS * (blocks * (thread + 1) // threads))
    if my_column >= last_column:
        return
    index = scratch + INDEXES_AT
    direct = in_place != 0 and m > 1 and inner <= DIRECT and inner * width <= DIRECT_WEIGHTS
    step = min(_depth(width), WIDE_DEPTH) if layout == TRANSPOSED else _depth(width)
    strip = PANEL_STRIP if layout == IN_PANELS else WIDE_STRIP if packed else last_column - my_column
    for j0 in range(my_column, last_column, strip):
        j1 = min(j0 + strip, last_column)
        for k0 in range(0, inner, step):
            k1 = min(inner, k0 + step)
            mode = start if k0 == 0 else ADD
            part, b_row, b_block = b + 4 * j0, width, 4 * COLUMNS
            # What is packed next, or lies below: the same columns of the next rows, else the first rows of the next columns.
            next_k, next_j = (k1, j0) if k1 < inner else (0, j1)
            ahead, ahead_row, shift = _next_part(b, inner, width, layout, packed, next_k, next_j)
            in_part, asked = (j1 - j0 + COLUMNS - 1) // COLUMNS, 0
            if layout == IN_PANELS:
                part, b_block = _panels_at(b, inner, width, k0, j0)
                part, b_row = part - 4 * COLUMNS * k0, COLUMNS
            elif packed:
                pack_b(b, width, inner, layout, k0, k1, j0, j1, scratch + WIDE_AT, 4 * WIDE_PANEL)
                part, b_row, b_block = scratch + WIDE_AT - 4 * COLUMNS * k0, COLUMNS, 4 * WIDE_PANEL
            for t in range(my_tiles, last_tile):
                row, end = m * t // tiles, m * (t + 1) // tiles
                if direct:
                    strided_row(
                        end - row, source + 4 * (stride * (first + row) + k0), stride, k1 - k0, part + 4 * b_row * k0, b_row,
                        b_block, bias, c + 4 * row * width, width, mode, j0, j1,
                    )  # fmt: skip
                    continue
                kept = pack_rows(source, is_bytes, stride, order, first + row, end - row, k0, k1, scale, scratch)
                if m == 1 and not packed:
                    vector_row(scratch, index, kept, b, width, bias, c, j0, j1, mode, 1)
                elif kept > 0 or mode == SET:
                    near, near_block = ahead if t == last_tile - 1 else 0, 4 * COLUMNS
                    if packed:
                        each = kept >> shift
                        near = _asked_next(ahead, ahead_row, WIDE_DEPTH * in_part >> shift, asked, in_part * each)
                        near_block = each * ahead_row
                        asked += in_part * each
                    tile_row(
                        end - row, scratch, 4 * (end - row), index, kept, part, b_row, b_block, bias,
                        c + 4 * row * width, width, mode, float32(1), j0, j1, near, ahead_row, shift, near_block,
                    )  # fmt: skip


@outlined(void(*[int64] * 3, float32, *[int64] * 10, float32, *[int64] * 3))
def multiply_columns(
    source,
    is_bytes,
    stride,
    scale,
    order,
    first,
    m,
    inner,
    b,
    width,
    zeros,
    c,
    in_place,
    mode,
    alpha,
    scratch,
    thread,
    threads,
):
    """C (inner, width) = xᵀ · B (mode SET) or C + alpha · xᵀ · B (mode ADD), B of shape (m, width).

    `in_place`: x is m rows of floats without scale, which may be read where they lie.
    """
    indexes, kept = scratch + INDEXES_AT, scratch + COUNTS_AT
    tiles = (inner + ROWS - 1) // ROWS
    my_tiles, last_tile = tiles * thread // threads, tiles * (thread + 1) // threads
    step = min(COLUMN_DEPTH, _depth(width))
    few = m <= LONG and width > WIDE  # too few products for the memory to bring C meanwhile
    packed = is_packed(last_tile - my_tiles, width) and not few
    direct = in_place != 0 and width <= WIDE and inner <= DIRECT
    if direct:
        numbers = int32_at(indexes, step)
        for r in range(min(m, step)):
            numbers[r] = r
    strip = WIDE_STRIP if packed else width
    counts = integers_at(kept, TILES)
    for j0 in range(0, width, strip):
        j1 = min(j0 + strip, width)
        for r0 in range(0, m, step):
            r1 = min(m, r0 + step)
            here, factor = (mode, alpha) if r0 == 0 or mode == ADD else (ADD, float32(1))
            part, b_row, b_block = b + 4 * j0, width, 4 * COLUMNS
            if packed:
                pack_b(b, width, m, 0, r0, r1, j0, j1, scratch + WIDE_AT, 4 * WIDE_PANEL)
                part, b_row, b_block = scratch + WIDE_AT - 4 * COLUMNS * r0, COLUMNS, 4 * WIDE_PANEL
            for first_tile in range(my_tiles, last_tile, TILES):
                count = min(TILES, last_tile - first_tile)
                column = ROWS * first_tile
                if not direct:
                    pack_columns(
                        source, is_bytes, stride, order, first, r0, r1, column, count, inner, scale, scratch, indexes, kept
                    )
                for t in range(count):
                    at = column + ROWS * t
                    rows, target = min(ROWS, inner - at), c + 4 * at * width
                    ahead = target + 4 * (j0 + COLUMNS) if few else 0
                    if direct:
                        tile_row(
                            rows, source + 4 * (stride * r0 + at), 4 * stride, indexes, r1 - r0, part + 4 * b_row * r0,
                            b_row, b_block, zeros, target, width, here, factor, j0, j1, ahead, 4 * width, 0, 4 * COLUMNS,
                        )  # fmt: skip
                    elif counts[t] > 0 or here == SET:
                        tile_row(
                            rows, scratch + 4 * t * COLUMN_PANEL, 4 * rows, indexes + 4 * t * COLUMN_INDEX, counts[t], part,
                            b_row, b_block, zeros, target, width, here, factor, j0, j1, ahead, 4 * width, 0, 4 * COLUMNS,
                        )  # fmt: skip
