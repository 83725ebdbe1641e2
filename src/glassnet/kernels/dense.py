"""Dense layers: y = x·W + b, dx = dy·Wᵀ, dW = xᵀ·dy, db = Σ dy."""

from __future__ import annotations

import numpy as np
from numba import int64

from glassnet.kernels import records
from glassnet.kernels.codegen.addresses import clear, floats_at, record_at
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.matmul.gemm import IN_PANELS, IN_ROWS, TRANSPOSED, multiply_columns, multiply_rows, pack_panels
from glassnet.kernels.matmul.skinny_gemm import dot_rows, outer_columns
from glassnet.kernels.matmul.tile import SET
from glassnet.kernels.operands import bias_at, share_of, source
from glassnet.kernels.reduce import gradient_target, put_gradient
from glassnet.kernels.sizes import COLUMNS

F = np.float32
SQUARE = 16  # rows and columns transposed together, so that they stay in the first-level cache
_dense_at, _panels_at = map(record_at, (records.Dense, records.Panels))
_skinny_at, _transpose_at = map(record_at, (records.DenseSkinny, records.DenseTranspose))
_dx_at, _dw_at, _db_at = map(record_at, (records.DenseDx, records.DenseDw, records.DenseDb))


@compiled
def _is_in_place(op):
    """Whether a product may read x where it lies: its rows are floats, in order, without a scale."""
    return int64(op.x != records.INPUT and op.scale == 1)


@compiled
def dense(ctx, at):
    op = _dense_at(at)
    x, is_bytes, order, first = source(ctx, op.x)
    in_panels = op.panels >= 0
    multiply_rows(
        x, is_bytes, op.inputs, F(op.scale), order, first + ctx.own_low, ctx.own_high - ctx.own_low, op.inputs,
        _is_in_place(op), ctx.workspace + 4 * op.panels if in_panels else ctx.parameters + 4 * op.weight,
        int64(IN_PANELS if in_panels else IN_ROWS), op.outputs, bias_at(ctx, op.bias),
        ctx.workspace + 4 * (op.y + ctx.own_low * op.outputs), SET, ctx.scratch, ctx.thread, ctx.threads,
    )  # fmt: skip


@compiled
def dense_panels(ctx, at):
    """This thread's panels."""
    op = _panels_at(at)
    low, high = share_of(ctx, (op.outputs + COLUMNS - 1) // COLUMNS)
    pack_panels(ctx.parameters + 4 * op.weight, op.inputs, op.outputs, ctx.workspace + 4 * op.panels, low, high)


@compiled
def dense_skinny(ctx, at):
    op = _skinny_at(at)
    x, is_bytes, order, first = source(ctx, op.x)
    dot_rows(
        x, is_bytes, op.inputs, F(op.scale), order, first + ctx.own_low, ctx.own_high - ctx.own_low,
        ctx.workspace + 4 * op.weight_t, op.weight_t_row, op.outputs, bias_at(ctx, op.bias),
        ctx.workspace + 4 * (op.y + ctx.own_low * op.outputs), ctx.scratch, ctx.thread, ctx.threads,
    )  # fmt: skip


@compiled
def dense_transpose(ctx, at):
    op = _transpose_at(at)
    weight, inputs, outputs = ctx.parameters + 4 * op.weight, op.inputs, op.outputs
    first, last = share_of(ctx, (outputs + SQUARE - 1) // SQUARE)
    for j0 in range(SQUARE * first, min(outputs, SQUARE * last), SQUARE):
        for i0 in range(0, inputs, SQUARE):
            for j in range(j0, min(outputs, j0 + SQUARE)):
                row = floats_at(ctx.workspace + 4 * (op.weight_t + j * op.weight_t_row), inputs)
                for i in range(i0, min(inputs, i0 + SQUARE)):
                    row[i] = floats_at(weight + 4 * (i * outputs + j), 1)[0]


@compiled
def dense_dx(ctx, at):
    op = _dx_at(at)
    multiply_rows(
        ctx.workspace + 4 * op.dy, int64(0), op.outputs, F(1), ctx.identity, ctx.own_low, ctx.own_high - ctx.own_low,
        op.outputs, int64(1), ctx.parameters + 4 * op.weight, int64(TRANSPOSED), op.inputs, ctx.constants,
        ctx.workspace + 4 * (op.dx + ctx.own_low * op.inputs), SET, ctx.scratch, ctx.thread, ctx.threads,
    )  # fmt: skip


@compiled
def dense_dw(ctx, at, skinny):
    op = _dw_at(at)
    x, is_bytes, order, first = source(ctx, op.x)
    base, mode, factor = gradient_target(ctx)
    dy, target = ctx.workspace + 4 * op.dy, base + 4 * op.weight
    if skinny:
        outer_columns(
            x, is_bytes, op.inputs, F(op.scale), order, first, ctx.images_in_batch, dy, op.outputs, ctx.constants, target,
            factor, mode, ctx.scratch, ctx.thread, ctx.threads,
        )  # fmt: skip
    else:
        multiply_columns(
            x, is_bytes, op.inputs, F(op.scale), order, first, ctx.images_in_batch, op.inputs, dy, op.outputs, ctx.constants,
            target, _is_in_place(op), mode, factor, ctx.scratch, ctx.thread, ctx.threads,
        )  # fmt: skip


@compiled
def dense_db(ctx, at):
    """This thread's share of the columns."""
    op = _db_at(at)
    low, high = share_of(ctx, op.outputs)
    size, stride = high - low, 4 * op.outputs
    total, dy_at = floats_at(ctx.workspace + 4 * (op.sums + low), size), ctx.workspace + 4 * (op.dy + low)
    clear(ctx.workspace + 4 * (op.sums + low), size)
    images = ctx.images_in_batch
    in_fours = images // 4 * 4
    for r in range(0, in_fours, 4):  # four rows a pass: the sums are loaded and stored a quarter as often
        dy_0, dy_1 = floats_at(dy_at + stride * r, size), floats_at(dy_at + stride * (r + 1), size)
        dy_2, dy_3 = floats_at(dy_at + stride * (r + 2), size), floats_at(dy_at + stride * (r + 3), size)
        for j in range(size):
            total[j] = total[j] + dy_0[j] + dy_1[j] + dy_2[j] + dy_3[j]
    for r in range(in_fours, images):
        dy = floats_at(dy_at + stride * r, size)
        for j in range(size):
            total[j] += dy[j]
    put_gradient(ctx, op.bias + low, total)
