"""Recurrences as instructions: each thread takes its pictures through all steps, and products run on the tile.

Values lie step by step, (T, N, …), so that a step's pictures are neighbours: the products of all steps with W are one, and so
are the sums over all steps in the gradients. The layers' docstrings and reference/recurrence.py have the equations.
"""

from __future__ import annotations

import numpy as np
from numba import float32, int64, void

from glassnet.kernels.elementwise import sigmoid, tanh
from glassnet.kernels.gemm import multiply_columns, multiply_rows
from glassnet.kernels.jit import compiled, outlined
from glassnet.kernels.job_at import job_at_address
from glassnet.kernels.memory import floats_at, integers_at
from glassnet.kernels.operations import (
    GRU,
    INPUT,
    LSTM,
    RNN_RELU,
    SEQUENCE_BACK,
    SEQUENCE_BIAS,
    SEQUENCE_INPUT,
    SEQUENCE_INPUT_BACK,
    SEQUENCE_ORDER,
    SEQUENCE_RECURRENT_WEIGHT,
    SEQUENCE_STEPS,
    SEQUENCE_WEIGHT,
    SEQUENCE_X,
)
from glassnet.kernels.stage_at import sequence_at_address
from glassnet.kernels.tile import ADD, SET

F = np.float32
_0, _1 = F(0), F(1)


@compiled
def _order(job, layer, first, m, low, high):
    """Which row of x each step of each picture reads."""
    table = integers_at(job.workspace + 4 * layer.order, layer.steps * m)
    for n in range(low, high):
        picture = integers_at(job.order + 8 * (first + n), 1)[0] if layer.x == INPUT else n
        for t in range(layer.steps):
            table[t * m + n] = picture * layer.steps + t


@compiled
def _gates_of_lstm(z, c_before, c, h, units):
    for k in range(units):
        i, f = F(sigmoid(z[k])), F(sigmoid(z[units + k]))
        g, o = F(tanh(z[2 * units + k])), F(sigmoid(z[3 * units + k]))
        z[k], z[units + k], z[2 * units + k], z[3 * units + k] = i, f, g, o
        cell = f * c_before[k] + i * g
        c[k] = cell
        h[k] = o * F(tanh(cell))


@compiled
def _gates_of_gru(z, p, inner, inner_bias, h_before, h, units):
    for k in range(units):
        r, u = F(sigmoid(z[k] + p[k])), F(sigmoid(z[units + k] + p[units + k]))
        m = p[2 * units + k] + inner_bias[k]
        n = F(tanh(z[2 * units + k] + r * m))
        inner[k] = m
        z[k], z[units + k], z[2 * units + k] = r, u, n
        h[k] = (_1 - u) * n + u * h_before[k]


@compiled
def _steps(job, layer, m, low, high):
    """All steps of the pictures low … high; z holds x·W + b and becomes the gates."""
    units, gates, rows = layer.units, layer.gates, high - low
    wide, base = gates * units, job.workspace
    recurrent = job.parameters + 4 * layer.recurrent
    for n in range(low, high):
        for k in range(units):
            floats_at(base + 4 * (layer.states + n * units), units)[k] = _0
            if layer.kind == LSTM:
                floats_at(base + 4 * (layer.cells + n * units), units)[k] = _0
    for t in range(layer.steps):
        z = base + 4 * (layer.z + (t * m + low) * wide)
        h_before = base + 4 * (layer.states + (t * m + low) * units)
        h = base + 4 * (layer.states + ((t + 1) * m + low) * units)
        product, mode = (base + 4 * (layer.product + low * wide), SET) if layer.kind == GRU else (z, ADD)
        if t > 0 or layer.kind == GRU:  # the first state is zero
            multiply_rows(
                h_before, int64(0), units, F(1), job.identity, int64(0), rows, units, recurrent, wide, job.constants,
                product, mode, job.scratch, int64(0), int64(1),
            )  # fmt: skip
        for r in range(rows):
            gate, before = floats_at(z + 4 * r * wide, wide), floats_at(h_before + 4 * r * units, units)
            after = floats_at(h + 4 * r * units, units)
            if layer.kind == LSTM:
                at = t * m + low + r
                c_before = floats_at(base + 4 * (layer.cells + at * units), units)
                c = floats_at(base + 4 * (layer.cells + (at + m) * units), units)
                _gates_of_lstm(gate, c_before, c, after, units)
            elif layer.kind == GRU:
                inner = floats_at(base + 4 * (layer.inner + (t * m + low + r) * units), units)
                bias = floats_at(job.parameters + 4 * layer.inner_bias, units)
                _gates_of_gru(gate, floats_at(product + 4 * r * wide, wide), inner, bias, before, after, units)
            elif layer.kind == RNN_RELU:
                for k in range(units):
                    after[k] = gate[k] if gate[k] > _0 else _0
            else:
                for k in range(units):
                    after[k] = F(tanh(gate[k]))
    last = layer.steps
    for n in range(low, high):
        if layer.all_states:
            for t in range(layer.steps):
                out = floats_at(base + 4 * (layer.out + (n * last + t) * units), units)
                state = floats_at(base + 4 * (layer.states + ((t + 1) * m + n) * units), units)
                for k in range(units):
                    out[k] = state[k]
        else:
            out = floats_at(base + 4 * (layer.out + n * units), units)
            state = floats_at(base + 4 * (layer.states + (last * m + n) * units), units)
            for k in range(units):
                out[k] = state[k]


