"""Where branches join: sums, and concatenated channels."""

from __future__ import annotations

from glassnet.kernels import records
from glassnet.kernels.codegen.addresses import copy, floats_at, record_at
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.operands import numbers_of

_add_at, _copy_at = record_at(records.Add), record_at(records.CopyChannels)


@compiled
def add(ctx, at):
    """y = a + b"""
    op = _add_at(at)
    first, last = numbers_of(ctx, op.width)
    size, base = last - first, ctx.workspace + 4 * first
    a, b, y = floats_at(base + 4 * op.a, size), floats_at(base + 4 * op.b, size), floats_at(base + 4 * op.y, size)
    for i in range(y.size):
        y[i] = a[i] + b[i]


@compiled
def copy_channels(ctx, at):
    """y[…, : channels] = x[…, : channels]"""
    op = _copy_at(at)
    x_at, y_at = ctx.workspace + 4 * op.x, ctx.workspace + 4 * op.y
    for pixel in range(ctx.low * op.pixels, ctx.high * op.pixels):
        copy(x_at + 4 * pixel * op.x_channels, y_at + 4 * pixel * op.y_channels, op.channels)
