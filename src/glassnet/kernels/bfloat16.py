"""Dense layers in bfloat16 with sums in float32: y = x·W + b, dx = dy·Wᵀ, dW = xᵀ·dy. Biases stay float32.

And the weights of convolutions, rounded, for conv/bfloat16.py.
"""

from __future__ import annotations

import numpy as np
from numba import int64, void

from glassnet.kernels import opcodes as op, records
from glassnet.kernels.codegen.addresses import record_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.conv.bfloat16 import pair_weights
from glassnet.kernels.matmul.bfloat16 import multiply_column_pairs, multiply_row_pairs, pack_b, panel_bytes
from glassnet.kernels.operands import bias_at, context_at, share_of, source
from glassnet.kernels.reduce import gradient_target
from glassnet.kernels.sizes import COLUMNS

F = np.float32
_dense_at, _panels_at = map(record_at, (records.DensePairs, records.Panels))
_dx_at, _dw_at = map(record_at, (records.DenseDx, records.DenseDw))


@compiled
def _dense(ctx, at):
    op = _dense_at(at)
    x, is_bytes, order, first = source(ctx, op.x)
    multiply_row_pairs(
        x, is_bytes, op.inputs, F(op.scale), order, first + ctx.own_low, ctx.own_high - ctx.own_low, op.inputs,
        ctx.parameters + 4 * op.weight, int64(0), op.outputs,
        ctx.workspace + 4 * op.panels if op.panels >= 0 else int64(0), bias_at(ctx, op.bias),
        ctx.workspace + 4 * (op.y + ctx.own_low * op.outputs), ctx.scratch, ctx.thread, ctx.threads,
    )  # fmt: skip


@compiled
def _dense_dx(ctx, at):
    op = _dx_at(at)
    multiply_row_pairs(
        ctx.workspace + 4 * op.dy, int64(0), op.outputs, F(1), ctx.identity, ctx.own_low, ctx.own_high - ctx.own_low,
        op.outputs, ctx.parameters + 4 * op.weight, int64(1), op.inputs, int64(0), ctx.constants,
        ctx.workspace + 4 * (op.dx + ctx.own_low * op.inputs), ctx.scratch, ctx.thread, ctx.threads,
    )  # fmt: skip


@compiled
def _dense_dw(ctx, at):
    op = _dw_at(at)
    x, is_bytes, order, first = source(ctx, op.x)
    base, mode, factor = gradient_target(ctx)
    multiply_column_pairs(
        x, is_bytes, op.inputs, F(op.scale), order, first, ctx.images_in_batch, op.inputs, ctx.workspace + 4 * op.dy,
        op.outputs, ctx.constants, base + 4 * op.weight, mode, factor, ctx.scratch, ctx.thread, ctx.threads,
    )  # fmt: skip


@compiled
def _pair_panels(ctx, at):
    """This thread's panels."""
    op = _panels_at(at)
    low, high = share_of(ctx, (op.outputs + COLUMNS - 1) // COLUMNS)
    if low < high:
        apart = panel_bytes(op.inputs)
        pack_b(
            ctx.parameters + 4 * op.weight, op.outputs, op.inputs, int64(0), int64(0), op.inputs, COLUMNS * low,
            min(op.outputs, COLUMNS * high), ctx.workspace + 4 * op.panels + apart * low, apart,
        )  # fmt: skip


@outlined(void(*[int64] * 3))
def bfloat16(ctx_at, opcode, at):
    """This thread's share of an operation."""
    ctx = context_at(ctx_at)
    if opcode == op.DENSE_BFLOAT16:
        _dense(ctx, at)
    elif opcode == op.DENSE_DX_BFLOAT16:
        _dense_dx(ctx, at)
    elif opcode == op.DENSE_DW_BFLOAT16:
        _dense_dw(ctx, at)
    elif opcode == op.PAIR_WEIGHTS:
        pair_weights(ctx, at, ctx.parameters)
    elif opcode == op.PAIR_ROTATED:
        pair_weights(ctx, at, ctx.workspace)
    elif opcode == op.PAIR_PANELS:
        _pair_panels(ctx, at)
