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

from collections.abc import Sequence

from llvmlite import ir
from numba import int64, void

from glassnet.kernels import records
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.codegen.record_at import record_at
from glassnet.kernels.codegen.simd import I64, Emitter
from glassnet.kernels.conv.channels import each_register, intrinsic_of
from glassnet.kernels.conv.direct import convolve, convolve_weights
from glassnet.kernels.matmul.tile import ADD
from glassnet.kernels.operands import share_of
from glassnet.kernels.sizes import PADDING, PRODUCTS, ROWS, WEIGHT_SQUARES

Four = Sequence[ir.Value]
_weights_at = record_at(records.WinogradWeights)


def _filter(emit: Emitter, g: Sequence[ir.Value]) -> list[ir.Value]:
    """G·g."""
    builder, half = emit.builder, emit.constant(0.5)
    ends = builder.fmul(builder.fadd(g[0], g[2]), half)
    middle = builder.fmul(g[1], half)
    return [g[0], builder.fadd(ends, middle), builder.fsub(ends, middle), g[2]]


def _square(emit: Emitter, d: Four) -> list[ir.Value]:
    """Bᵀ·d."""
    builder = emit.builder
    return [builder.fsub(d[0], d[2]), builder.fadd(d[1], d[2]), builder.fsub(d[2], d[1]), builder.fsub(d[1], d[3])]


def _outputs(emit: Emitter, m: Four) -> list[ir.Value]:
    """Aᵀ·m."""
    builder = emit.builder
    return [builder.fadd(builder.fadd(m[0], m[1]), m[2]), builder.fsub(builder.fsub(m[1], m[2]), m[3])]


def _spread(emit: Emitter, d: Sequence[ir.Value]) -> list[ir.Value]:
    """A·d."""
    builder = emit.builder
    return [d[0], builder.fadd(d[0], d[1]), builder.fsub(d[0], d[1]), builder.fsub(emit.zeros, d[1])]


def _taps(emit: Emitter, m: Four) -> list[ir.Value]:
    """Gᵀ·m."""
    builder, half = emit.builder, emit.constant(0.5)
    both, apart = (builder.fmul(operation(m[1], m[2]), half) for operation in (builder.fadd, builder.fsub))
    return [builder.fadd(m[0], both), apart, builder.fadd(both, m[3])]


def _at(emit: Emitter, address: ir.Value, distances: Sequence[tuple[ir.Value, int]]) -> ir.Value:
    """The address so many of these distances, in floats, further on."""
    for distance, times in distances:
        address = emit.builder.add(address, emit.builder.mul(distance, I64(4 * times)))
    return address


def _emit_weights(emit: Emitter, w: ir.Value, tap: ir.Value, filters: ir.Value, u: ir.Value, apart: ir.Value) -> None:
    def register(offset: ir.Value, mask: ir.Value) -> None:
        start = emit.builder.add(w, offset)
        rows = [[emit.load(_at(emit, start, [(tap, 3 * ky + kx)])) for ky in range(3)] for kx in range(3)]
        columns = [_filter(emit, row) for row in rows]  # [kx][i]
        for i in range(4):
            for j, value in enumerate(_filter(emit, [columns[kx][i] for kx in range(3)])):
                emit.store_masked(value, _at(emit, emit.builder.add(u, offset), [(apart, 4 * i + j)]), mask)

    each_register(emit, filters, register)


def _emit_squares(emit: Emitter, x: ir.Value, line: ir.Value, channels: ir.Value, v: ir.Value, apart: ir.Value) -> None:
    def register(offset: ir.Value, mask: ir.Value) -> None:
        start = emit.builder.add(x, offset)
        columns = [
            _square(emit, [emit.load(_at(emit, start, [(line, i), (channels, j)])) for i in range(4)]) for j in range(4)
        ]
        for i in range(4):
            for j, value in enumerate(_square(emit, [columns[k][i] for k in range(4)])):
                emit.store_masked(value, _at(emit, emit.builder.add(v, offset), [(apart, 4 * i + j)]), mask)

    each_register(emit, channels, register)


