"""Direct convolution of one image in bfloat16 with sums in float32, and the gradient of its weights: direct.py on pairs.

    forward:  pairs of channels    (x[…, c], x[…, c + 1]) · (W[ky, kx, c, f], W[ky, kx, c + 1, f])
    weights:  pairs of pixels      (x[i, j·sx + kx, c], x[i, (j + 1)·sx + kx, c]) · (dy[i, j, f], dy[i, j + 1, f])

An image of pairs of channels is half as wide, and the tile's loops are those of floats. Each image is rounded once, as its
product begins, the weights once a step.
"""

from __future__ import annotations

from numba import float32, int64, void
from numba.core import cgutils

from glassnet.kernels import records
from glassnet.kernels.codegen.addresses import record_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.codegen.pairs import pair_neighbours, pair_rows
from glassnet.kernels.codegen.simd import I64, emitted
from glassnet.kernels.matmul.tile import ADD, SET, strided_pair_tile
from glassnet.kernels.operands import share_of
from glassnet.kernels.sizes import COLUMNS, HALF, LANES, ROWS

BAND = 65536  # pairs of x and dy that the sums of the weights' gradients pass over again and again
_pairs_at = record_at(records.PairWeights)


def _each(emit, count, body):
    """Emit `body(offset in floats)` for each register that `count` floats fill; the last one may pass their end."""
    builder = emit.builder
    registers = builder.sdiv(builder.add(count, I64(LANES - 1)), I64(LANES))
    with cgutils.for_range(builder, registers, intp=I64) as loop:
        body(builder.mul(loop.index, I64(LANES)))


def _floats(emit, address, offset):
    return emit.builder.add(address, emit.builder.mul(offset, I64(4)))


@emitted()
def pair_channels(emit, x, pairs, target):
    """So many pairs of neighbouring floats."""

    def body(offset):
        source = _floats(emit, x, emit.builder.mul(offset, I64(2)))
        value = pair_neighbours(emit, emit.load(source), emit.load(emit.builder.add(source, I64(4 * LANES))))
        emit.store(value, _floats(emit, target, offset))

    _each(emit, pairs, body)


@emitted()
def pair_apart(emit, x, count, apart, target):
    """The pairs (x[i], x[i + apart]) for i < count; zero as the second, where `apart` is 0."""

    def emit_form(two):
        def body(offset):
            first = _floats(emit, x, offset)
            second = emit.load(_floats(emit, first, apart)) if two else emit.zeros
            mask = emit.lanes_before(emit.builder.sub(count, offset), 0)  # what lies behind may be another thread's
            emit.store_masked(pair_rows(emit, emit.load(first), second), _floats(emit, target, offset), mask)

        _each(emit, count, body)

    emit.either(apart, emit_form)


@compiled
def pair_weights(ctx, at, base):
    """Pairs of rows of weights (rows, columns), in the state or, rotated, in the workspace: this thread's share."""
    op = _pairs_at(at)
    low, high = share_of(ctx, op.rows // 2)
    for row in range(low, high):
        target = ctx.workspace + 4 * (op.pairs + row * op.columns)
        pair_apart(base + 4 * (op.weight + 2 * row * op.columns), op.columns, op.columns, target)


@compiled
def _width(left):
    """Columns of the next tile, as in direct.py."""
    return LANES if LANES < left <= LANES + HALF else min(COLUMNS, left)


@outlined(void(*[int64] * 15))
def convolve_pairs(
    x, lines, x_line, x_row, stride_y, kernel_height, count, w, filters, bias, y, y_line, out_height, out_width, scratch
):
    """y = b + x ∗ W for one image of so many `lines`; W in pairs; distances and `count` in floats, even."""
    line, pixel, pairs = x_line // 2, x_row // 2, count // 2
    pair_channels(x, lines * line, scratch)
    tiles = (out_width + ROWS - 1) // ROWS
    for i in range(out_height):
        row, j = scratch + 4 * i * stride_y * line, 0
        while j < filters:
            columns = _width(filters - j)
            for t in range(tiles):
                x0, x1 = out_width * t // tiles, out_width * (t + 1) // tiles
                strided_pair_tile(
                    x1 - x0, row + 4 * x0 * pixel, line, pixel, 1, kernel_height, pairs, w + 4 * j, pairs * filters, filters,
                    bias + 4 * j, y + 4 * (i * y_line + x0 * filters + j), filters, columns, float32(1), SET, 0,
                )  # fmt: skip
            j += columns


@outlined(void(*[int64] * 17))
def convolve_weight_pairs(
    x, lines, x_line, x_row, stride_y, kernel_height, count, dy, dy_line, dy_row, filters, dw, out_height, out_width, mode,
    zeros, scratch,
):  # fmt: skip
    """dW ⊕ xᵀ ∗ dy for one image of so many `lines`; mode SET or ADD; distances as in `convolve_weights`."""
    size, across = lines * x_line, (out_width + 1) // 2
    pair_apart(x, size - x_row, x_row, scratch)
    pair_apart(x + 4 * (size - x_row), x_row, int64(0), scratch + 4 * (size - x_row))
    pairs_at = scratch + 4 * (size + COLUMNS)
    for i in range(out_height):
        for j in range(across):
            source, target = dy + 4 * (i * dy_line + 2 * j * dy_row), pairs_at + 4 * (i * across + j) * filters
            pair_apart(source, filters, dy_row if 2 * j + 1 < out_width else 0, target)
    tiles = (count + ROWS - 1) // ROWS
    step = max(1, BAND // (x_line * stride_y + across * filters))
    for i0 in range(0, out_height, step):
        rows = min(step, out_height - i0)
        here = mode if i0 == 0 else ADD
        for ky in range(kernel_height):
            line, j = scratch + 4 * (i0 * stride_y + ky) * x_line, 0
            while j < filters:
                columns = _width(filters - j)
                for t in range(tiles):
                    r0, r1 = count * t // tiles, count * (t + 1) // tiles
                    strided_pair_tile(
                        r1 - r0, line + 4 * r0, stride_y * x_line, 1, 2 * x_row, rows, across,
                        pairs_at + 4 * (i0 * across * filters + j), across * filters, filters, zeros,
                        dw + 4 * ((ky * count + r0) * filters + j), filters, columns, float32(1), here, 0,
                    )  # fmt: skip
                j += columns
