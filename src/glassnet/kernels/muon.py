"""Muon's steps of matrices: momentum, then Newton and Schulz's iteration, whose products the threads share.

A weight (…, outputs) is a matrix (rows, outputs). X is the matrix of the step, or its transpose where that has fewer columns.
The equations: nn/muon.py. All sums have one order, whatever the number of threads.
"""

from __future__ import annotations

import numpy as np
from numba import float32, int64, void

from glassnet.kernels.barrier import barrier_wait
from glassnet.kernels.codegen.addresses import doubles_at, floats_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.matmul.gemm import multiply_columns, multiply_rows
from glassnet.kernels.matmul.tile import SET
from glassnet.kernels.operands import context_at, share_of
from glassnet.kernels.optimizers import options_of, param_groups, square_sum
from glassnet.kernels.sizes import MUON_A, MUON_B, MUON_C, MUON_EPSILON, UPDATE_BLOCK, muon_layout

F = np.float32
_A, _B, _C = F(MUON_A), F(MUON_B), F(MUON_C)
_layout = compiled(muon_layout)


@compiled
def _total(sums_at, blocks):
    """The sum of the blocks' squares, in their order."""
    sums, total = doubles_at(sums_at, blocks), 0.0
    for b in range(blocks):
        total += sums[b]
    return total


@compiled
def _place(i, rows, columns):
    """Where number i of the weight lies in X."""
    return i if rows >= columns else i % columns * rows + i // columns


@compiled
def _begin(ctx, group, scale, x_at, sums_at, blocks):
    """m ← μ·m + g and X = g + μ·m, or m without Nesterov's look ahead; squares of X and of the weight, block by block."""
    options = options_of(ctx)
    momentum, size = F(options.muon_momentum), group.size
    of_x, of_w, x = doubles_at(sums_at, blocks), doubles_at(sums_at + 8 * blocks, blocks), floats_at(x_at, size)
    first, last = share_of(ctx, blocks)
    for block in range(first, last):
        low = UPDATE_BLOCK * block
        at, count, total = 4 * (group.offset + low), min(size - low, UPDATE_BLOCK), 0.0
        w, g, m = floats_at(ctx.parameters + at, count), floats_at(ctx.gradient + at, count), floats_at(ctx.m + at, count)
        for i in range(count):
            d = scale * g[i]
            m[i] = momentum * m[i] + d
            step = d + momentum * m[i] if options.nesterov else m[i]
            x[_place(low + i, group.rows, group.columns)] = step
            total += np.float64(step) * np.float64(step)
        of_x[block], of_w[block] = total, square_sum(w)


@compiled
def _iterate(ctx, x_at, y_at, a_at, b_at, tall, wide):
    """Y = X·(a + b·A + c·A²) with A = Xᵀ·X."""
    thread, threads, zero = ctx.thread, ctx.threads, int64(0)
    multiply_columns(
        x_at, zero, wide, F(1), ctx.identity, zero, tall, wide, x_at, wide, ctx.constants, a_at, int64(1), SET, F(1),
        ctx.scratch, thread, threads,
    )  # fmt: skip
    barrier_wait(ctx.signals, threads)
    multiply_rows(
        a_at, zero, wide, _C, ctx.identity, zero, wide, wide, zero, a_at, zero, wide, ctx.constants, b_at, SET, ctx.scratch,
        thread, threads,
    )  # fmt: skip
    barrier_wait(ctx.signals, threads)
    low, high = share_of(ctx, wide)
    for i in range(low, high):
        a, b = floats_at(a_at + 4 * i * wide, wide), floats_at(b_at + 4 * i * wide, wide)
        for j in range(wide):
            b[j] += _B * a[j]
        b[i] += _A
    barrier_wait(ctx.signals, threads)
    multiply_rows(
        x_at, zero, wide, F(1), ctx.identity, zero, tall, wide, zero, b_at, zero, wide, ctx.constants, y_at, SET, ctx.scratch,
        thread, threads,
    )  # fmt: skip
    barrier_wait(ctx.signals, threads)


@compiled
def _step(ctx, group, scale):
    options = options_of(ctx)
    rows, columns, size = group.rows, group.columns, group.size
    tall, wide, blocks = max(rows, columns), min(rows, columns), (size + UPDATE_BLOCK - 1) // UPDATE_BLOCK
    x_at, y_at, a_at, b_at, _ = _layout(rows, columns)
    x_at, y_at, a_at, b_at = ctx.room + 4 * x_at, ctx.room + 4 * y_at, ctx.room + 4 * a_at, ctx.room + 4 * b_at
    _begin(ctx, group, scale, x_at, ctx.room, blocks)
    barrier_wait(ctx.signals, ctx.threads)
    of_x = F(1.0 / (np.sqrt(_total(ctx.room, blocks)) + MUON_EPSILON))
    length = np.sqrt(_total(ctx.room + 8 * blocks, blocks))
    low, high = share_of(ctx, size)
    x = floats_at(x_at + 4 * low, high - low)
    for i in range(high - low):
        x[i] *= of_x
    barrier_wait(ctx.signals, ctx.threads)
    for _ in range(options.iterations):
        _iterate(ctx, x_at, y_at, a_at, b_at, tall, wide)
        x_at, y_at = y_at, x_at
    rate, keep = F(ctx.rate * group.factor), F(1.0 - ctx.rate * group.factor * group.decay)
    if options.normalize and length > 0:
        keep *= F(np.sqrt(columns) / length)
    x, w = floats_at(x_at, size), floats_at(ctx.parameters + 4 * group.offset, size)
    for i in range(low, high):
        w[i] = keep * w[i] - rate * x[_place(i, rows, columns)]
    barrier_wait(ctx.signals, ctx.threads)


@outlined(void(int64, float32))
def muon(ctx_at, scale):
    """The steps of all matrices; gradients are multiplied by `scale` (clipping) first."""
    ctx = context_at(ctx_at)
    for group in param_groups(ctx):
        if group.rows > 0 and group.factor != 0:
            _step(ctx, group, scale)
