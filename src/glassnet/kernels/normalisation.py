"""Batch normalisation: statistics of pictures, combined over the mini-batch in one order whatever the threads.

    ŷ = (y − mean) / √(variance + ε),   out = γ·ŷ + β = y·gain + shift
    dγ = Σ g·ŷ,   dβ = Σ g,   dy = gain·(g − dβ/n − ŷ·dγ/n) = a·g + b·y + c          n: pixels of the mini-batch

Each picture's mean and sum of squares about it are found while it is in the cache, then joined pairwise without cancellation
(Chan, Golub, LeVeque, "Algorithms for computing the sample variance", 1983).
"""

from __future__ import annotations

import numpy as np

from glassnet.kernels.channels import channel_sum, squares_about
from glassnet.kernels.jit import compiled
from glassnet.kernels.memory import floats_at

F = np.float32
_0 = F(0)


@compiled
def picture_statistics(y_at, pixels, filters, found_at):
    """The mean of each channel of one picture, and the sum of squares about it."""
    mean, squares = floats_at(found_at, filters), floats_at(found_at + 4 * filters, filters)
    for f in range(filters):
        mean[f] = _0
        squares[f] = _0
    channel_sum(pixels, filters, filters, y_at, y_at, y_at, found_at)
    for f in range(filters):
        mean[f] *= F(1.0 / pixels)
    squares_about(pixels, filters, filters, y_at, found_at, y_at, found_at + 4 * filters)


@compiled
def join_statistics(stage, pictures, parameters, workspace, low, high):
    """Mean, 1/√(variance + ε), gain and shift of the channels low … high, and their running statistics."""
    filters = stage.filters
    pixels = stage.out_height * stage.out_width
    found = floats_at(workspace + 4 * stage.statistics, pictures * 2 * filters)
    mean, inverse = floats_at(workspace + 4 * stage.mean, filters), floats_at(workspace + 4 * stage.inverse, filters)
    gain, shift = floats_at(workspace + 4 * stage.gain, filters), floats_at(workspace + 4 * stage.shift, filters)
    gamma, beta = floats_at(parameters + 4 * stage.gamma, filters), floats_at(parameters + 4 * stage.beta, filters)
    running_mean = floats_at(parameters + 4 * stage.running_mean, filters)
    running_variance = floats_at(parameters + 4 * stage.running_variance, filters)
    for f in range(low, high):
        total = 0.0
        for p in range(pictures):
            total += found[p * 2 * filters + f]
        middle, squares = total / pictures, 0.0
        for p in range(pictures):
            away = found[p * 2 * filters + f] - middle
            squares += found[(p * 2 + 1) * filters + f] + pixels * away * away
        variance = squares / (pictures * pixels)
        mean[f], inverse[f] = F(middle), F(1.0 / np.sqrt(variance + stage.epsilon))
        gain[f] = gamma[f] * inverse[f]
        shift[f] = beta[f] - mean[f] * gain[f]
        running_mean[f] = F(stage.momentum * running_mean[f] + (1.0 - stage.momentum) * middle)
        running_variance[f] = F(stage.momentum * running_variance[f] + (1.0 - stage.momentum) * variance)


@compiled
def running_gain(stage, parameters, workspace, low, high):
    """Gain and shift of the channels low … high from the running statistics."""
    filters = stage.filters
    gain, shift = floats_at(workspace + 4 * stage.gain, filters), floats_at(workspace + 4 * stage.shift, filters)
    gamma, beta = floats_at(parameters + 4 * stage.gamma, filters), floats_at(parameters + 4 * stage.beta, filters)
    mean = floats_at(parameters + 4 * stage.running_mean, filters)
    variance = floats_at(parameters + 4 * stage.running_variance, filters)
    for f in range(low, high):
        gain[f] = F(gamma[f] / np.sqrt(variance[f] + stage.epsilon))
        shift[f] = beta[f] - mean[f] * gain[f]


@compiled
def join_gradients(stage, pictures, parameters, gradient, workspace, low, high, rate, fused):
    """dγ and dβ of the channels low … high (`fused`: straight into γ and β, at `rate`), and the coefficients of dy."""
    filters = stage.filters
    n = pictures * stage.out_height * stage.out_width
    sums = floats_at(workspace + 4 * stage.sums, pictures * 2 * filters)
    mean, inverse = floats_at(workspace + 4 * stage.mean, filters), floats_at(workspace + 4 * stage.inverse, filters)
    gain, abc = floats_at(workspace + 4 * stage.gain, filters), floats_at(workspace + 4 * stage.coefficients, 3 * filters)
    into = parameters if fused else gradient
    dgamma, dbeta = floats_at(into + 4 * stage.gamma, filters), floats_at(into + 4 * stage.beta, filters)
    for f in range(low, high):
        plain, scaled = 0.0, 0.0
        for p in range(pictures):
            plain += sums[p * 2 * filters + f]
            scaled += sums[(p * 2 + 1) * filters + f]
        dgamma[f] = dgamma[f] - rate * F(scaled) if fused else F(scaled)
        dbeta[f] = dbeta[f] - rate * F(plain) if fused else F(plain)
        b = -gain[f] * inverse[f] * (scaled / n)
        abc[f], abc[filters + f], abc[2 * filters + f] = gain[f], F(b), F(-gain[f] * (plain / n) - b * mean[f])