@compiled
def _back_of_lstm(z, c_before, c, dh, dc, units):
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
def _back_of_gru(z, inner, h_before, dp, dh, carried, units):
    for k in range(units):
        r, u, n = z[k], z[units + k], z[2 * units + k]
        dn = dh[k] * (_1 - u) * (_1 - n * n)
        dr, du = dn * inner[k] * r * (_1 - r), dh[k] * (h_before[k] - n) * u * (_1 - u)
        carried[k] = dh[k] * u
        z[k], z[units + k], z[2 * units + k] = dr, du, dn
        dp[k], dp[units + k], dp[2 * units + k] = dr, du, dn * r


@compiled
def _back(job, layer, m, low, high):
    """Back through all steps of the pictures low … high; the gates become the gradients by what they were made of."""
    units, rows = layer.units, high - low
    wide, base, steps = layer.gates * units, job.workspace, layer.steps
    dstate, dcell = base + 4 * (layer.dstate + low * units), base + 4 * (layer.dcell + low * units)
    for k in range(rows * units):
        floats_at(dstate, rows * units)[k] = _0
        if layer.kind == LSTM:
            floats_at(dcell, rows * units)[k] = _0
    for back in range(steps):
        t = steps - 1 - back
        z = base + 4 * (layer.z + (t * m + low) * wide)
        dproduct = base + 4 * (layer.dproduct + (t * m + low) * wide) if layer.kind == GRU else z
        for r in range(rows):
            dh, gate = floats_at(dstate + 4 * r * units, units), floats_at(z + 4 * r * wide, wide)
            if layer.all_states or back == 0:
                place = (low + r) * steps + t if layer.all_states else low + r
                dout = floats_at(base + 4 * (layer.dout + place * units), units)
                for k in range(units):
                    dh[k] += dout[k]
            at = t * m + low + r
            before = floats_at(base + 4 * (layer.states + at * units), units)
            after = floats_at(base + 4 * (layer.states + (at + m) * units), units)
            if layer.kind == LSTM:
                c_before = floats_at(base + 4 * (layer.cells + at * units), units)
                c = floats_at(base + 4 * (layer.cells + (at + m) * units), units)
                _back_of_lstm(gate, c_before, c, dh, floats_at(dcell + 4 * r * units, units), units)
            elif layer.kind == GRU:
                inner = floats_at(base + 4 * (layer.inner + at * units), units)
                dp = floats_at(dproduct + 4 * r * wide, wide)
                _back_of_gru(gate, inner, before, dp, dh, dh, units)
            elif layer.kind == RNN_RELU:
                for k in range(units):
                    gate[k] = dh[k] if after[k] > _0 else _0
            else:
                for k in range(units):
                    gate[k] = dh[k] * (_1 - after[k] * after[k])
        if t > 0:
            multiply_rows(
                dproduct, int64(0), wide, F(1), job.identity, int64(0), rows, wide, base + 4 * layer.transposed, units,
                job.constants, dstate, ADD if layer.kind == GRU else SET, job.scratch, int64(0), int64(1),
            )  # fmt: skip


