"""3×3 convolutions with stride 1 by Winograd's minimal filtering F(2×2, 3×3): 16 products for 4 outputs, not 36.

    forward:  y = Aᵀ[Σ_c (G·w·Gᵀ) ⊙ (Bᵀ·d·B)]A          d: 4×4 pixels of x that overlap by 2, y: 2×2 pixels
    weights:  dw = Gᵀ[Σ (Bᵀ·d·B) ⊙ (A·dy·Aᵀ)]G          over the squares of all images

           1    0    0            1  0 −1  0           1  1  1  0
    G =    ½    ½    ½     Bᵀ =   0  1  1  0     Aᵀ =  0  1 −1 −1
           ½   −½    ½            0 −1  1  0
           0    0    1            0  1  0 −1

The sums over channels, or squares, are 16 ordinary products, done on the register tile for a strip of squares at a time. A
pixel of y depends on just the pixels of x under its window, whatever lies beside them in d. Rounding errors are about twice
as large.

Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv 1509.09308.
"""

from __future__ import annotations

import contextlib

from numba import int64, void

from glassnet.kernels import records
from glassnet.kernels.codegen.addresses import record_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.codegen.simd import I64, emitted
from glassnet.kernels.conv.channels import each_register
from glassnet.kernels.conv.direct import convolve, convolve_weights
from glassnet.kernels.matmul.tile import ADD
from glassnet.kernels.operands import share_of
from glassnet.kernels.sizes import PADDING, PRODUCTS, ROWS, WEIGHT_SQUARES

_weights_at = record_at(records.WinogradWeights)


def _filter(emit, g):
    """G·g."""
    builder, half = emit.builder, emit.constant(0.5)
    ends = builder.fmul(builder.fadd(g[0], g[2]), half)
    middle = builder.fmul(g[1], half)
    return [g[0], builder.fadd(ends, middle), builder.fsub(ends, middle), g[2]]


def _square(emit, d):
    """Bᵀ·d."""
    builder = emit.builder
    return [builder.fsub(d[0], d[2]), builder.fadd(d[1], d[2]), builder.fsub(d[2], d[1]), builder.fsub(d[1], d[3])]


def _outputs(emit, m):
    """Aᵀ·m."""
    builder = emit.builder
    return [builder.fadd(builder.fadd(m[0], m[1]), m[2]), builder.fsub(builder.fsub(m[1], m[2]), m[3])]


def _spread(emit, d):
    """A·d."""
    builder = emit.builder
    return [d[0], builder.fadd(d[0], d[1]), builder.fsub(d[0], d[1]), builder.fsub(emit.zeros, d[1])]


def _taps(emit, m):
    """Gᵀ·m."""
    builder, half = emit.builder, emit.constant(0.5)
    both, apart = (builder.fmul(operation(m[1], m[2]), half) for operation in (builder.fadd, builder.fsub))
    return [builder.fadd(m[0], both), apart, builder.fadd(both, m[3])]


def _at(emit, address, distances, i, j):
    """The address of element i, j of a matrix; `distances` in floats: from row to row, and from column to column."""
    for distance, times in zip(distances, (i, j), strict=True):
        address = emit.builder.add(address, emit.builder.mul(distance, I64(4 * times)))
    return address


def _emit_transform(
    emit, transform, size, channels, source, distances, target, target_distances, *, there=None, written=None, bias=None
):  # fmt: skip
    """T·X·Tᵀ + bias of the `size` × `size` matrices X of all channels, where `transform` multiplies by T.

    `there`: the numbers of rows and columns of X that are there, the others count as 0; `written`: of the result.
    """
    builder = emit.builder

    def is_inside(sizes, *place):
        return builder.and_(*(builder.icmp_signed(">", most, I64(k)) for most, k in zip(sizes, place, strict=True)))

    def register(offset, mask):
        start, end = builder.add(source, offset), builder.add(target, offset)
        added = None if bias is None else emit.load(builder.add(bias, offset))

        def element(i, j):
            value = emit.load(_at(emit, start, distances, i, j))
            return value if there is None else builder.select(is_inside(there, i, j), value, emit.zeros)

        columns = [transform(emit, [element(i, j) for i in range(size)]) for j in range(size)]
        for i in range(len(columns[0])):
            for j, value in enumerate(transform(emit, [column[i] for column in columns])):
                result = value if added is None else builder.fadd(value, added)
                with contextlib.nullcontext() if written is None else builder.if_then(is_inside(written, i, j)):
                    emit.store_masked(result, _at(emit, end, target_distances, i, j), mask)

    each_register(emit, channels, register)


def _grid(emit, width, apart):
    """The distances in a matrix of `width` columns whose elements lie one behind the other, `apart` from each other."""
    return emit.builder.mul(apart, I64(width)), apart


@emitted()
def _transform_filters(emit, w, tap, filters, u, apart):
    """u = G·w·Gᵀ of one channel; `tap`, `apart`: from tap to tap, and from product to product."""
    _emit_transform(emit, _filter, 3, filters, w, _grid(emit, 3, tap), u, _grid(emit, 4, apart))


