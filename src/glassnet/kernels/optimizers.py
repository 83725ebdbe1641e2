"""Optimizer steps: of a stretch of the flat parameter vector in one pass, and of all parameters, shared by the threads."""

from __future__ import annotations

import math

import numpy as np
from numba import float32, float64, int64, void

from glassnet.kernels.barrier import meet
from glassnet.kernels.codegen.addresses import doubles_at, floats_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.opcodes import OPTIONS, RMSPROP, SGD
from glassnet.kernels.sizes import UPDATE_BLOCK

F = np.float32


@compiled
def penalise(w, g, l1, l2):
    """g += l2·w + l1·sign(w)"""
    for i in range(w.size):
        g[i] += l2 * w[i] + l1 * np.sign(w[i])


@outlined(void(*[int64] * 6, float32, float32, float64, int64, int64))
def update(kind, size, w_at, g_at, first_at, second_at, rate, scale, decay, options_at, step):
    """One step of `kind` over w; g is multiplied by `scale` (clipping) first. The equations: nn/optimizers.py."""
    w, g, options = floats_at(w_at, size), floats_at(g_at, size), doubles_at(options_at, OPTIONS)
    first, second = floats_at(first_at, size), floats_at(second_at, size)
    if kind == SGD:
        momentum, nesterov = F(options[0]), options[1] != 0
        if momentum == 0:
            for i in range(w.size):
                w[i] -= rate * (scale * g[i])
        elif nesterov:
            for i in range(w.size):
                d = scale * g[i]
                first[i] = momentum * first[i] + d
                w[i] -= rate * (d + momentum * first[i])
        else:
            for i in range(w.size):
                first[i] = momentum * first[i] + scale * g[i]
                w[i] -= rate * first[i]
    elif kind == RMSPROP:
        rho, share, epsilon = F(options[2]), F(1.0 - options[2]), F(options[4])
        for i in range(w.size):
            d = scale * g[i]
            first[i] = rho * first[i] + share * d * d
            w[i] -= rate * d / (np.sqrt(first[i]) + epsilon)
    else:
        beta1, beta2, epsilon, keep = F(options[2]), F(options[3]), F(options[4]), F(1.0 - rate * decay)
        share1, share2 = F(1.0 - options[2]), F(1.0 - options[3])  # in float32, 1 − 0.999 would be off by 1.3e-5
        correct = F(1.0 / math.sqrt(1.0 - options[3] ** step))
        step_rate = F(rate / (1.0 - options[2] ** step))
        for i in range(w.size):
            d = scale * g[i]
            first[i] = beta1 * first[i] + share1 * d
            second[i] = beta2 * second[i] + share2 * d * d
            w[i] = keep * w[i] - step_rate * first[i] / (np.sqrt(second[i]) * correct + epsilon)


@compiled
def average(e, w, averaging, step):
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
def update_parameters(job, rate, step):
    """Penalties, clipping and the optimizer's step; the threads take the blocks of all segments in turn."""
    segments = doubles_at(job.segments, 5 * job.segment_count)
    blocks, scale = 0, F(1)
    for s in range(job.segment_count):
        offset, size, l1, l2 = int(segments[5 * s]), int(segments[5 * s + 1]), segments[5 * s + 2], segments[5 * s + 3]
        for low in range(0, size, UPDATE_BLOCK):
            if blocks % job.threads == job.thread:
                at, count = 4 * (offset + low), min(size - low, UPDATE_BLOCK)
                g = floats_at(job.gradient + at, count)
                if l1 != 0 or l2 != 0:
                    penalise(floats_at(job.parameters + at, count), g, F(l1), F(l2))
                if job.clip > 0:
                    doubles_at(job.sums, blocks + 1)[blocks] = square_sum(g)
            blocks += 1
    if job.clip > 0:
        meet(job.signals, job.threads)
        total, sums = 0.0, doubles_at(job.sums, blocks)
        for b in range(blocks):
            total += sums[b]
        if total > job.clip * job.clip:
            scale = F(job.clip / np.sqrt(total))
    blocks = 0
    for s in range(job.segment_count):
        offset, size, decay = int(segments[5 * s]), int(segments[5 * s + 1]), segments[5 * s + 4]
        for low in range(0, size, UPDATE_BLOCK):
            if blocks % job.threads == job.thread:
                at, count = 4 * (offset + low), min(size - low, UPDATE_BLOCK)
                update(
                    job.optimizer, count, job.parameters + at, job.gradient + at, job.first_moment + at,
                    job.second_moment + at, F(rate), scale, decay, job.options, step,
                )  # fmt: skip
            blocks += 1


@compiled
def average_parameters(job, step):
    """The moving average after a step; the threads take the blocks of the whole vector in turn."""
    for block in range(job.thread, (job.averaged + UPDATE_BLOCK - 1) // UPDATE_BLOCK, job.threads):
        low = block * UPDATE_BLOCK
        at, count = 4 * low, min(job.averaged - low, UPDATE_BLOCK)
        average(floats_at(job.average + at, count), floats_at(job.parameters + at, count), job.averaging, step)


@compiled
def is_plain_sgd(job):
    """Whether a step is w ← w − η·g and nothing more, so that gradients need not be kept apart."""
    if job.optimizer != SGD or doubles_at(job.options, OPTIONS)[0] != 0 or job.clip > 0 or job.keep_gradient:
        return False
    segments = doubles_at(job.segments, 5 * job.segment_count)
    penalties = 0.0
    for s in range(job.segment_count):
        penalties += segments[5 * s + 2] + segments[5 * s + 3]
    return penalties == 0
