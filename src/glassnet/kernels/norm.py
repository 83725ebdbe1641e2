"""Batch normalisation: statistics of images, combined over the mini-batch in one order whatever the threads.

    ŷ = (y − mean) / √(variance + ε),   out = γ·ŷ + β = (y − mean)·gain + shift
    dγ = Σ g·ŷ,   dβ = Σ g,   dy = gain·(g − dβ/n − ŷ·dγ/n) = a·(g − ḡ) + b·(y − mean) + c      n: pixels of the mini-batch

Differences come first, products then: 1/√(variance + ε) of a channel of one value may be 300 and more, and what rounding
leaves where products should cancel would count as much as a signal. `mean` and `ḡ` are float32; what they lack of the mean
goes into shift and c.

Each image's mean, and the sums of deviations and of their squares about it, are found while it is in the cache (the
corrected two-pass algorithm), then joined without cancellation (Chan, Golub, LeVeque, "Algorithms for computing the sample
variance", 1983).
"""

from __future__ import annotations

import numpy as np

from glassnet.kernels.codegen.addresses import floats_at
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.conv.channels import channel_sum, deviations

F = np.float32
_0 = F(0)


@compiled
def image_statistics(y_at, pixels, filters, found_at):
    """The mean of each channel of one image, rounded, and the sums of deviations and of their squares about it."""
    mean, found = floats_at(found_at, filters), floats_at(found_at, 3 * filters)
    for k in range(3 * filters):
        found[k] = _0
    channel_sum(pixels, filters, filters, y_at, y_at, y_at, found_at)
    for f in range(filters):
        mean[f] *= F(1.0 / pixels)
    deviations(pixels, filters, y_at, found_at, found_at + 4 * filters, found_at + 8 * filters)


@compiled
def join_statistics(stage, images, parameters, workspace, low, high):
    """Mean, 1/√(variance + ε), gain and shift of the channels low … high, and their running statistics."""
    filters = stage.filters
    pixels = stage.out_height * stage.out_width
    found = floats_at(workspace + 4 * stage.statistics, images * 3 * filters)
    mean, inverse = floats_at(workspace + 4 * stage.mean, filters), floats_at(workspace + 4 * stage.inverse, filters)
    rest = floats_at(workspace + 4 * stage.rest, filters)
    gain, shift = floats_at(workspace + 4 * stage.gain, filters), floats_at(workspace + 4 * stage.shift, filters)
    gamma, beta = floats_at(parameters + 4 * stage.gamma, filters), floats_at(parameters + 4 * stage.beta, filters)
    running_mean = floats_at(parameters + 4 * stage.running_mean, filters)
    running_variance = floats_at(parameters + 4 * stage.running_variance, filters)
    for f in range(low, high):
        total = 0.0
        for p in range(images):
            total += found[p * 3 * filters + f] + np.float64(found[(p * 3 + 1) * filters + f]) / pixels
        middle, squares = total / images, 0.0
        for p in range(images):
            beyond = np.float64(found[(p * 3 + 1) * filters + f])
            away = found[p * 3 * filters + f] + beyond / pixels - middle
            squares += found[(p * 3 + 2) * filters + f] - beyond * beyond / pixels + pixels * away * away
        variance = max(squares, 0.0) / (images * pixels)
        mean[f], inverse[f] = F(middle), F(1.0 / np.sqrt(variance + stage.epsilon))
        rest[f] = F(middle - mean[f])
        gain[f] = gamma[f] * inverse[f]
        shift[f] = beta[f] - rest[f] * gain[f]
        running_mean[f] = F(stage.momentum * running_mean[f] + (1.0 - stage.momentum) * middle)
        running_variance[f] = F(stage.momentum * running_variance[f] + (1.0 - stage.momentum) * variance)


@compiled
def running_gain(stage, parameters, workspace, low, high):
    """Mean, gain and shift of the channels low … high from the running statistics."""
    filters = stage.filters
    mean = floats_at(workspace + 4 * stage.mean, filters)
    gain, shift = floats_at(workspace + 4 * stage.gain, filters), floats_at(workspace + 4 * stage.shift, filters)
    gamma, beta = floats_at(parameters + 4 * stage.gamma, filters), floats_at(parameters + 4 * stage.beta, filters)
    running_mean = floats_at(parameters + 4 * stage.running_mean, filters)
    variance = floats_at(parameters + 4 * stage.running_variance, filters)
    for f in range(low, high):
        gain[f] = F(gamma[f] / np.sqrt(variance[f] + stage.epsilon))
        mean[f], shift[f] = running_mean[f], beta[f]


@compiled
def join_gradients(stage, images, parameters, gradient, workspace, low, high, rate, fused):
    """dγ and dβ of the channels low … high (`fused`: straight into γ and β, at `rate`), and the coefficients of dy."""
    filters = stage.filters
    n = images * stage.out_height * stage.out_width
    sums = floats_at(workspace + 4 * stage.sums, images * 2 * filters)
    mean, inverse = floats_at(workspace + 4 * stage.mean, filters), floats_at(workspace + 4 * stage.inverse, filters)
    rest, gain = floats_at(workspace + 4 * stage.rest, filters), floats_at(workspace + 4 * stage.gain, filters)
    found = floats_at(workspace + 4 * stage.coefficients, 5 * filters)
    into = parameters if fused else gradient
    dgamma, dbeta = floats_at(into + 4 * stage.gamma, filters), floats_at(into + 4 * stage.beta, filters)
    for f in range(low, high):
        plain, scaled = 0.0, 0.0
        for p in range(images):
            plain += sums[p * 2 * filters + f]
            scaled += sums[(p * 2 + 1) * filters + f]
        scaled -= plain * rest[f] * inverse[f]
        dgamma[f] = dgamma[f] - rate * F(scaled) if fused else F(scaled)
        dbeta[f] = dbeta[f] - rate * F(plain) if fused else F(plain)
        b, middle = F(-gain[f] * inverse[f] * (scaled / n)), F(0) if stage.pool_height else F(plain / n)
        found[f], found[filters + f], found[2 * filters + f] = gain[f], b, F(-gain[f] * (plain / n - middle) - b * rest[f])
        found[3 * filters + f], found[4 * filters + f] = middle, mean[f]
