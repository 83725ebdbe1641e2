"""Where branches join: sums, and concatenated channels."""

from __future__ import annotations

from glassnet.kernels import records
from glassnet.kernels.codegen.addresses import copy, record_at
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.operands import rows_of

_add_at, _copy_at = record_at(records.Add), record_at(records.CopyChannels)


@compiled
def add(ctx, at):
    """y = a + b"""
    op = _add_at(at)
    a, b = rows_of(ctx, op.a, op.width, ctx.low, ctx.high), rows_of(ctx, op.b, op.width, ctx.low, ctx.high)
    y = rows_of(ctx, op.y, op.width, ctx.low, ctx.high)
    for i in range(y.size):
        y[i] = a[i] + b[i]


@compiled
def copy_channels(ctx, at):
    """y[…, : channels] = x[…, : channels]"""
    op = _copy_at(at)
    x_at, y_at = ctx.workspace + 4 * op.x, ctx.workspace + 4 * op.y
    for pixel in range(ctx.low * op.pixels, ctx.high * op.pixels):
        copy(x_at + 4 * pixel * op.x_channels, y_at + 4 * pixel * op.y_channels, op.channels)
