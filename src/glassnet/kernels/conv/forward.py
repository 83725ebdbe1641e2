"""Convolution forward, and what follows it, while an image is in the cache.

Images are dealt to the threads; of one image alone, rows of y, or filters.
"""

from __future__ import annotations

import numpy as np

from glassnet.kernels import norm, records
from glassnet.kernels.barrier import barrier_wait
from glassnet.kernels.codegen.addresses import clear, floats_at, integers_at, record_at
from glassnet.kernels.codegen.jit import called_at, compiled
from glassnet.kernels.conv.direct import call_convolve_pairs, convolve
from glassnet.kernels.conv.epilogue import apply_epilogue, sizes_of
from glassnet.kernels.conv.int8 import convolve_quantized
from glassnet.kernels.conv.winograd import winograd
from glassnet.kernels.inputs import copy_scaled
from glassnet.kernels.operands import bias_at, image_at, share_of, source
from glassnet.kernels.records import INPUT
from glassnet.kernels.sizes import COLUMNS

call_convolve_quantized = called_at(convolve_quantized.sig)
_conv_at = record_at(records.Conv)


@compiled
def in_place(block):
    """Whether x may be read where it lies: floats of the workspace without zeros around them, not to be scaled."""
    conv = block.conv
    return block.x != INPUT and block.scale == 1.0 and conv.padded_height * conv.padded_width == conv.height * conv.width


@compiled
def padded_images(ctx, block, low, high, padded_at, top, bottom):
    """The address of some images' x with zeros around it; copied to `padded_at` unless it can be read where it lies.

    Of what is copied, the rows top … bottom with the zeros.
    """
    conv = block.conv
    row, padded_row = conv.width * conv.channels, conv.padded_width * conv.channels
    size = conv.height * row
    if in_place(block):
        return ctx.workspace + 4 * (block.x + low * size)
    images, is_bytes, order, first = source(ctx, block.x)
    item, inside = 1 if is_bytes else 4, padded_at + 4 * (conv.top * padded_row + conv.left * conv.channels)
    for image in range(low, high):
        number = integers_at(order + 8 * (first + image), 1)[0]
        for i in range(max(0, top - conv.top), min(conv.height, bottom - conv.top)):
            target = floats_at(inside + 4 * i * padded_row, row)
            copy_scaled(images + item * (number * size + i * row), is_bytes, row, np.float32(block.scale), target)
        inside += 4 * conv.padded_height * padded_row
    return padded_at


@compiled
def _rows_of_y(ctx, block):
    """This thread's rows of y: all of its images' rows, but of one image that the threads share, some."""
    height, together = block.conv.out_height, block.rows_together
    if together == 0:
        return 0, height
    first, last = share_of(ctx, (height + together - 1) // together)
    return min(height, together * first), min(height, together * last)


@compiled
def _filters_of_y(ctx, block):
    """This thread's filters: all, but of one image whose filters the threads share, some."""
    filters = block.conv.filters
    if not block.by_filters:
        return 0, filters
    first, last = share_of(ctx, (filters + COLUMNS - 1) // COLUMNS)
    return min(filters, COLUMNS * first), min(filters, COLUMNS * last)


@compiled
def conv_forward(ctx, at):
    """Convolution of the images, some at a time, then of each its statistics for the normalisation, or the epilogue."""
    block = _conv_at(at)
    conv, pool = block.conv, block.epilogue.pool
    padded_at, padded_row = ctx.scratch + block.x_scratch, conv.padded_width * conv.channels
    filters, bias = conv.filters, bias_at(ctx, block.bias)
    low, high = (ctx.own_low, ctx.own_high) if block.rows_together else (ctx.low, ctx.high)
    top, bottom = _rows_of_y(ctx, block)
    out_top, out_bottom = top // pool.stride_y, pool.out_height if bottom == conv.out_height else bottom // pool.stride_y
    left, right = _filters_of_y(ctx, block)
    if block.by_filters:
        top, bottom = 0, conv.out_height
    x_top, x_bottom = top * conv.stride_y, conv.padded_height
    if bottom < conv.out_height:
        x_bottom = (bottom - 1) * conv.stride_y + conv.kernel_height
    row = conv.out_width * filters
    size, x_size = conv.out_height * row, conv.padded_height * padded_row
    _, out_size = sizes_of(block.epilogue)
    mean, gain, shift = image_at(ctx, block.mean, 0, 0), image_at(ctx, block.gain, 0, 0), image_at(ctx, block.shift, 0, 0)
    if not in_place(block):
        clear(padded_at + 4 * x_top * padded_row, (block.images - 1) * x_size + (x_bottom - x_top) * padded_row)
    for first in range(low, high, block.images):
        last = min(first + block.images, high)
        x = padded_images(ctx, block, first, last, padded_at, x_top, x_bottom) + 4 * x_top * padded_row
        y = image_at(ctx, block.y, size, first)
        if y == 0:
            pooled = block.epilogue.pool.window_height
            y = ctx.scratch + block.y_scratch if pooled else image_at(ctx, block.out, size, first)
        if block.outputs:
            products = (block.outputs + conv.kernel_height - 1) ** 2
            winograd(
                block.outputs, conv.kernel_height, last - first, x, x_size, padded_row, conv.channels,
                ctx.workspace + 4 * (block.winograd_weights + products * conv.channels * left), right - left, bias + 4 * left,
                y + 4 * (top * row + left), size, row, filters, bottom - top, conv.out_width, ctx.constants,
                ctx.scratch + block.winograd_scratch,
            )  # fmt: skip
            if block.by_filters:
                barrier_wait(ctx.signals, ctx.threads)
        for image in range(first, last):
            x_at, y_at = x + 4 * (image - first) * x_size, y + 4 * (image - first) * size
            if not block.outputs and block.weight_pairs >= 0:
                call_convolve_pairs(
                    ctx.convolve_pairs, x_at, conv.padded_height, padded_row, conv.stride_x * conv.channels, conv.stride_y,
                    conv.kernel_height, conv.kernel_width * conv.channels, ctx.workspace + 4 * block.weight_pairs, filters,
                    bias, y_at, row, conv.out_height, conv.out_width, ctx.scratch + block.pairs_scratch,
                )  # fmt: skip
            elif not block.outputs and block.weight_quads >= 0:
                call_convolve_quantized(
                    ctx.convolve_quantized, x_at, conv.padded_height, padded_row, conv.stride_x * conv.channels,
                    conv.stride_y, conv.kernel_height, conv.kernel_width * conv.channels,
                    ctx.workspace + 4 * block.weight_quads, filters, y_at, row, conv.out_height, conv.out_width,
                    np.float32(block.factor), block.zero, ctx.scratch + block.pairs_scratch,
                )  # fmt: skip
            elif not block.outputs:
                convolve(
                    x_at, padded_row, conv.stride_x * conv.channels, conv.stride_y, conv.kernel_height,
                    conv.kernel_width * conv.channels, ctx.parameters + 4 * block.weight, filters, bias,
                    y_at + 4 * top * row, row, bottom - top, conv.out_width,
                )  # fmt: skip
            if block.statistics >= 0:
                norm.statistics_of(y_at, size // filters, filters, image_at(ctx, block.statistics, 3 * filters, image))
            else:
                out, argmax = image_at(ctx, block.out, out_size, image), image_at(ctx, block.argmax, out_size, image)
                apply_epilogue(at, y_at, out, argmax, mean, gain, shift, out_top, out_bottom)