@emitted()
def _transform_square(emit, x, line, channels, v, apart):
    """v = Bᵀ·d·B of one square d of x."""
    _emit_transform(emit, _square, 4, channels, x, (line, channels), v, _grid(emit, 4, apart))


@emitted()
def _finish_square(emit, m, apart, filters, bias, y, line, rows, columns):
    """y = bias + Aᵀ·m·A of one square, those of its rows and columns that are there."""
    there = (rows, columns)
    _emit_transform(emit, _outputs, 4, filters, m, _grid(emit, 4, apart), y, (line, filters), written=there, bias=bias)


@emitted()
def _spread_square(emit, dy, line, filters, rows, columns, d, apart):
    """d = A·dy·Aᵀ of one square, whose rows and columns that are not there are 0."""
    _emit_transform(emit, _spread, 2, filters, dy, (line, filters), d, _grid(emit, 4, apart), there=(rows, columns))


@emitted()
def gather_taps(emit, m, apart, filters, w, tap):
    """dw = Gᵀ·m·G of one channel."""
    _emit_transform(emit, _taps, 4, filters, m, _grid(emit, 4, apart), w, _grid(emit, 3, tap))


@compiled
def _transform_rows(x, line, channels, rows, across, squares, v):
    """The transforms of so many rows of squares, product by product."""
    for i in range(rows):
        for j in range(across):
            source = x + 4 * (2 * i * line + 2 * j * channels)
            _transform_square(source, line, channels, v + 4 * (i * across + j) * channels, squares * channels)


@compiled
def transform_weights(w, channels, filters, u, low, high):
    """U (16, channels, filters) of the weights (3, 3, channels, filters), for the channels low … high."""
    for c in range(low, high):
        _transform_filters(w + 4 * c * filters, channels * filters, filters, u + 4 * c * filters, channels * filters)


@compiled
def winograd_weights(ctx, at, base):
    """Of a layer's weights, or of rotated weights in the workspace: this thread's share of the channels."""
    op = _weights_at(at)
    low, high = share_of(ctx, op.channels)
    transform_weights(base + 4 * op.weight, op.channels, op.filters, ctx.workspace + 4 * op.transformed, low, high)


@outlined(void(*[int64] * 12))
def winograd(x, line, channels, u, filters, bias, y, y_line, out_height, out_width, zeros, scratch):
    """y = b + x ∗ W for one image, U = G·W·Gᵀ at `u`; where rows or columns of y are odd, one more of x is read, not used.

    Distances in floats; x with its zeros; `scratch`: see winograd_floats.
    """
    across, down = (out_width + 1) // 2, (out_height + 1) // 2
    step = max(1, ROWS // across)  # rows of squares that fill a tile
    for row in range(0, down, step):
        rows = min(step, down - row)
        squares = rows * across
        m = scratch + 4 * (PRODUCTS * squares * channels + PADDING)
        _transform_rows(x + 4 * 2 * row * line, line, channels, rows, across, squares, scratch)
        for product in range(PRODUCTS):
            convolve(
                scratch + 4 * product * squares * channels, int64(0), channels, int64(0), int64(1), channels,
                u + 4 * product * channels * filters, filters, zeros, m + 4 * product * squares * filters,
                squares * filters, int64(1), squares,
            )  # fmt: skip
        for i in range(rows):
            for j in range(across):
                at, top = m + 4 * (i * across + j) * filters, 2 * (row + i)
                _finish_square(
                    at, squares * filters, filters, bias, y + 4 * (top * y_line + 2 * j * filters), y_line,
                    out_height - top, out_width - 2 * j,
                )  # fmt: skip


@outlined(void(*[int64] * 12))
def winograd_gradient(x, line, channels, dy, dy_line, filters, du, out_height, out_width, mode, zeros, scratch):
    """dU (16, channels, filters) ⊕ Σ over the squares of one image; mode SET or ADD.

    Distances in floats; x with its zeros, behind which there is a line of finite numbers where rows of dy are odd.
    """
    across, down = (out_width + 1) // 2, (out_height + 1) // 2
    step = max(1, WEIGHT_SQUARES // across)
    for row in range(0, down, step):
        rows = min(step, down - row)
        squares = rows * across
        d = scratch + 4 * (PRODUCTS * squares * channels + PADDING)
        _transform_rows(x + 4 * 2 * row * line, line, channels, rows, across, squares, scratch)
        for i in range(rows):
            for j in range(across):
                top = 2 * (row + i)
                _spread_square(
                    dy + 4 * (top * dy_line + 2 * j * filters), dy_line, filters, out_height - top, out_width - 2 * j,
                    d + 4 * (i * across + j) * filters, squares * filters,
                )  # fmt: skip
        for product in range(PRODUCTS):
            convolve_weights(
                scratch + 4 * product * squares * channels, int64(0), channels, int64(0), int64(1), channels,
                d + 4 * product * squares * filters, int64(1), filters, filters, du + 4 * product * channels * filters,
                int64(1), squares, mode if row == 0 else ADD, zeros,
            )  # fmt: skip
