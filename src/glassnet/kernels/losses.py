"""Losses of one image and their gradients, fused with the output's sigmoid or softmax so that nothing overflows."""

from __future__ import annotations

import math

import numpy as np
from numba import int64, void

from glassnet.kernels import kinds, records
from glassnet.kernels.activations import exponentials, log, normalize, sigmoid, subtract_highest
from glassnet.kernels.codegen.addresses import copy, doubles_at, integers_at, record_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.label_losses import MOST_CLASSES, label_losses
from glassnet.kernels.operands import context_at, rows_of
from glassnet.kernels.sizes import LANES

F = np.float32
_loss_at, _output_at = record_at(records.Loss), record_at(records.Output)


@compiled
def _loss_row(kind, z, highest, target, dz, weight):
    """The loss of one image from raw outputs z; dz = weight · ∂loss/∂z. NaN for a loss that is not known.

    For softmax and cross-entropy, dz holds the exponentials of z − highest before.
    """
    loss = 0.0
    if kind == kinds.QUADRATIC:  # ½‖z − t‖²
        for j in range(z.size):
            error = z[j] - target[j]
            loss += error * error
            dz[j] = weight * error
        return 0.5 * loss
    if kind == kinds.BINARY_CROSS_ENTROPY:  # Σ softplus(z) − t·z
        for j in range(z.size):
            loss += max(z[j], 0.0) + math.log1p(math.exp(-abs(z[j]))) - target[j] * z[j]
            least = sigmoid(-abs(z[j]))  # of σ(z) and 1 − σ(z): where it is small, σ(z) − 1 would keep few of its digits
            dz[j] = weight * (F(1) - target[j] - least if z[j] > 0 else least - target[j])
        return loss
    if kind == kinds.SOFTMAX_CROSS_ENTROPY:  # Σ t·(ln Σ eᶻ − z), from z − max z so that large z lose no digits
        log_total = log(normalize(dz))
        for j in range(z.size):
            if target[j] != 0:
                loss += target[j] * (log_total - (np.float64(z[j]) - highest))
            dz[j] = weight * (dz[j] - target[j])
        return loss
    return np.nan


@compiled
def _set_target(target, label, smoothing):
    """The target row of a class: one-hot, smoothed; for a single output the label itself."""
    if target.size == 1:
        target[0] = F(label * (1.0 - smoothing) + smoothing / 2.0)
        return
    for j in range(target.size):
        target[j] = F(smoothing / target.size)
    target[label] += F(1.0 - smoothing)


@compiled
def _best(z):
    """The place of the first largest output."""
    best, highest = 0, z[0]
    for j in range(1, z.size):
        best, highest = (j, z[j]) if z[j] > highest else (best, highest)
    return best


@compiled
def _decide(z, best, threshold):
    """The class of one image: that of the first largest output, or of a single output whether it lies above the threshold."""
    return best if z.size > 1 else int(z[0] > threshold)


@outlined(void(*[int64] * 2))
def losses(ctx_at, at):
    """Loss, class and dz of this thread's images."""
    ctx, op = context_at(ctx_at), _loss_at(at)
    n, width = ctx.images_in_order, op.outputs
    order, found, classes = integers_at(ctx.order, n), doubles_at(ctx.losses, n), integers_at(ctx.classes, n)
    softmax = op.kind == kinds.SOFTMAX_CROSS_ENTROPY
    if softmax and not ctx.targets and op.smoothing == 0 and 1 < width <= MOST_CLASSES:
        for r in range(ctx.low, ctx.high, LANES):
            label_losses(ctx, op, r, min(LANES, ctx.high - r))
        return
    for r in range(ctx.low, ctx.high):
        z = rows_of(ctx, op.z, width, r, r + 1)
        best = _best(z)
        classes[ctx.first + r] = _decide(z, best, op.threshold)
        if softmax:
            subtract_highest(z, rows_of(ctx, op.dz, width, r, r + 1), z[best])
    if softmax:
        exponentials(rows_of(ctx, op.dz, width, ctx.low, ctx.high))
    for r in range(ctx.low, ctx.high):
        image = order[ctx.first + r]
        weight = doubles_at(ctx.weights + 8 * image, 1)[0] if ctx.weights else 1.0
        factor = F(weight / ctx.images_in_batch)
        z, dz = rows_of(ctx, op.z, width, r, r + 1), rows_of(ctx, op.dz, width, r, r + 1)
        highest = z[classes[ctx.first + r] if width > 1 else 0]
        target = rows_of(ctx, op.targets, width, r, r + 1)
        if ctx.targets:
            copy(ctx.targets + 4 * image * width, ctx.workspace + 4 * (op.targets + r * width), width)
        else:
            _set_target(target, integers_at(ctx.labels + 8 * image, 1)[0], op.smoothing)
        loss = _loss_row(op.kind, z, highest, target, dz, factor)
        found[ctx.first + r] = weight * loss


@compiled
def output(ctx, at):
    """Class of this thread's images, and their outputs where there is an array for them."""
    op = _output_at(at)
    classes, width = integers_at(ctx.classes, ctx.images_in_order), op.outputs
    for r in range(ctx.low, ctx.high):
        z = rows_of(ctx, op.z, width, r, r + 1)
        classes[ctx.first + r] = _decide(z, _best(z), op.threshold)
        if ctx.outputs:
            copy(ctx.workspace + 4 * (op.z + r * width), ctx.outputs + 4 * (ctx.first + r) * width, width)
