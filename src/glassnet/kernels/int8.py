"""Dense layers in int8, y = x·W + b with sums in int32, and the weights of dense layers and convolutions as bytes.

x ≈ scale·(byte − zero)        W[:, j] ≈ (max |W[:, j]| / 127)·byte
"""

from __future__ import annotations

import numpy as np
from numba import int64, void

from glassnet.kernels import opcodes as op, records
from glassnet.kernels.codegen.addresses import bytes_at, clear, floats_at, int32_at, integers_at, record_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.conv.int8 import convolve_quads, panel_floats, quantize
from glassnet.kernels.operands import bias_at, context_at, share_of, source
from glassnet.kernels.sizes import COLUMNS

F = np.float32
MOST = 127  # of a weight's bytes
_dense_at, _weights_at = map(record_at, (records.DenseInt8, records.QuadWeights))


@compiled
def _dense(ctx, at):
    op = _dense_at(at)
    x, is_bytes, order, first = source(ctx, op.x)
    inputs, rows = op.inputs, ctx.scratch + op.bytes_scratch
    for low in range(ctx.low, ctx.high, op.images):
        count = min(op.images, ctx.high - low)
        for r in range(count):
            place = integers_at(order + 8 * (first + low + r), 1)[0] * inputs
            quantize(x + (place if is_bytes else 4 * place), is_bytes, inputs, F(op.factor), op.zero, rows + r * op.row)
        convolve_quads(
            rows, 0, op.row, 0, 1, inputs, ctx.workspace + 4 * op.panels, op.outputs,
            ctx.workspace + 4 * (op.y + low * op.outputs), 0, 1, count,
        )  # fmt: skip


@compiled
def _panel(weight, groups, taps, columns, width, bias, scale, zero, panel):
    """One panel of so many columns of the weights, whose rows are `width` floats."""
    biases, corrections = floats_at(panel, columns), int32_at(panel + 8 * COLUMNS, columns)
    factors, starts = floats_at(panel + 4 * COLUMNS, columns), floats_at(bias, columns)
    clear(panel, panel_floats(groups, taps))
    for row in range(groups * taps):
        values = floats_at(weight + 4 * row * width, columns)
        for j in range(columns):
            size = abs(values[j])
            factors[j] = size if size > factors[j] or size != size else factors[j]  # NaN stays
    quads = (taps + 3) // 4
    for row in range(groups * taps):
        group, tap = row // taps, row % taps
        values = floats_at(weight + 4 * row * width, columns)
        found = bytes_at(panel + 4 * COLUMNS * (3 + group * quads + tap // 4) + tap % 4, 4 * columns)
        for j in range(columns):
            byte = np.int32(np.rint(values[j] * (F(MOST) / factors[j]))) if factors[j] > 0 else np.int32(0)
            corrections[j] += np.int32(zero) * byte
            found[4 * j] = np.uint8(byte & 255)
    for j in range(columns):
        biases[j] = starts[j]
        factors[j] = scale * (factors[j] / F(MOST))


@compiled
def _quad_weights(ctx, at):
    """This thread's panels."""
    op = _weights_at(at)
    size = panel_floats(op.groups, op.taps)
    low, high = share_of(ctx, (op.columns + COLUMNS - 1) // COLUMNS)
    for number in range(low, high):
        first = number * COLUMNS
        _panel(
            ctx.parameters + 4 * (op.weight + first), op.groups, op.taps, min(COLUMNS, op.columns - first), op.columns,
            bias_at(ctx, op.bias) + 4 * first, F(op.scale), op.zero, ctx.workspace + 4 * (op.panels + number * size),
        )  # fmt: skip


@outlined(void(*[int64] * 3))
def int8(ctx_at, opcode, at):
    """This thread's share of an operation."""
    ctx = context_at(ctx_at)
    if opcode == op.DENSE_INT8:
        _dense(ctx, at)
    elif opcode == op.QUAD_WEIGHTS:
        _quad_weights(ctx, at)
