"""Recurrent layers: a thread takes its partitions of the mini-batch through all steps, and products run on the tile.

The images are dealt into partitions, whose number does not depend on the threads. Of each, values lie step by step,
(T, N, …), so that a step's images are neighbours: the products of all steps with W are one, and so are the sums over all
steps in the gradients. Threads meet only to join these sums: where two cores share no cache, what one has written reaches the
other slowly. nn/recurrent.py has the equations.
"""

from __future__ import annotations

import numpy as np
from numba import int64, void

from glassnet.kernels import kinds, opcodes as op, records
from glassnet.kernels.activations import sigmoid, tanh
from glassnet.kernels.codegen.addresses import clear, copy, floats_at, integers_at, record_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.matmul.gemm import multiply_columns, multiply_rows
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.operands import context_at, images_of, partitions_of, source
from glassnet.kernels.reduce import join_gradient

F = np.float32
_0, _1 = F(0), F(1)
_forward_at, _backward_at = record_at(records.Recurrent), record_at(records.RecurrentBackward)
_gradients_at = record_at(records.RecurrentGradients)


@compiled
def _input_products(ctx, layer, low, high):
    """z = x·W + b of all steps of the images low … high; which row of x each step of each image reads."""
    wide, begin, count = layer.gates * layer.units, layer.steps * low, layer.steps * (high - low)
    table = integers_at(ctx.workspace + 4 * layer.row_index, layer.steps * high)
    address, is_bytes, order, first = source(ctx, layer.x)
    row = begin
    for t in range(layer.steps):
        for n in range(low, high):
            table[row] = integers_at(order + 8 * (first + n), 1)[0] * layer.steps + t
            row += 1
    z = ctx.workspace + 4 * (layer.z + begin * wide)
    multiply_rows(
        address, is_bytes, layer.features, F(layer.scale), ctx.workspace + 4 * layer.row_index, begin, count, layer.features,
        ctx.parameters + 4 * layer.weight, int64(0), wide, ctx.parameters + 4 * layer.bias, z, SET, ctx.scratch,
        int64(0), int64(1),
    )  # fmt: skip


@compiled
def _lstm_cell(z, c_before, c, h, units):
    for k in range(units):
        i, f = F(sigmoid(z[k])), F(sigmoid(z[units + k]))
        g, o = F(tanh(z[2 * units + k])), F(sigmoid(z[3 * units + k]))
        z[k], z[units + k], z[2 * units + k], z[3 * units + k] = i, f, g, o
        cell = f * c_before[k] + i * g
        c[k] = cell
        h[k] = o * F(tanh(cell))


@compiled
def _gru_cell(z, p, inner, inner_bias, h_before, h, units):
    for k in range(units):
        r, u = F(sigmoid(z[k] + p[k])), F(sigmoid(z[units + k] + p[units + k]))
        m = p[2 * units + k] + inner_bias[k]
        n = F(tanh(z[2 * units + k] + r * m))
        inner[k] = m
        z[k], z[units + k], z[2 * units + k] = r, u, n
        h[k] = (_1 - u) * n + u * h_before[k]


@compiled
def _forward_steps(ctx, layer, low, high):
    """All steps of the images low … high; z holds x·W + b and becomes the gates."""
    units, gates, rows = layer.units, layer.gates, high - low
    wide, base, begin, begin_states = gates * units, ctx.workspace, layer.steps * low, (layer.steps + 1) * low
    recurrent = ctx.parameters + 4 * layer.recurrent_weight
    clear(base + 4 * (layer.h + begin_states * units), rows * units)
    if layer.kind == kinds.LSTM:
        clear(base + 4 * (layer.c + begin_states * units), rows * units)
    for t in range(layer.steps):
        z = base + 4 * (layer.z + (begin + t * rows) * wide)
        h_before = base + 4 * (layer.h + (begin_states + t * rows) * units)
        h = h_before + 4 * rows * units
        product, mode = (base + 4 * (layer.product + low * wide), SET) if layer.kind == kinds.GRU else (z, ADD)
        if t > 0 or layer.kind == kinds.GRU:  # the first state is zero
            multiply_rows(
                h_before, int64(0), units, F(1), ctx.identity, int64(0), rows, units, recurrent, int64(0), wide,
                ctx.constants, product, mode, ctx.scratch, int64(0), int64(1),
            )  # fmt: skip
        for r in range(rows):
            gate, before = floats_at(z + 4 * r * wide, wide), floats_at(h_before + 4 * r * units, units)
            after = floats_at(h + 4 * r * units, units)
            if layer.kind == kinds.LSTM:
                at = begin_states + t * rows + r
                c_before = floats_at(base + 4 * (layer.c + at * units), units)
                c = floats_at(base + 4 * (layer.c + (at + rows) * units), units)
                _lstm_cell(gate, c_before, c, after, units)
            elif layer.kind == kinds.GRU:
                inner = floats_at(base + 4 * (layer.inner + (begin + t * rows + r) * units), units)
                bias = floats_at(ctx.parameters + 4 * layer.recurrent_bias, units)
                _gru_cell(gate, floats_at(product + 4 * r * wide, wide), inner, bias, before, after, units)
            elif layer.kind == kinds.RNN_RELU:
                for k in range(units):
                    after[k] = gate[k] if gate[k] > _0 else _0
            elif layer.kind == kinds.RNN_TANH:
                for k in range(units):
                    after[k] = F(tanh(gate[k]))
    for n in range(rows):
        for t in range(0 if layer.all_states else layer.steps - 1, layer.steps):
            place = (low + n) * layer.steps + t if layer.all_states else low + n
            state = base + 4 * (layer.h + (begin_states + (t + 1) * rows + n) * units)
            copy(state, base + 4 * (layer.out + place * units), units)


