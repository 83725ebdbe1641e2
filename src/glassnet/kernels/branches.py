"""The joints of branches: sums, and channels side by side."""

from __future__ import annotations

from glassnet.kernels import records
from glassnet.kernels.codegen.addresses import floats_at
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.codegen.record_at import record_at
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
    for pixel in range(ctx.low * op.pixels, ctx.high * op.pixels):
        x = floats_at(ctx.workspace + 4 * (op.x + pixel * op.x_channels), op.channels)
        y = floats_at(ctx.workspace + 4 * (op.y + pixel * op.y_channels), op.channels)
        for k in range(x.size):
            y[k] = x[k]
