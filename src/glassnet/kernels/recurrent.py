"""Recurrent layers: a thread takes its partitions of the mini-batch through all steps, and products run on the tile.

The images are dealt into partitions, whose number does not depend on the threads. Of each, values lie step by step,
(T, N, …), so that a step's images are neighbours: the products of all steps with W are one, and the gradients of the weights
are summed over several steps at a time, while these are in the cache. Threads meet only to join these sums: where two cores
share no cache, what one has written reaches the other slowly. The steps of one image alone are shared by units, with a
barrier after each. nn/recurrent.py has the equations.
"""

from __future__ import annotations

import numpy as np
from numba import int64, void

from glassnet.kernels import kinds, opcodes as op, records
from glassnet.kernels.barrier import barrier_wait
from glassnet.kernels.codegen.addresses import bytes_at, clear, copy, floats_at, integers_at, record_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.matmul.sequence_gemm import multiply_panels
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.operands import context_at, images_of, own_partitions, partitions_of, share_of, source
from glassnet.kernels.recurrent_cells import (
    gru_cell,
    gru_cell_backward,
    lstm_cell,
    lstm_cell_backward,
    relu_cell,
    relu_cell_backward,
    tanh_cell,
    tanh_cell_backward,
)
from glassnet.kernels.recurrent_products import add_up, make_panels, multiply_all, multiply_state
from glassnet.kernels.reduce import join_gradient
from glassnet.kernels.sizes import COLUMN_DEPTH, LANES

F = np.float32
SHARED = 32_768  # recurrent weights from which on threads share the steps of one image
_forward_at, _backward_at = record_at(records.Recurrent), record_at(records.RecurrentBackward)
_gradients_at = record_at(records.RecurrentGradients)


@compiled
def _inputs(ctx, layer, low, high):
    """x of the images low … high as floats, step by step, with zeros up to the end of a register."""
    address, is_bytes, order, first = source(ctx, layer.x)
    rows, features, size = high - low, layer.features, 1 if is_bytes else 4
    scale = F(1) if layer.pairs else F(layer.scale)  # bytes are exact in bfloat16: their scale is a factor of the sums
    for n in range(rows):
        sequence = integers_at(order + 8 * (first + low + n), 1)[0] * layer.steps
        for t in range(layer.steps):
            here = address + size * (sequence + t) * features
            row = ctx.workspace + 4 * (layer.inputs + (layer.steps * low + t * rows + n) * layer.inputs_row)
            target = floats_at(row, features)
            if is_bytes:
                pixels = bytes_at(here, features)
                for i in range(features):
                    target[i] = scale * F(pixels[i])
            else:
                values = floats_at(here, features)
                for i in range(features):
                    target[i] = scale * values[i]
            clear(row + 4 * features, layer.inputs_row - features)


