"""Partial sums over the mini-batch joined as a fixed pairwise tree, and where gradients go.

Partial sums p₀ … pₙ₋₁ belong to places of the mini-batch in their order. With 2ᵏ the largest power of two below n,

    tree(p₀ … pₙ₋₁) = tree(p₀ … p₂ᵏ₋₁) + tree(p₂ᵏ … pₙ₋₁),     such as  ((p₀ + p₁) + (p₂ + p₃)) + (p₄ + p₅)  for n = 6

The order does not depend on the threads, and each sum of 2ʲ parts that begins at a multiple of 2ʲ is a node of every tree it
lies in: whoever holds just these parts can compute it. The sum is taken in place by strides of 1, 2, 4 …, or part by part
with one open node for each power of two.

A gradient goes into the gradient vector or, in plain SGD, straight into the parameters, as the step −rate · gradient.
"""

from __future__ import annotations

import numpy as np

from glassnet.kernels.codegen.addresses import floats_at
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.operands import partition_at, rank_cut, share_of


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
def add_part(at, apart, part, stride, low, high):
    """A node of the tree: the numbers low … high of a part += those of the part `stride` behind it."""
    left = floats_at(at + 4 * (part * apart + low), high - low)
    right = floats_at(at + 4 * ((part + stride) * apart + low), high - low)
    for i in range(high - low):
        left[i] += right[i]


@compiled
def rank_of_node(ctx, first, end, parts):
    """The rank that has all of the parts first … end of the mini-batch, and has joined them; −1: no rank has."""
    if ctx.ranks > 1:
        for rank in range(ctx.ranks):
            if partition_at(ctx, parts, rank_cut(ctx, rank)) <= first and end <= partition_at(
                ctx, parts, rank_cut(ctx, rank + 1)
            ):
                return rank
    return -1


@compiled
def sum_parts(ctx, at, apart, parts, low, high):
    """The tree over the numbers low … high of each part, `apart` floats from one to the next: in place of the first."""
    stride = 1
    while stride < parts:
        for part in range(0, parts - stride, 2 * stride):
            if rank_of_node(ctx, part, min(part + 2 * stride, parts), parts) < 0:
                add_part(at, apart, part, stride, low, high)
        stride *= 2
    return floats_at(at + 4 * low, high - low)


@compiled
def add_to_tree(nodes, count, value):
    """The value after the first `count` of a tree; nodes[j] is the open sum of 2ʲ values."""
    level = 0
    while count & 1:
        value = nodes[level] + value
        count >>= 1
        level += 1
    nodes[level] = value


@compiled
def tree_sum(nodes, count):
    """The sum of a tree of `count` values, at least one."""
    level = 0
    while not count & 1:
        count >>= 1
        level += 1
    total = nodes[level]
    while count > 1:
        count >>= 1
        level += 1
        if count & 1:
            total = nodes[level] + total
    return total


@compiled
def join_gradient(ctx, partial, apart, parts, place, count):
    """The gradient of `count` parameters from its partial sums: this thread's share of them."""
    low, high = share_of(ctx, count)
    put_gradient(ctx, place + low, sum_parts(ctx, partial, apart, parts, low, high))
