"""Dropout, and the random numbers that it and augmentation draw."""

from __future__ import annotations

import numpy as np

from glassnet.kernels import records
from glassnet.kernels.codegen.addresses import keys_at, record_at
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.operands import rows_of

_WEYL, _MIX1, _MIX2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S40 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(40)
_dropout_at = record_at(records.Dropout)


@compiled
def split_mix(key, number):
    """The (number + 1)-th number of SplitMix64 started at `key`: 64 random bits (see support/random_keys.py)."""
    z = np.uint64(key) + np.uint64(number + 1) * _WEYL
    z = (z ^ (z >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    return z ^ (z >> _S31)


@compiled
def key_of(ctx, column):
    """One of the random keys of the current step."""
    return keys_at(ctx.keys + 8 * (ctx.keys_per_step * ctx.step + column), 1)[0]


@compiled
def dropout(ctx, at):
    """y = x / (1 − rate), or 0 with probability `rate`: element i of the mini-batch depends on SplitMix64(key + i) alone."""
    op = _dropout_at(at)
    x, y = rows_of(ctx, op.x, op.width, ctx.low, ctx.high), rows_of(ctx, op.y, op.width, ctx.low, ctx.high)
    key, first = key_of(ctx, op.key), ctx.low * op.width
    scale, threshold = np.float32(1.0 / (1.0 - op.rate)), np.uint64(op.rate * 16777216.0)
    for i in range(x.size):
        y[i] = x[i] * scale if (split_mix(key, first + i) >> _S40) >= threshold else np.float32(0)
