"""Optimizer steps: of a stretch of the flat parameter vector in one pass, and of all parameters, shared by the threads."""

from __future__ import annotations

import math

import numpy as np
from numba import carray, float32, float64, from_dtype, int64, void

from glassnet.kernels import kinds
from glassnet.kernels.barrier import barrier_wait
from glassnet.kernels.codegen.addresses import doubles_at, floats_at, make_pointer, record_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.context import OptimizerOptions, ParamGroup
from glassnet.kernels.sizes import UPDATE_BLOCK

F = np.float32
_options_at, _to_group = record_at(OptimizerOptions), make_pointer(from_dtype(ParamGroup.dtype))


@compiled
def param_groups(ctx):
    return carray(_to_group(ctx.param_groups), (ctx.param_group_count,))


@compiled
def options_of(ctx):
    return _options_at(ctx.options_at)


@compiled
def _add_penalty(w, g, l1, l2):
    """g += l2·w + l1·sign(w)"""
    for i in range(w.size):
        g[i] += l2 * w[i] + l1 * np.sign(w[i])


@outlined(void(*[int64] * 6, float32, float32, float64, int64, int64))
def update(kind, size, w_at, g_at, m_at, v_at, rate, scale, decay, options_at, step):
    """One step of `kind` over w; g is multiplied by `scale` (clipping) first. The equations: nn/optimizers.py."""
    w, g, options = floats_at(w_at, size), floats_at(g_at, size), _options_at(options_at)
    m, v = floats_at(m_at, size), floats_at(v_at, size)
    if kind == kinds.SGD:
        momentum, keep = F(options.momentum), F(1.0 - rate * decay)
        if decay != 0:
            for i in range(w.size):
                w[i] *= keep
        if momentum == 0:
            for i in range(w.size):
                w[i] -= rate * (scale * g[i])
        elif options.nesterov:
            for i in range(w.size):
                d = scale * g[i]
                m[i] = momentum * m[i] + d
                w[i] -= rate * (d + momentum * m[i])
        else:
            for i in range(w.size):
                m[i] = momentum * m[i] + scale * g[i]
                w[i] -= rate * m[i]
    elif kind == kinds.RMSPROP:
        rho, share, epsilon = F(options.rho), F(1.0 - options.rho), F(options.epsilon)
        for i in range(w.size):
            d = scale * g[i]
            m[i] = rho * m[i] + share * d * d
            w[i] -= rate * d / (np.sqrt(m[i]) + epsilon)
    elif kind == kinds.ADAM:
        beta1, beta2, epsilon, keep = F(options.beta1), F(options.beta2), F(options.epsilon), F(1.0 - rate * decay)
        share1, share2 = F(1.0 - options.beta1), F(1.0 - options.beta2)  # in float32, 1 − 0.999 would be off by 1.3e-5
        correct = F(1.0 / math.sqrt(1.0 - options.beta2**step))
        step_rate = F(rate / (1.0 - options.beta1**step))
        for i in range(w.size):
            d = scale * g[i]
            m[i] = beta1 * m[i] + share1 * d
            v[i] = beta2 * v[i] + share2 * d * d
            w[i] = keep * w[i] - step_rate * m[i] / (np.sqrt(v[i]) * correct + epsilon)


@compiled
def _average(e, w, averaging, step):
    """e ← β·e + (1−β)·w with β = min(averaging, (1 + step) / (10 + step)): early averages are short. `step` counts from 0."""
    share = F(1.0 - min(averaging, (1.0 + step) / (10.0 + step)))
    for i in range(w.size):
        e[i] += share * (w[i] - e[i])


@compiled
def square_sum(g):
    """Σ g², in float64 and in the order of the array."""
    total = 0.0
    for i in range(g.size):
        total += np.float64(g[i]) * np.float64(g[i])
    return total


@compiled
def update_parameters(ctx, step):
    """Penalties, clipping and the optimizer's step; the threads take the blocks of all groups in turn.

    Returns what gradients are multiplied by. Matrices that Muon makes orthogonal are left to kernels/muon.py.
    """
    blocks, scale = 0, F(1)
    for group in param_groups(ctx):
        for low in range(0, group.size, UPDATE_BLOCK):
            if blocks % ctx.threads == ctx.thread:
                at, count = 4 * (group.offset + low), min(group.size - low, UPDATE_BLOCK)
                g = floats_at(ctx.gradient + at, count)
                if group.l1 != 0 or group.l2 != 0:
                    _add_penalty(floats_at(ctx.parameters + at, count), g, F(group.l1), F(group.l2))
                if ctx.clip_norm > 0:
                    doubles_at(ctx.square_sums, blocks + 1)[blocks] = square_sum(g)
            blocks += 1
    if ctx.clip_norm > 0:
        barrier_wait(ctx.signals, ctx.threads)
        total, sums = 0.0, doubles_at(ctx.square_sums, blocks)
        for b in range(blocks):
            total += sums[b]
        if total > ctx.clip_norm * ctx.clip_norm:
            scale = F(ctx.clip_norm / np.sqrt(total))
    blocks = 0
    for group in param_groups(ctx):
        for low in range(0, group.size, UPDATE_BLOCK):
            if blocks % ctx.threads == ctx.thread and group.rows == 0 and group.factor != 0:
                at, count = 4 * (group.offset + low), min(group.size - low, UPDATE_BLOCK)
                update(
                    ctx.optimizer, count, ctx.parameters + at, ctx.gradient + at, ctx.m + at, ctx.v + at,
                    F(ctx.rate * group.factor), scale, group.decay, ctx.options_at, step,
                )  # fmt: skip
            blocks += 1
    return scale


@compiled
def average_parameters(ctx, step):
    """The moving average after a step; the threads take the blocks of the whole vector in turn."""
    for block in range(ctx.thread, (ctx.averaged + UPDATE_BLOCK - 1) // UPDATE_BLOCK, ctx.threads):
        low = block * UPDATE_BLOCK
        at, count = 4 * low, min(ctx.averaged - low, UPDATE_BLOCK)
        _average(floats_at(ctx.average + at, count), floats_at(ctx.parameters + at, count), ctx.averaging, step)


@compiled
def look_ahead(ctx):
    """φ ← φ + α·(w − φ), then w ← φ, of all parameters; the threads take their blocks in turn."""
    share = F(ctx.lookahead_share)
    for group in param_groups(ctx):
        for low in range(UPDATE_BLOCK * ctx.thread, group.size, UPDATE_BLOCK * ctx.threads):
            at, count = 4 * (group.offset + low), min(group.size - low, UPDATE_BLOCK)
            slow, w = floats_at(ctx.slow + at, count), floats_at(ctx.parameters + at, count)
            for i in range(count):
                slow[i] += share * (w[i] - slow[i])
                w[i] = slow[i]


@compiled
def is_plain_sgd(ctx):
    """Whether a step is w ← w − η·g for all and nothing more, so that gradients need not be kept apart."""
    if ctx.optimizer != kinds.SGD or options_of(ctx).momentum != 0 or ctx.clip_norm > 0 or ctx.keep_gradient:
        return False
    others = 0
    for group in param_groups(ctx):
        others += group.l1 != 0 or group.l2 != 0 or group.decay != 0 or group.factor != 1 or group.rows != 0
    return others == 0