@compiled
def _lstm_cell_backward(z, c_before, c, dh, dc, units):
    for k in range(units):
        i, f, g, o = z[k], z[units + k], z[2 * units + k], z[3 * units + k]
        bent = F(tanh(c[k]))
        d = dc[k] + dh[k] * o * (_1 - bent * bent)
        z[k] = d * g * i * (_1 - i)
        z[units + k] = d * c_before[k] * f * (_1 - f)
        z[2 * units + k] = d * i * (_1 - g * g)
        z[3 * units + k] = dh[k] * bent * o * (_1 - o)
        dc[k] = d * f


@compiled
def _gru_cell_backward(z, inner, h_before, dp, dh, carried, units):
    for k in range(units):
        r, u, n = z[k], z[units + k], z[2 * units + k]
        dn = dh[k] * (_1 - u) * (_1 - n * n)
        dr, du = dn * inner[k] * r * (_1 - r), dh[k] * (h_before[k] - n) * u * (_1 - u)
        carried[k] = dh[k] * u
        z[k], z[units + k], z[2 * units + k] = dr, du, dn
        dp[k], dp[units + k], dp[2 * units + k] = dr, du, dn * r


@compiled
def _backward_steps(ctx, layer, low, high):
    """Back through all steps of the images low … high; the gates become the gradients by what they were made of."""
    units, rows = layer.units, high - low
    wide, base, steps = layer.gates * units, ctx.workspace, layer.steps
    begin, begin_states = steps * low, (steps + 1) * low
    dstate, dcell = base + 4 * (layer.dh + low * units), base + 4 * (layer.dc + low * units)
    clear(dstate, rows * units)
    if layer.kind == kinds.LSTM:
        clear(dcell, rows * units)
    for back in range(steps):
        t = steps - 1 - back
        z = base + 4 * (layer.z + (begin + t * rows) * wide)
        dproduct = base + 4 * (layer.dproduct + (begin + t * rows) * wide) if layer.kind == kinds.GRU else z
        for r in range(rows):
            dh, gate = floats_at(dstate + 4 * r * units, units), floats_at(z + 4 * r * wide, wide)
            if layer.all_states or back == 0:
                place = (low + r) * steps + t if layer.all_states else low + r
                dout = floats_at(base + 4 * (layer.dout + place * units), units)
                for k in range(units):
                    dh[k] += dout[k]
            at = begin_states + t * rows + r
            before = floats_at(base + 4 * (layer.h + at * units), units)
            after = floats_at(base + 4 * (layer.h + (at + rows) * units), units)
            if layer.kind == kinds.LSTM:
                c_before = floats_at(base + 4 * (layer.c + at * units), units)
                c = floats_at(base + 4 * (layer.c + (at + rows) * units), units)
                _lstm_cell_backward(gate, c_before, c, dh, floats_at(dcell + 4 * r * units, units), units)
            elif layer.kind == kinds.GRU:
                inner = floats_at(base + 4 * (layer.inner + (begin + t * rows + r) * units), units)
                dp = floats_at(dproduct + 4 * r * wide, wide)
                _gru_cell_backward(gate, inner, before, dp, dh, dh, units)
            elif layer.kind == kinds.RNN_RELU:
                for k in range(units):
                    gate[k] = dh[k] if after[k] > _0 else _0
            elif layer.kind == kinds.RNN_TANH:
                for k in range(units):
                    gate[k] = dh[k] * (_1 - after[k] * after[k])
        if t > 0:
            multiply_rows(
                dproduct, int64(0), wide, F(1), ctx.identity, int64(0), rows, wide, base + 4 * layer.recurrent_weight_t,
                int64(0), units, ctx.constants, dstate, ADD if layer.kind == kinds.GRU else SET, ctx.scratch,
                int64(0), int64(1),
            )  # fmt: skip


