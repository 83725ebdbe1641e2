"""Optimizer steps over a stretch of the flat parameter vector, each in one pass over gradient, state and weights."""

from __future__ import annotations

import math

import numpy as np
from numba import float32, float64, int64, void

from glassnet.kernels.jit import compiled, outlined
from glassnet.kernels.memory import doubles_at, floats_at
from glassnet.kernels.operations import OPTIONS, RMSPROP, SGD

F = np.float32


@compiled
def penalise(w, g, l1, l2):
    """g += l2·w + l1·sign(w)"""
    for i in range(w.size):
        g[i] += l2 * w[i] + l1 * np.sign(w[i])


@outlined(void(*[int64] * 6, float32, float32, float64, int64, int64))
def update(kind, size, w_at, g_at, first_at, second_at, rate, scale, decay, options_at, step):
    """One step of `kind` over w; g is multiplied by `scale` (clipping) first. See glassnet.optimizers for the equations."""
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
