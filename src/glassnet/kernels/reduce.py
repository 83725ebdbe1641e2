"""Sums over images are taken in parts, a number that does not depend on the threads, and joined in one order."""

from __future__ import annotations

from glassnet.kernels.codegen.addresses import floats_at
from glassnet.kernels.codegen.jit import compiled


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
def join_parts(at, apart, parts, into, count, thread, threads, rate, fused):
    """A gradient of `count` numbers, or (`fused`) the step −rate · gradient: this thread's share of them."""
    low, high = count * thread // threads, count * (thread + 1) // threads
    total, target = sum_parts(at, apart, parts, low, high), floats_at(into + 4 * low, high - low)
    for i in range(high - low):
        target[i] = target[i] - rate * total[i] if fused else total[i]
