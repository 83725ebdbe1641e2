"""Costs of one image and their gradients, fused with the output's sigmoid or softmax so that nothing overflows."""

from __future__ import annotations

import math

import numpy as np

from glassnet.kernels.activations import sigmoid, softmax_row
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.opcodes import BINARY_CROSS_ENTROPY, QUADRATIC

F = np.float32


@compiled
def cost_row(kind, z, target, delta, weight):
    """The cost of one image from raw outputs z; delta = weight · ∂cost/∂z."""
    cost = 0.0
    if kind == QUADRATIC:  # ½‖z − t‖²
        for j in range(z.size):
            error = z[j] - target[j]
            cost += error * error
            delta[j] = weight * error
        return 0.5 * cost
    if kind == BINARY_CROSS_ENTROPY:  # Σ softplus(z) − t·z
        for j in range(z.size):
            cost += max(z[j], 0.0) + math.log1p(math.exp(-abs(z[j]))) - target[j] * z[j]
            least = sigmoid(-abs(z[j]))  # of σ(z) and 1 − σ(z): where it is small, σ(z) − 1 would keep few of its digits
            delta[j] = weight * (F(1) - target[j] - least if z[j] > 0 else least - target[j])
        return cost
    highest, log_total = softmax_row(z, delta)  # Σ t·(log Σ eᶻ − z), from z − max z so that large z lose no digits
    for j in range(z.size):
        if target[j] != 0:
            cost += target[j] * (log_total - (np.float64(z[j]) - highest))
        delta[j] = weight * (delta[j] - target[j])
    return cost


@compiled
def aim(target, label, smoothing):
    """The target row of a class: one-hot, smoothed; for one single output the label itself."""
    if target.size == 1:
        target[0] = F(label * (1.0 - smoothing) + smoothing / 2.0)
        return
    for j in range(target.size):
        target[j] = F(smoothing / target.size)
    target[label] += F(1.0 - smoothing)


@compiled
def decide(z, threshold):
    """The class of one image: the first largest output, or for a single output whether it lies above the threshold."""
    if z.size == 1:
        return int(z[0] > threshold)
    best = 0
    for j in range(1, z.size):
        if z[j] > z[best]:
            best = j
    return best