def _emit_outputs(
    emit: Emitter,
    m: ir.Value,
    apart: ir.Value,
    filters: ir.Value,
    bias: ir.Value,
    y: ir.Value,
    line: ir.Value,
    rows: ir.Value,
    columns: ir.Value,
) -> None:
    builder = emit.builder

    def register(offset: ir.Value, mask: ir.Value) -> None:
        start, target = builder.add(m, offset), builder.add(y, offset)
        sums = [_outputs(emit, [emit.load(_at(emit, start, [(apart, 4 * i + j)])) for i in range(4)]) for j in range(4)]
        added = emit.load(builder.add(bias, offset))
        for i in range(2):
            for j, value in enumerate(_outputs(emit, [sums[k][i] for k in range(4)])):
                inside = builder.and_(builder.icmp_signed(">", rows, I64(i)), builder.icmp_signed(">", columns, I64(j)))
                with builder.if_then(inside):
                    emit.store_masked(builder.fadd(value, added), _at(emit, target, [(line, i), (filters, j)]), mask)

    each_register(emit, filters, register)


def _emit_spread(
    emit: Emitter,
    dy: ir.Value,
    line: ir.Value,
    filters: ir.Value,
    rows: ir.Value,
    columns: ir.Value,
    d: ir.Value,
    apart: ir.Value,
) -> None:
    builder = emit.builder
    there = [[builder.icmp_signed(">", size, I64(i)) for i in range(2)] for size in (rows, columns)]

    def register(offset: ir.Value, mask: ir.Value) -> None:
        start = builder.add(dy, offset)

        def pixel(i: int, j: int) -> ir.Value:
            value = emit.load(_at(emit, start, [(line, i), (filters, j)]))
            return builder.select(builder.and_(there[0][i], there[1][j]), value, emit.zeros)

        columns_of = [_spread(emit, [pixel(i, j) for i in range(2)]) for j in range(2)]
        for i in range(4):
            for j, value in enumerate(_spread(emit, [columns_of[k][i] for k in range(2)])):
                emit.store_masked(value, _at(emit, builder.add(d, offset), [(apart, 4 * i + j)]), mask)

    each_register(emit, filters, register)


def _emit_taps(emit: Emitter, m: ir.Value, apart: ir.Value, filters: ir.Value, w: ir.Value, tap: ir.Value) -> None:
    builder = emit.builder

    def register(offset: ir.Value, mask: ir.Value) -> None:
        start = builder.add(m, offset)
        columns = [_taps(emit, [emit.load(_at(emit, start, [(apart, 4 * i + j)])) for i in range(4)]) for j in range(4)]
        for i in range(3):
            for j, value in enumerate(_taps(emit, [columns[k][i] for k in range(4)])):
                emit.store_masked(value, _at(emit, builder.add(w, offset), [(tap, 3 * i + j)]), mask)

    each_register(emit, filters, register)


# u = G·w·Gᵀ of one channel: (w, from tap to tap, filters, u, from product to product).
transform_filters = intrinsic_of(_emit_weights)
# v = Bᵀ·d·B of one square: (d, from row to row, channels, v, from product to product).
_transform_square = intrinsic_of(_emit_squares)
# y = bias + Aᵀ·m·A of one square, those of its rows and columns that are there: (m, from product to product, filters, …).
_finish_square = intrinsic_of(_emit_outputs)
# A·dy·Aᵀ of one square, whose rows and columns that are not there are 0: (dy, from row to row, filters, rows, columns, …).
_spread_square = intrinsic_of(_emit_spread)
# dw = Gᵀ·m·G of one channel: (m, from product to product, filters, dw, from tap to tap).
gather_taps = intrinsic_of(_emit_taps)


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
        transform_filters(w + 4 * c * filters, channels * filters, filters, u + 4 * c * filters, channels * filters)


@compiled
def winograd_weights(ctx, at):
    """Of a layer's weights: this thread's share of the channels."""
    op = _weights_at(at)
    low, high = share_of(ctx, op.channels)
    transform_weights(ctx.parameters + 4 * op.weight, op.channels, op.filters, ctx.workspace + 4 * op.transformed, low, high)


@compiled
def winograd_rotated(ctx, at):
    """Of rotated weights in the workspace."""
    op = _weights_at(at)
    low, high = share_of(ctx, op.channels)
    transform_weights(ctx.workspace + 4 * op.weight, op.channels, op.filters, ctx.workspace + 4 * op.transformed, low, high)


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
