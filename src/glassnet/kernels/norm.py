"""Batch normalisation, with statistics of images that are joined over the mini-batch.

    ŷ = (y − mean) / √(variance + ε),   out = γ·ŷ + β = (y − mean)·gain + shift
    dγ = Σ g·ŷ,   dβ = Σ g,   dy = gain·(g − dβ/n − ŷ·dγ/n) = a·(g − ḡ) + b·(y − mean) + c      n: pixels of the mini-batch
    by running statistics: dy = gain·g

Differences are taken before products: in a constant channel 1/√(variance + ε) may exceed 300, and would amplify the rounding
errors of products that should cancel. `mean` and `ḡ` are float32; their rounding errors go into shift and c.

Each image's mean, and the sums of deviations and of their squares about it, are found while it is in the cache (the
corrected two-pass algorithm), then joined without cancellation (Chan, Golub, LeVeque, "Algorithms for computing the sample
variance", 1983).
"""

from __future__ import annotations

import numpy as np

from glassnet.kernels import records
from glassnet.kernels.codegen.addresses import clear, doubles_at, floats_at, record_at
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.conv.channels import channel_sum, deviations
from glassnet.kernels.operands import share_of
from glassnet.kernels.reduce import add_to_tree, put_gradient_value, tree_sum

F = np.float32
NODES = 64  # of a tree over images
_statistics_at, _running_at = record_at(records.BatchNormStatistics), record_at(records.BatchNormRunning)
_gradients_at, _images_at = record_at(records.BatchNormGradients), record_at(records.ImageStatistics)


@compiled
def statistics_of(y_at, pixels, channels, found_at):
    """The mean of each channel of one image, rounded, and the sums of deviations and of their squares about it."""
    mean = floats_at(found_at, channels)
    clear(found_at, 3 * channels)
    channel_sum(pixels, channels, channels, y_at, found_at)
    for f in range(channels):
        mean[f] *= F(1.0 / pixels)
    deviations(pixels, channels, y_at, found_at, found_at + 4 * channels, found_at + 8 * channels)


@compiled
def image_statistics(ctx, at):
    op = _images_at(at)
    for image in range(ctx.low, ctx.high):
        y = ctx.workspace + 4 * (op.y + image * op.pixels * op.channels)
        statistics_of(y, op.pixels, op.channels, ctx.workspace + 4 * (op.statistics + image * 3 * op.channels))


@compiled
def _channels_at(base, place, count):
    return floats_at(base + 4 * place, count)


@compiled
def batch_norm_statistics(ctx, at):
    """Mean, 1/√(variance + ε), gain and shift of this thread's channels, and their running statistics."""
    op, images, base, state = _statistics_at(at), ctx.images_in_batch, ctx.workspace, ctx.parameters
    channels, pixels = op.channels, op.pixels
    found = floats_at(base + 4 * op.statistics, images * 3 * channels)
    mean, inverse = _channels_at(base, op.mean, channels), _channels_at(base, op.inverse, channels)
    error = _channels_at(base, op.mean_error, channels)
    gain, shift = _channels_at(base, op.gain, channels), _channels_at(base, op.shift, channels)
    gamma, beta = _channels_at(state, op.gamma, channels), _channels_at(state, op.beta, channels)
    running_mean = _channels_at(state, op.running_mean, channels)
    running_variance = _channels_at(state, op.running_variance, channels)
    low, high = share_of(ctx, channels)
    nodes = doubles_at(ctx.scratch, NODES)
    for f in range(low, high):
        for p in range(images):
            beyond = np.float64(found[(p * 3 + 1) * channels + f])
            add_to_tree(nodes, p, found[p * 3 * channels + f] + beyond / pixels)
        middle = tree_sum(nodes, images) / images
        for p in range(images):
            beyond = np.float64(found[(p * 3 + 1) * channels + f])
            away = found[p * 3 * channels + f] + beyond / pixels - middle
            squares = found[(p * 3 + 2) * channels + f] - beyond * beyond / pixels + pixels * away * away
            add_to_tree(nodes, p, squares)
        variance = max(tree_sum(nodes, images), 0.0) / (images * pixels)
        mean[f], inverse[f] = F(middle), F(1.0 / np.sqrt(variance + op.epsilon))
        error[f] = F(middle - mean[f])
        gain[f] = gamma[f] * inverse[f]
        shift[f] = beta[f] - error[f] * gain[f]
        running_mean[f] = F(op.momentum * running_mean[f] + (1.0 - op.momentum) * middle)
        running_variance[f] = F(op.momentum * running_variance[f] + (1.0 - op.momentum) * variance)


@compiled
def batch_norm_running(ctx, at):
    """Mean, 1/√(variance + ε), gain and shift of this thread's channels from the running statistics."""
    op, base, state = _running_at(at), ctx.workspace, ctx.parameters
    mean, inverse = _channels_at(base, op.mean, op.channels), _channels_at(base, op.inverse, op.channels)
    error = _channels_at(base, op.mean_error, op.channels)
    gain, shift = _channels_at(base, op.gain, op.channels), _channels_at(base, op.shift, op.channels)
    gamma, beta = _channels_at(state, op.gamma, op.channels), _channels_at(state, op.beta, op.channels)
    running_mean = _channels_at(state, op.running_mean, op.channels)
    variance = _channels_at(state, op.running_variance, op.channels)
    low, high = share_of(ctx, op.channels)
    for f in range(low, high):
        gain[f] = F(gamma[f] / np.sqrt(variance[f] + op.epsilon))
        mean[f], shift[f] = running_mean[f], beta[f]
        inverse[f], error[f] = F(1.0 / np.sqrt(variance[f] + op.epsilon)), F(0)


@compiled
def batch_norm_gradients(ctx, at):
    """dγ and dβ of this thread's channels, and the coefficients of dy."""
    op, images, base = _gradients_at(at), ctx.images_in_batch, ctx.workspace
    channels, n = op.channels, images * op.pixels
    sums = floats_at(base + 4 * op.sums, images * 2 * channels)
    mean, inverse = _channels_at(base, op.mean, channels), _channels_at(base, op.inverse, channels)
    error, gain = _channels_at(base, op.mean_error, channels), _channels_at(base, op.gain, channels)
    a, b, c, g_mean, own_mean = (
        _channels_at(base, op.coefficients, channels),
        _channels_at(base, op.coefficients + channels, channels),
        _channels_at(base, op.coefficients + 2 * channels, channels),
        _channels_at(base, op.coefficients + 3 * channels, channels),
        _channels_at(base, op.coefficients + 4 * channels, channels),
    )
    low, high = share_of(ctx, channels)
    of_g, of_product = doubles_at(ctx.scratch, NODES), doubles_at(ctx.scratch + 8 * NODES, NODES)
    for f in range(low, high):
        for p in range(images):
            add_to_tree(of_g, p, np.float64(sums[p * 2 * channels + f]))
            add_to_tree(of_product, p, np.float64(sums[(p * 2 + 1) * channels + f]))
        plain, scaled = tree_sum(of_g, images), tree_sum(of_product, images)
        scaled -= plain * error[f] * inverse[f]
        a[f], b[f], c[f], g_mean[f], own_mean[f] = gain[f], F(0), F(0), F(0), mean[f]
        if not op.running:
            b[f], g_mean[f] = F(-gain[f] * inverse[f] * (scaled / n)), F(0) if op.pooled else F(plain / n)
            c[f] = F(-gain[f] * (plain / n - g_mean[f]) - b[f] * error[f])
        put_gradient_value(ctx, op.gamma + f, F(scaled))
        put_gradient_value(ctx, op.beta + f, F(plain))