@compiled
def _span(rows):
    """How many steps are taken together by products that can: few enough for their gates to stay in the cache."""
    return max(1, COLUMN_DEPTH // rows)


@compiled
def _input_products(ctx, layer, low, rows, t, last, thread, threads):
    """z = x·W + b of the steps t … last of a partition; zeros, and what is behind the features, are left out."""
    wide, begin, count = layer.gates * layer.units, layer.steps * low + t * rows, (last - t) * rows
    x, z = ctx.workspace + 4 * (layer.inputs + begin * layer.inputs_row), ctx.workspace + 4 * (layer.z + begin * wide)
    multiply_all(
        ctx, layer.pairs, x, F(layer.scale), count, layer.inputs_row, ctx.parameters + 4 * layer.weight, 0, wide,
        ctx.parameters + 4 * layer.bias, z, thread, threads,
    )  # fmt: skip


@compiled
def _shares_steps(ctx, layer):
    """Whether the threads share the steps of one image by units: where reading U takes longer than a barrier."""
    return layer.panels < 0 and ctx.threads > 1 and layer.units * layer.units * layer.gates >= SHARED


@compiled
def _forward_steps(ctx, layer, low, high):
    """All steps of the images low … high; z holds x·W + b and becomes the gates."""
    units, gates, rows = layer.units, layer.gates, high - low
    wide, base, begin, begin_states = gates * units, ctx.workspace, layer.steps * low, (layer.steps + 1) * low
    thread, threads, first, last = int64(0), int64(1), int64(0), units
    if _shares_steps(ctx, layer):
        low_register, high_register = share_of(ctx, (units + LANES - 1) // LANES)
        thread, threads, first, last = ctx.thread, ctx.threads, LANES * low_register, min(units, LANES * high_register)
    count = last - first  # units of this thread
    if thread == 0:
        _inputs(ctx, layer, low, high)
        clear(base + 4 * (layer.h + begin_states * units), rows * units)
        if layer.kind == kinds.LSTM:
            clear(base + 4 * (layer.c + begin_states * units), rows * units)
    barrier_wait(ctx.signals, threads)
    span, pairs = _span(rows), ctx.pair_row if layer.pairs else 0
    for t in range(layer.steps):
        if t % span == 0:
            _input_products(ctx, layer, low, rows, t, min(t + span, layer.steps), thread, threads)
            barrier_wait(ctx.signals, threads)
        z = base + 4 * (layer.z + (begin + t * rows) * wide)
        h_before = base + 4 * (layer.h + (begin_states + t * rows) * units)
        h = h_before + 4 * rows * units
        product, mode = (base + 4 * (layer.product + low * wide), SET) if layer.kind == kinds.GRU else (z, ADD)
        if t > 0 or layer.kind == kinds.GRU:  # the first state is zero
            if layer.panels < 0:
                weight = ctx.parameters + 4 * layer.recurrent_weight
                multiply_state(ctx, units, gates, weight, h_before, first, last, product, mode)
            else:
                multiply_panels(
                    h_before, rows, units, base + 4 * layer.panels, wide, ctx.constants, product, mode, ctx.scratch, units,
                    z + 4 * span * rows * wide, pairs,
                )  # fmt: skip
        for r in range(rows):
            gate, state = z + 4 * (r * wide + first), 4 * (r * units + first)
            if layer.kind == kinds.LSTM:
                c_before = base + 4 * (layer.c + (begin_states + t * rows) * units) + state
                lstm_cell(gate, c_before, c_before + 4 * rows * units, h + state, units, count)
            elif layer.kind == kinds.GRU:
                inner = base + 4 * (layer.inner + (begin + t * rows) * units) + state
                bias, p = ctx.parameters + 4 * (layer.recurrent_bias + first), product + 4 * (r * wide + first)
                gru_cell(gate, p, inner, bias, h_before + state, h + state, units, count)
            elif layer.kind == kinds.RNN_RELU:
                relu_cell(gate, h + state, count)
            elif layer.kind == kinds.RNN_TANH:
                tanh_cell(gate, h + state, count)
        barrier_wait(ctx.signals, threads)
    for n in range(rows):
        for t in range(0 if layer.all_states else layer.steps - 1, layer.steps):
            place = (low + n) * layer.steps + t if layer.all_states else low + n
            state = base + 4 * (layer.h + (begin_states + (t + 1) * rows + n) * units)
            copy(state + 4 * first, base + 4 * (layer.out + place * units + first), count)


@compiled
def _dproduct(ctx, layer, low, rows, t, start):
    """The gradients by h·U of step t; the GRU's are not those by x·W, and only kept from step `start` on."""
    wide = layer.gates * layer.units
    if layer.kind == kinds.GRU:
        return ctx.workspace + 4 * (layer.dproduct + (layer.steps * low + (t - start) * rows) * wide)
    return ctx.workspace + 4 * (layer.z + (layer.steps * low + t * rows) * wide)


@compiled
def _backward_step(ctx, layer, low, rows, t, start):
    """Back through step t: the gates become the gradients by what they were made of, dh and dc those of the step before."""
    units, steps, wide, base = layer.units, layer.steps, layer.gates * layer.units, ctx.workspace
    begin, begin_states = steps * low + t * rows, (steps + 1) * low + t * rows
    dstate, dcell = base + 4 * (layer.dh + low * units), base + 4 * (layer.dc + low * units)
    z = base + 4 * (layer.z + begin * wide)
    dproduct = _dproduct(ctx, layer, low, rows, t, start)
    for r in range(rows):
        dh, gate, state = dstate + 4 * r * units, z + 4 * r * wide, 4 * r * units
        if layer.all_states or t == steps - 1:
            place = (low + r) * steps + t if layer.all_states else low + r
            total, dout = floats_at(dh, units), floats_at(base + 4 * (layer.dout + place * units), units)
            for k in range(units):
                total[k] += dout[k]
        before = base + 4 * (layer.h + begin_states * units) + state
        if layer.kind == kinds.LSTM:
            c_before = base + 4 * (layer.c + begin_states * units) + state
            lstm_cell_backward(gate, c_before, c_before + 4 * rows * units, dh, dcell + state, units, rows)
        elif layer.kind == kinds.GRU:
            inner = base + 4 * (layer.inner + begin * units) + state
            gru_cell_backward(gate, inner, before, dproduct + 4 * r * wide, dh, units, rows)
        elif layer.kind == kinds.RNN_RELU:
            relu_cell_backward(gate, before + 4 * rows * units, dh, units, rows)
        elif layer.kind == kinds.RNN_TANH:
            tanh_cell_backward(gate, before + 4 * rows * units, dh, units, rows)
    if t > 0:
        multiply_panels(
            dproduct, rows, wide, base + 4 * layer.panels, units, ctx.constants, dstate,
            ADD if layer.kind == kinds.GRU else SET, ctx.scratch, wide, z - 4 * rows * wide,
            ctx.pair_row if layer.pairs else 0,
        )  # fmt: skip


@compiled
def _input_gradients(ctx, layer, low, high):
    """dx = dz·Wᵀ of the images low … high, then image by image."""
    wide, begin, rows, base = layer.gates * layer.units, layer.steps * low, high - low, ctx.workspace
    multiply_all(
        ctx, layer.pairs, base + 4 * (layer.z + begin * wide), F(1), layer.steps * rows, wide,
        ctx.parameters + 4 * layer.weight, 1, layer.features, ctx.constants,
        base + 4 * (layer.dx_steps + begin * layer.features), int64(0), int64(1),
    )  # fmt: skip
    for n in range(rows):
        for t in range(layer.steps):
            here = base + 4 * (layer.dx_steps + (begin + t * rows + n) * layer.features)
            copy(here, base + 4 * (layer.dx + ((low + n) * layer.steps + t) * layer.features), layer.features)


@compiled
def _add_columns(values, stride, rows, width, total_at):
    total = floats_at(total_at, width)
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
def _gradients(ctx, layer, low, rows, t, last, partial, mode):
    """Of W, U and the biases, summed over the steps t … last of a partition, one behind the other at `partial`."""
    units, wide, base = layer.units, layer.gates * layer.units, ctx.workspace
    begin, count = layer.steps * low + t * rows, (last - t) * rows
    weights, recurrent, biases, inner = _sizes(layer)
    z = base + 4 * (layer.z + begin * wide)
    dproduct = _dproduct(ctx, layer, low, rows, t, t)
    x = base + 4 * (layer.inputs + begin * layer.inputs_row)
    add_up(ctx, layer.pairs, x, F(layer.scale), count, layer.features, z, wide, partial, mode, layer.inputs_row)
    partial += 4 * weights
    states = base + 4 * (layer.h + ((layer.steps + 1) * low + t * rows) * units)
    add_up(ctx, layer.pairs, states, F(1), count, units, dproduct, wide, partial, mode, units)
    partial += 4 * recurrent
    if mode == SET:
        clear(partial, biases + inner)
    _add_columns(z, wide, count, wide, partial)
    if inner:
        _add_columns(dproduct + 8 * units, wide, count, units, partial + 4 * biases)


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
    first, last = own_partitions(ctx, layer.partitions) if _shares_steps(ctx, layer) else partitions_of(ctx, layer.partitions)
    for part in range(first, last):
        low, high = images_of(ctx, layer.partitions, part)
        if high > low:
            _forward_steps(ctx, layer, low, high)


@compiled
def _backward(ctx, at):
    layer = _backward_at(at)
    first, last = partitions_of(ctx, layer.partitions)
    weights, recurrent, biases, inner = _sizes(layer)
    size = weights + recurrent + biases + inner
    for part in range(first, last):
        low, high = images_of(ctx, layer.partitions, part)
        rows, partial = high - low, ctx.workspace + 4 * (layer.partial + part * size)
        if rows == 0:
            clear(partial, weights + recurrent + biases + inner)
            continue
        clear(ctx.workspace + 4 * (layer.dh + low * layer.units), rows * layer.units)
        clear(ctx.workspace + 4 * (layer.dc + low * layer.units), rows * layer.units)
        span = _span(rows)
        end = layer.steps
        while end > 0:
            start = max(0, end - span)
            for back in range(end - start):
                _backward_step(ctx, layer, low, rows, end - 1 - back, start)
            _gradients(ctx, layer, low, rows, start, end, partial, SET if end == layer.steps else ADD)
            end = start
        if layer.dx >= 0:
            _input_gradients(ctx, layer, low, high)


@outlined(void(*[int64] * 3))
def recurrent(ctx_at, opcode, at):
    """This thread's share of an operation."""
    ctx = context_at(ctx_at)
    if opcode == op.RECURRENT:
        _forward(ctx, at)
    elif opcode == op.RECURRENT_BACKWARD:
        _backward(ctx, at)
    elif opcode == op.RECURRENT_PANELS:
        make_panels(ctx, at, False)
    elif opcode == op.RECURRENT_PAIRS:
        make_panels(ctx, at, True)
    elif opcode == op.RECURRENT_GRADIENTS:
        _join(ctx, at)