@compiled
def _input_gradients(ctx, layer, low, high):
    """dx = dz·Wᵀ of the images low … high, then image by image."""
    wide, begin, rows, base = layer.gates * layer.units, layer.steps * low, high - low, ctx.workspace
    multiply_rows(
        base + 4 * (layer.z + begin * wide), int64(0), wide, F(1), ctx.identity, int64(0), layer.steps * rows, wide,
        base + 4 * layer.weight_t, int64(0), layer.features, ctx.constants,
        base + 4 * (layer.dx_steps + begin * layer.features), SET, ctx.scratch, int64(0), int64(1),
    )  # fmt: skip
    for n in range(rows):
        for t in range(layer.steps):
            here = base + 4 * (layer.dx_steps + (begin + t * rows + n) * layer.features)
            copy(here, base + 4 * (layer.dx + ((low + n) * layer.steps + t) * layer.features), layer.features)


@compiled
def _column_sums(values, stride, rows, width, total_at):
    total = floats_at(total_at, width)
    clear(total_at, width)
    for r in range(rows):
        row = floats_at(values + 4 * r * stride, width)
        for k in range(width):
            total[k] += row[k]


@compiled
def _sizes(layer):
    """How many numbers W, U, b and the GRU's inner bias have."""
    wide = layer.gates * layer.units
    return layer.features * wide, layer.units * wide, wide, layer.units if layer.kind == kinds.GRU else 0


@compiled
def _gradients(ctx, layer, low, high, partial):
    """Of W, U and the biases, summed over all steps of the images low … high, one behind the other at `partial`."""
    units, wide, base = layer.units, layer.gates * layer.units, ctx.workspace
    begin, count = layer.steps * low, layer.steps * (high - low)
    weights, recurrent, biases, inner = _sizes(layer)
    if count == 0:
        clear(partial, weights + recurrent + biases + inner)
        return
    z = base + 4 * (layer.z + begin * wide)
    dproduct = base + 4 * (layer.dproduct + begin * wide) if layer.kind == kinds.GRU else z
    address, is_bytes, _, _ = source(ctx, layer.x)
    multiply_columns(
        address, is_bytes, layer.features, F(layer.scale), base + 4 * layer.row_index, begin, count, layer.features, z, wide,
        ctx.constants, partial, SET, F(1), ctx.scratch, int64(0), int64(1),
    )  # fmt: skip
    partial += 4 * weights
    multiply_columns(
        base + 4 * (layer.h + (layer.steps + 1) * low * units), int64(0), units, F(1), ctx.identity, int64(0), count,
        units, dproduct, wide, ctx.constants, partial, SET, F(1), ctx.scratch, int64(0), int64(1),
    )  # fmt: skip
    partial += 4 * recurrent
    _column_sums(z, wide, count, wide, partial)
    if inner:
        _column_sums(dproduct + 8 * units, wide, count, units, partial + 4 * biases)


@compiled
def _join(ctx, at):
    """The gradients from their partial sums."""
    layer = _gradients_at(at)
    partial = ctx.workspace + 4 * layer.partial
    weights, recurrent, biases, inner = _sizes(layer)
    size = weights + recurrent + biases + inner
    for count, place in (
        (weights, layer.weight), (recurrent, layer.recurrent_weight), (biases, layer.bias), (inner, layer.recurrent_bias),
    ):  # fmt: skip
        join_gradient(ctx, partial, size, layer.partitions, place, count)
        partial += 4 * count


@compiled
def _forward(ctx, at):
    layer = _forward_at(at)
    first, last = partitions_of(ctx, layer.partitions)
    for part in range(first, last):
        low, high = images_of(ctx, layer.partitions, part)
        _input_products(ctx, layer, low, high)
        _forward_steps(ctx, layer, low, high)


@compiled
def _backward(ctx, at):
    layer = _backward_at(at)
    first, last = partitions_of(ctx, layer.partitions)
    weights, recurrent, biases, inner = _sizes(layer)
    size = weights + recurrent + biases + inner
    for part in range(first, last):
        low, high = images_of(ctx, layer.partitions, part)
        _backward_steps(ctx, layer, low, high)
        if layer.dx >= 0:
            _input_gradients(ctx, layer, low, high)
        _gradients(ctx, layer, low, high, ctx.workspace + 4 * (layer.partial + part * size))


@outlined(void(*[int64] * 3))
def recurrent(ctx_at, opcode, at):
    """This thread's share of an operation."""
    ctx = context_at(ctx_at)
    if opcode == op.RECURRENT:
        _forward(ctx, at)
    elif opcode == op.RECURRENT_BACKWARD:
        _backward(ctx, at)
    elif opcode == op.RECURRENT_GRADIENTS:
        _join(ctx, at)
