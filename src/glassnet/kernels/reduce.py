"""Partial sums over the mini-batch joined; gradients go into their vector or, in plain SGD, straight into the parameters."""

from __future__ import annotations

import numpy as np

from glassnet.kernels.codegen.addresses import floats_at
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.operands import share_of


@compiled
def gradient_target(ctx):
    """Where gradients go: the base address, the mode of the tile, and the factor they are multiplied by."""
    if ctx.fused_update:
        return ctx.parameters, ADD, -np.float32(ctx.rate)
    return ctx.gradient, SET, np.float32(1)


@compiled
def put_gradient(ctx, place, gradient):
    """Write the gradient of the parameters from `place` on, or take the step −rate · gradient."""
    base, mode, factor = gradient_target(ctx)
    target = floats_at(base + 4 * place, gradient.size)
    for i in range(gradient.size):
        target[i] = target[i] + factor * gradient[i] if mode == ADD else gradient[i]


@compiled
def put_gradient_value(ctx, place, gradient):
    """The same for one parameter."""
    base, mode, factor = gradient_target(ctx)
    target = floats_at(base + 4 * place, 1)
    target[0] = target[0] + factor * gradient if mode == ADD else gradient


@compiled
def sum_parts(at, apart, parts, low, high):
    """The first part's numbers low … high, to which those of the other parts, each `apart` floats on, have been added."""
    total = floats_at(at + 4 * low, high - low)
    for part in range(1, parts):
        more = floats_at(at + 4 * (part * apart + low), high - low)
        for i in range(high - low):
            total[i] += more[i]
    return total


@compiled
def join_gradient(ctx, partial, apart, parts, place, count):
    """The gradient of `count` parameters from its partial sums: this thread's share of them."""
    low, high = share_of(ctx, count)
    put_gradient(ctx, place + low, sum_parts(partial, apart, parts, low, high))