@compiled
def _bias_sums(job, place, values, stride, width, rows, rate, fused):
    """The gradient of a bias: this thread's share of the columns, summed over all steps and pictures."""
    low, high = width * job.thread // job.threads, width * (job.thread + 1) // job.threads
    size = high - low
    result = floats_at((job.parameters if fused else job.gradient) + 4 * (place + low), size)
    total = floats_at(job.scratch, size)
    for k in range(size):
        total[k] = _0
    for r in range(rows):
        row = floats_at(job.workspace + 4 * (values + r * stride + low), size)
        for k in range(size):
            total[k] += row[k]
    for k in range(size):
        result[k] = result[k] - rate * total[k] if fused else total[k]


@outlined(void(*[int64] * 6, float32))
def sequences(job_at, operation, layer_at, first, m, fused, rate):
    """This thread's share of an instruction about a recurrent layer."""
    job, layer = job_at_address(job_at), sequence_at_address(layer_at)
    low, high = m * job.thread // job.threads, m * (job.thread + 1) // job.threads
    base, order, wide, rows = job.workspace, job.workspace + 4 * layer.order, layer.gates * layer.units, layer.steps * m
    address, is_bytes = base + 4 * layer.x, int64(0)
    if layer.x == INPUT:
        address, is_bytes = job.pictures, job.is_bytes
    into, mode, factor = (job.parameters, ADD, -rate) if fused else (job.gradient, SET, F(1))
    scale = F(layer.scale)
    if operation == SEQUENCE_ORDER:
        _order(job, layer, first, m, low, high)
    elif operation == SEQUENCE_INPUT:
        multiply_rows(
            address, is_bytes, layer.width, scale, order, int64(0), rows, layer.width, job.parameters + 4 * layer.weight,
            wide, job.parameters + 4 * layer.bias, base + 4 * layer.z, SET, job.scratch, job.thread, job.threads,
        )  # fmt: skip
    elif operation == SEQUENCE_STEPS:
        _steps(job, layer, m, low, high)
    elif operation == SEQUENCE_BACK:
        _back(job, layer, m, low, high)
    elif operation == SEQUENCE_INPUT_BACK:
        multiply_rows(
            base + 4 * layer.z, int64(0), wide, F(1), job.identity, int64(0), rows, wide, base + 4 * layer.weight_transposed,
            layer.width, job.constants, base + 4 * layer.dsteps, SET, job.scratch, job.thread, job.threads,
        )  # fmt: skip
    elif operation == SEQUENCE_X:  # back to picture by picture
        for n in range(low, high):
            for t in range(layer.steps):
                here = floats_at(base + 4 * (layer.dsteps + (t * m + n) * layer.width), layer.width)
                there = floats_at(base + 4 * (layer.dx + (n * layer.steps + t) * layer.width), layer.width)
                for k in range(layer.width):
                    there[k] = here[k]
    elif operation == SEQUENCE_WEIGHT:
        multiply_columns(
            address, is_bytes, layer.width, scale, order, int64(0), rows, layer.width, base + 4 * layer.z, wide,
            job.constants, into + 4 * layer.weight, mode, factor, job.scratch, job.thread, job.threads,
        )  # fmt: skip
    elif operation == SEQUENCE_RECURRENT_WEIGHT:
        dproduct = layer.dproduct if layer.kind == GRU else layer.z
        multiply_columns(
            base + 4 * layer.states, int64(0), layer.units, F(1), job.identity, int64(0), rows, layer.units,
            base + 4 * dproduct, wide, job.constants, into + 4 * layer.recurrent, mode, factor, job.scratch, job.thread,
            job.threads,
        )  # fmt: skip
    elif operation == SEQUENCE_BIAS:
        _bias_sums(job, layer.bias, layer.z, wide, wide, rows, rate, fused)
        if layer.kind == GRU:
            last = layer.dproduct + 2 * layer.units
            _bias_sums(job, layer.inner_bias, last, wide, layer.units, rows, rate, fused)
