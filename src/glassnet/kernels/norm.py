"""Batch normalisation, with statistics of images that are joined over the mini-batch, and layer normalisation.

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
SUMS = 16  # sums of a row that are taken side by side
BLOCK = 1024  # columns whose sums stay in the cache
_statistics_at, _running_at = record_at(records.BatchNormStatistics), record_at(records.BatchNormRunning)
_gradients_at, _images_at = record_at(records.BatchNormGradients), record_at(records.ImageStatistics)
_layer_at, _layer_backward_at = record_at(records.LayerNorm), record_at(records.LayerNormBackward)


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


@compiled
def _joined(lanes):
    total = 0.0
    for lane in range(SUMS):
        total += lanes[lane]
        lanes[lane] = 0.0
    return total


@compiled
def _mean(x, lanes):
    """Sums of a row's numbers are taken SUMS at a time: one chain of additions would wait for each."""
    whole = x.size // SUMS * SUMS
    for k in range(0, whole, SUMS):
        for lane in range(SUMS):
            lanes[lane] += x[k + lane]
    for k in range(whole, x.size):
        lanes[k - whole] += x[k]
    return _joined(lanes) / x.size


@compiled
def _mean_square(x, mean, lanes):
    whole = x.size // SUMS * SUMS
    for k in range(0, whole, SUMS):
        for lane in range(SUMS):
            away = x[k + lane] - mean
            lanes[lane] += away * away
    for k in range(whole, x.size):
        away = x[k] - mean
        lanes[k - whole] += away * away
    return _joined(lanes) / x.size


@compiled
def _mean_products(gamma, dy, normal, lanes, others):
    """The means of γ·dy and of γ·dy·x̂."""
    whole = dy.size // SUMS * SUMS
    for k in range(0, whole, SUMS):
        for lane in range(SUMS):
            scaled = np.float64(gamma[k + lane]) * dy[k + lane]
            lanes[lane] += scaled
            others[lane] += scaled * normal[k + lane]
    for k in range(whole, dy.size):
        scaled = np.float64(gamma[k]) * dy[k]
        lanes[k - whole] += scaled
        others[k - whole] += scaled * normal[k]
    return _joined(lanes) / dy.size, _joined(others) / dy.size


@compiled
def _zero_lanes(at):
    lanes = doubles_at(at, SUMS)
    for lane in range(SUMS):
        lanes[lane] = 0.0
    return lanes


@compiled
def layer_norm(ctx, at):
    """x̂ and 1/√(variance + ε) of each row, and y = γ·x̂ + β.

    Differences are float64 in both directions: in a constant row 1/√ε would amplify float32 rounding errors.
    """
    op, base = _layer_at(at), ctx.workspace
    width = op.width
    gamma, beta = floats_at(ctx.parameters + 4 * op.gamma, width), floats_at(ctx.parameters + 4 * op.beta, width)
    inverse, lanes = floats_at(base + 4 * op.inverse, ctx.high * op.rows), _zero_lanes(ctx.scratch)
    for r in range(ctx.low * op.rows, ctx.high * op.rows):
        x, normal = floats_at(base + 4 * (op.x + r * width), width), floats_at(base + 4 * (op.normal + r * width), width)
        y, mean = floats_at(base + 4 * (op.y + r * width), width), _mean(x, lanes)
        inverse[r] = F(1.0 / np.sqrt(_mean_square(x, mean, lanes) + op.epsilon))
        for k in range(width):
            normal[k] = F((x[k] - mean) * inverse[r])
            y[k] = gamma[k] * normal[k] + beta[k]


@compiled
def layer_norm_dx(ctx, at):
    """dx = r·(γ·dy − mean(γ·dy) − x̂·mean(γ·dy·x̂))"""
    op, base = _layer_backward_at(at), ctx.workspace
    width = op.width
    gamma, inverse = floats_at(ctx.parameters + 4 * op.gamma, width), floats_at(base + 4 * op.inverse, ctx.high * op.rows)
    lanes, others = _zero_lanes(ctx.scratch), _zero_lanes(ctx.scratch + 8 * SUMS)
    for r in range(ctx.low * op.rows, ctx.high * op.rows):
        dy, normal = floats_at(base + 4 * (op.dy + r * width), width), floats_at(base + 4 * (op.normal + r * width), width)
        dx = floats_at(base + 4 * (op.dx + r * width), width)
        first, second = _mean_products(gamma, dy, normal, lanes, others)
        for k in range(width):
            dx[k] = F(inverse[r] * (np.float64(gamma[k]) * dy[k] - first - normal[k] * second))


@compiled
def layer_norm_gradients(ctx, at):
    """dγ = Σ dy·x̂ and dβ = Σ dy of this thread's columns."""
    op, base = _layer_backward_at(at), ctx.workspace
    low, high = share_of(ctx, op.width)
    for first in range(low, high, BLOCK):
        count = min(BLOCK, high - first)
        along, plain = doubles_at(ctx.scratch, count), doubles_at(ctx.scratch + 8 * count, count)
        for k in range(count):
            along[k] = plain[k] = 0.0
        for r in range(ctx.images_in_batch * op.rows):
            dy = floats_at(base + 4 * (op.dy + r * op.width + first), count)
            normal = floats_at(base + 4 * (op.normal + r * op.width + first), count)
            for k in range(count):
                along[k] += dy[k] * normal[k]
                plain[k] += dy[k]
        for k in range(count):
            put_gradient_value(ctx, op.gamma + first + k, F(along[k]))
            put_gradient_value(ctx, op.beta + first + k, F(plain[k]))
