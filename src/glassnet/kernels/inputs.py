"""Images as scaled floats, and values scaled and shifted column by column."""

from __future__ import annotations

import numpy as np

from glassnet.kernels import records
from glassnet.kernels.codegen.addresses import bytes_at, floats_at, integers_at, record_at
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.operands import rows_of, share_of, source

F = np.float32
_load_at, _affine_at = record_at(records.Load), record_at(records.Affine)


@compiled
def copy_scaled(images, is_bytes, width, scale, y):
    """y = scale · images, for one row of `width` bytes or floats at an address."""
    if is_bytes:
        pixels = bytes_at(images, width)
        for j in range(width):
            y[j] = scale * F(pixels[j])
    else:
        values = floats_at(images, width)
        for j in range(width):
            y[j] = scale * values[j]


@compiled
def load_rows(ctx, x, y, width, scale, low, high):
    """The images low … high, brought to y."""
    images, is_bytes, order, first = source(ctx, x)
    for r in range(low, high):
        at = integers_at(order + 8 * (first + r), 1)[0] * width
        copy_scaled(images + (at if is_bytes else 4 * at), is_bytes, width, scale, rows_of(ctx, y, width, r, r + 1))


@compiled
def load(ctx, at):
    """Images as scaled floats: of the data set, which each rank has, those of all ranks; else this thread's."""
    op = _load_at(at)
    low, high = share_of(ctx, ctx.images_in_batch) if op.x == records.INPUT else (ctx.low, ctx.high)
    load_rows(ctx, op.x, op.y, op.width, F(op.scale), low, high)


@compiled
def affine(ctx, at):
    """y = (x − mean) · scale + shift"""
    op = _affine_at(at)
    width = op.width
    scale, shift = floats_at(ctx.constants + 4 * op.scale, width), floats_at(ctx.constants + 4 * op.shift, width)
    mean = floats_at(ctx.constants + 4 * op.mean, width)
    for r in range(ctx.low, ctx.high):
        x, y = rows_of(ctx, op.x, width, r, r + 1), rows_of(ctx, op.y, width, r, r + 1)
        for j in range(width):
            y[j] = (x[j] - mean[j]) * scale[j] + shift[j]
