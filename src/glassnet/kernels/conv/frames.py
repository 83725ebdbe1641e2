"""Where the images of a fused block lie: in the workspace, or within their zeros in a thread's scratch."""

from __future__ import annotations

import numpy as np
from numba import int64

from glassnet.kernels.codegen.addresses import floats_at, integers_at
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.inputs import copy_scaled
from glassnet.kernels.operands import source
from glassnet.kernels.records import INPUT

F = np.float32


@compiled
def clear(at, size):
    values = floats_at(at, size)
    for i in range(size):
        values[i] = F(0)


@compiled
def image_at(ctx, place, size, image):
    """The address of an image's `size` floats in the workspace; 0 if they are not there."""
    return ctx.workspace + 4 * (place + image * size) if place >= 0 else int64(0)


@compiled
def in_place(op):
    """Whether x may be read where it lies: floats of the workspace without zeros around them, not to be scaled."""
    conv = op.conv
    return op.x != INPUT and op.scale == 1.0 and conv.padded_height * conv.padded_width == conv.height * conv.width


@compiled
def padded_image(ctx, op, image, padded_at):
    """The address of x with zeros around it; copied to `padded_at` unless it can be read where it lies."""
    conv = op.conv
    row, padded_row = conv.width * conv.channels, conv.padded_width * conv.channels
    size = conv.height * row
    if in_place(op):
        return ctx.workspace + 4 * (op.x + image * size)
    images, is_bytes, order, first = source(ctx, op.x)
    number, item = integers_at(order + 8 * (first + image), 1)[0], 1 if is_bytes else 4
    inside = padded_at + 4 * (conv.top * padded_row + conv.left * conv.channels)
    for i in range(conv.height):
        target = floats_at(inside + 4 * i * padded_row, row)
        copy_scaled(images + item * (number * size + i * row), is_bytes, row, F(op.scale), target)
    return padded_at
