"""Layer normalisation: x̂ = (x − mean) / √(variance + ε) of each row, y = γ·x̂ + β.

Sums and differences are float64 in both directions: in a constant row 1/√ε would amplify float32 rounding errors.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types

from glassnet.kernels import records
from glassnet.kernels.codegen.addresses import doubles_at, floats_at, record_at
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.codegen.simd import FLOAT, I32, I64, Emitter, emitted
from glassnet.kernels.operands import share_of
from glassnet.kernels.reduce import put_gradient_value

F = np.float32
SUMS = 16  # sums of a row that are taken side by side: one chain of additions would wait for each
BLOCK = 1024  # columns whose sums stay in the cache
DOUBLE = ir.DoubleType()
DOUBLES = ir.VectorType(DOUBLE, SUMS)
_layer_at, _backward_at = record_at(records.LayerNorm), record_at(records.LayerNormBackward)


def _over_row(emit, width, body):
    """Emit `body(offset in bytes, mask)` for each SUMS of `width` floats; the mask is None but for the last few."""
    builder = emit.builder
    whole = builder.udiv(width, I64(SUMS))
    with cgutils.for_range(builder, whole, intp=I64) as loop:
        body(builder.mul(loop.index, I64(4 * SUMS)), None)
    left = builder.sub(width, builder.mul(whole, I64(SUMS)))
    with builder.if_then(builder.icmp_signed(">", left, I64(0))):
        body(builder.mul(whole, I64(4 * SUMS)), emit.lanes_before(left, 0))


def _mean_of(emit, width, terms):
    """The mean of `terms(offset, mask)` over a row: SUMS sums side by side, then halves added to halves."""
    builder, sums = emit.builder, emit.variable(ir.Constant(DOUBLES, [0.0] * SUMS))
    _over_row(emit, width, lambda at, mask: builder.store(builder.fadd(builder.load(sums), terms(at, mask)), sums))
    total, lanes = builder.load(sums), SUMS
    while lanes > 1:
        lanes //= 2
        numbers = [ir.Constant(ir.VectorType(I32, lanes), list(range(at, at + lanes))) for at in (0, lanes)]
        total = builder.fadd(*(builder.shuffle_vector(total, total, half) for half in numbers))
    return builder.fdiv(builder.extract_element(total, I32(0)), builder.sitofp(width, DOUBLE))


@emitted(types.float32(*[types.int64] * 6, types.float64))
def _normalise_row(emit, x, normal, y, gamma, beta, width, epsilon):
    """x̂ (nowhere, if `normal` is 0) and y of one row; 1/√(variance + ε)."""
    builder, emit = emit.builder, Emitter(emit.builder, SUMS)

    def load(row, at, mask):
        address = builder.add(row, at)
        return emit.load(address) if mask is None else emit.load_masked(address, mask)

    def store(value, row, at, mask):
        address = builder.add(row, at)
        emit.store(value, address) if mask is None else emit.store_masked(value, address, mask)

    def wide(at, mask):
        return builder.fpext(load(x, at, mask), DOUBLES)

    middle = emit.splat(_mean_of(emit, width, wide))

    def squares(at, mask):
        away = builder.fsub(wide(at, mask), middle)
        square = builder.fmul(away, away)
        return square if mask is None else builder.select(mask, square, ir.Constant(DOUBLES, [0.0] * SUMS))

    variance = builder.fadd(_mean_of(emit, width, squares), epsilon)
    root = builder.call(emit.declare("llvm.sqrt.f64", DOUBLE, [DOUBLE]), [variance])
    inverse = builder.fptrunc(builder.fdiv(DOUBLE(1.0), root), FLOAT)
    factor = emit.splat(builder.fpext(inverse, DOUBLE))

    def finish(at, mask):
        away = builder.fptrunc(builder.fmul(builder.fsub(wide(at, mask), middle), factor), emit.vector)
        with builder.if_then(builder.icmp_signed("!=", normal, I64(0))):
            store(away, normal, at, mask)
        store(emit.multiply_add(load(gamma, at, mask), away, load(beta, at, mask)), y, at, mask)

    _over_row(emit, width, finish)
    return inverse


@compiled
def layer_norm(ctx, at):
    """y of each row, and what the backward pass needs."""
    op, base, state = _layer_at(at), ctx.workspace, ctx.parameters
    width = op.width
    for r in range(ctx.low * op.rows, ctx.high * op.rows):
        normal = base + 4 * (op.normal + r * width) if op.normal >= 0 else 0
        inverse = _normalise_row(
            base + 4 * (op.x + r * width), normal, base + 4 * (op.y + r * width), state + 4 * op.gamma, state + 4 * op.beta,
            width, op.epsilon,
        )  # fmt: skip
        if op.normal >= 0:
            floats_at(base + 4 * (op.inverse + r), 1)[0] = inverse


@compiled
def _joined(lanes):
    total = 0.0
    for lane in range(SUMS):
        total += lanes[lane]
        lanes[lane] = 0.0
    return total


@compiled
def _mean_products(gamma, dy, normal, lanes, others):
    """The means of γ·dy and of γ·dy·x̂."""
    whole = dy.size // SUMS * SUMS
    for k in range(0, whole, SUMS):
        for lane in range(SUMS):
            scaled = np.float64(gamma[k + lane]) * dy[k + lane]
            lanes[lane] += scaled
            others[lane] += scaled * normal[k + lane]
    for k in range(whole, dy.size):
        scaled = np.float64(gamma[k]) * dy[k]
        lanes[k - whole] += scaled
        others[k - whole] += scaled * normal[k]
    return _joined(lanes) / dy.size, _joined(others) / dy.size


@compiled
def _zero_lanes(at):
    lanes = doubles_at(at, SUMS)
    for lane in range(SUMS):
        lanes[lane] = 0.0
    return lanes


@compiled
def layer_norm_dx(ctx, at):
    """dx = r·(γ·dy − mean(γ·dy) − x̂·mean(γ·dy·x̂))"""
    op, base = _backward_at(at), ctx.workspace
    width = op.width
    gamma, inverse = floats_at(ctx.parameters + 4 * op.gamma, width), floats_at(base + 4 * op.inverse, ctx.high * op.rows)
    lanes, others = _zero_lanes(ctx.scratch), _zero_lanes(ctx.scratch + 8 * SUMS)
    for r in range(ctx.low * op.rows, ctx.high * op.rows):
        dy, normal = floats_at(base + 4 * (op.dy + r * width), width), floats_at(base + 4 * (op.normal + r * width), width)
        dx = floats_at(base + 4 * (op.dx + r * width), width)
        first, second = _mean_products(gamma, dy, normal, lanes, others)
        for k in range(width):
            dx[k] = F(inverse[r] * (np.float64(gamma[k]) * dy[k] - first - normal[k] * second))


@compiled
def layer_norm_gradients(ctx, at):
    """dγ = Σ dy·x̂ and dβ = Σ dy of this thread's columns."""
    op, base = _backward_at(at), ctx.workspace
    low, high = share_of(ctx, op.width)
    for first in range(low, high, BLOCK):
        count = min(BLOCK, high - first)
        along, plain = doubles_at(ctx.scratch, count), doubles_at(ctx.scratch + 8 * count, count)
        for k in range(count):
            along[k] = plain[k] = 0.0
        for r in range(ctx.images_in_batch * op.rows):
            dy = floats_at(base + 4 * (op.dy + r * op.width + first), count)
            normal = floats_at(base + 4 * (op.normal + r * op.width + first), count)
            for k in range(count):
                along[k] += dy[k] * normal[k]
                plain[k] += dy[k]
        for k in range(count):
            put_gradient_value(ctx, op.gamma + first + k, F(along[k]))
            put_gradient_value(ctx, op.beta + first + k, F(plain[k]))
