"""What follows a convolution while its rows are still in the cache: normalise, activate, pool; and the backward pass.

    forward:  out = pool(σ((y − mean) · gain + shift))
    backward: g = dout · σ′(out), at the argmax pixel of its window
              dy = a·(g − ḡ) + b·(y − mean) + c, or g if not normalised; ḡ = 0 if pooled: g comes to few pixels

σ is one whose derivative follows from its output: sigmoid, tanh, ReLU, leaky ReLU; all of them rise, so that the largest of a
window may be found before σ is applied. mean, gain, shift, a, b, c and ḡ are numbers of a channel (see norm.py).
"""

from __future__ import annotations

import numpy as np
from numba import int64, void

from glassnet.kernels import records
from glassnet.kernels.activations import activate, activate_backward
from glassnet.kernels.codegen.addresses import clear, copy, floats_at, record_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.conv.channels import blend, channel_sum, products_about, scale_shift
from glassnet.kernels.operands import image_at
from glassnet.kernels.pooling import argmax_product, largest, unpool, window_columns, window_rows

F = np.float32
_shape_at, _forward_at = record_at(records.EpilogueShape), record_at(records.Epilogue)
_backward_at, _sums_at = record_at(records.EpilogueBackward), record_at(records.BatchNormSums)


@compiled
def sizes_of(shape):
    """Numbers of an image before the pooling, and after it."""
    pool = shape.pool
    return pool.height * pool.width * pool.channels, pool.out_height * pool.out_width * pool.channels


@compiled
def _pool_row(shape, py, y_at, out_at, argmax_at, mean_at, gain_at, shift_at):
    """The largest of each window in row `py` of the pooled image, before σ, and which place it has in its window."""
    pool, across = shape.pool, shape.argmax_row
    channels, line = pool.channels, pool.width * pool.channels
    y0, y1, above = window_rows(pool, py)
    for px in range(pool.out_width):
        x0, x1, beside = window_columns(pool, px)
        y, place, at = y_at + 4 * (y0 * line + x0 * channels), above * across + beside, 4 * px * channels
        out, argmax = out_at + at, argmax_at + at
        largest(y, line, y1 - y0, x1 - x0, across, place, channels, mean_at, gain_at, shift_at, out, argmax)


@outlined(void(*[int64] * 9))
def apply_epilogue(shape_at, y_at, out_at, argmax_at, mean_at, gain_at, shift_at, first, last):
    """out = pool(σ((y − mean) · gain + shift)), the rows first … last for one image; gain_at 0: y as it is."""
    shape = _shape_at(shape_at)
    pool, slope, kind = shape.pool, F(shape.slope), shape.activation
    channels, line = pool.channels, pool.out_width * pool.channels
    if pool.window_height:
        for py in range(first, last):
            row = out_at + 4 * py * line
            _pool_row(shape, py, y_at, row, argmax_at + 4 * py * line, mean_at, gain_at, shift_at)
            activate(kind, line, row, row, slope)
        return
    for i in range(first, last):
        y, row = y_at + 4 * i * line, out_at + 4 * i * line
        if gain_at:
            scale_shift(pool.width, channels, y, mean_at, gain_at, shift_at, row, channels)
        elif y_at != out_at:
            copy(y, row, line)
        activate(kind, line, row, row, slope)


@compiled
def _unpool_row(shape, py, g_at, argmax_at, dy_at, dy_line, dy_pixel, fresh, a_at):
    """dy ⊕ a·g at the argmax pixel of each window in row `py` of the pooled image; a_at 0: a = 1."""
    pool, across = shape.pool, shape.argmax_row
    channels = pool.channels
    y0, y1, above = window_rows(pool, py)
    for px in range(pool.out_width):
        x0, x1, beside = window_columns(pool, px)
        dy, place, at = dy_at + 4 * (y0 * dy_line + x0 * dy_pixel), above * across + beside, 4 * px * channels
        g, argmax, rows, columns = g_at + at, argmax_at + at, y1 - y0, x1 - x0
        unpool(g, argmax, dy, dy_line, dy_pixel, rows, columns, across, place, channels, fresh, a_at)


@compiled
def _is_tiled(pool):
    """Whether each pixel lies in just one window."""
    return (
        pool.window_height == pool.stride_y and pool.window_width == pool.stride_x
        and pool.window_height * pool.out_height == pool.height and pool.window_width * pool.out_width == pool.width
    )  # fmt: skip


@outlined(void(*[int64] * 10))
def undo_epilogue(shape_at, dout_at, out_at, argmax_at, y_at, coefficients_at, g_at, dy_at, dy_line, dy_pixel):
    """dy of one image, its rows `dy_line` and its pixels `dy_pixel` floats apart; `g_at`: room for one row.

    coefficients_at: a, b, c, ḡ and mean; 0: not normalised. What lies between the pixels of dy is left alone.
    """
    shape = _shape_at(shape_at)
    pool, slope, kind = shape.pool, F(shape.slope), shape.activation
    channels, width = pool.channels, pool.width
    a, b, c = coefficients_at, coefficients_at + 4 * channels, coefficients_at + 8 * channels
    g_mean, mean = coefficients_at + 12 * channels, coefficients_at + 16 * channels
    if pool.window_height:
        fresh = int64(not coefficients_at and _is_tiled(pool))
        for i in range(0 if fresh else pool.height):
            y, dy = y_at + 4 * i * width * channels, dy_at + 4 * i * dy_line
            if coefficients_at:
                scale_shift(width, channels, y, mean, b, c, dy, dy_pixel)
            else:
                for j in range(width):
                    clear(dy + 4 * j * dy_pixel, channels)
        line = pool.out_width * channels
        for py in range(pool.out_height):
            at = 4 * py * line
            activate_backward(kind, line, out_at + at, out_at + at, dout_at + at, g_at, slope)
            _unpool_row(shape, py, g_at, argmax_at + at, dy_at, dy_line, dy_pixel, fresh, a)
        return
    line = width * channels
    for i in range(pool.height):
        at, dy = 4 * i * line, dy_at + 4 * i * dy_line
        if not coefficients_at and dy_pixel == channels:
            activate_backward(kind, line, out_at + at, out_at + at, dout_at + at, dy, slope)
            continue
        activate_backward(kind, line, out_at + at, out_at + at, dout_at + at, g_at, slope)
        if coefficients_at:
            blend(width, channels, y_at + at, mean, b, c, dy, dy_pixel, g_at, g_mean, a)
            continue
        for j in range(width):
            copy(g_at + 4 * j * channels, dy + 4 * j * dy_pixel, channels)


@outlined(void(*[int64] * 9))
def gradient_sums(shape_at, dout_at, out_at, argmax_at, y_at, mean_at, inverse_at, g_at, sums_at):
    """Σ g and Σ g·(y − mean)·inverse over one image, for each channel."""
    shape = _shape_at(shape_at)
    pool, slope = shape.pool, F(shape.slope)
    channels, width = pool.channels, pool.width
    along_at = sums_at + 4 * channels
    along, inverse = floats_at(along_at, channels), floats_at(inverse_at, channels)
    clear(sums_at, 2 * channels)
    line = pool.out_width * channels
    for i in range(pool.out_height):
        at = 4 * i * line
        activate_backward(shape.activation, line, out_at + at, out_at + at, dout_at + at, g_at, slope)
        channel_sum(pool.out_width, channels, channels, g_at, sums_at)
        if not pool.window_height:
            products_about(width, channels, y_at + at, mean_at, g_at, along_at)
            continue
        y0, y1, above = window_rows(pool, i)
        for j in range(pool.out_width):
            x0, x1, beside = window_columns(pool, j)
            y, place, here = y_at + 4 * (y0 * width + x0) * channels, above * shape.argmax_row + beside, 4 * j * channels
            argmax_product(
                g_at + here, argmax_at + at + here, y, width * channels, y1 - y0, x1 - x0, shape.argmax_row, place, channels,
                mean_at, along_at,
            )  # fmt: skip
    for f in range(channels):
        along[f] *= inverse[f]


@compiled
def epilogue(ctx, at):
    op = _forward_at(at)
    size, out_size = sizes_of(op.epilogue)
    mean, gain, shift = image_at(ctx, op.mean, 0, 0), image_at(ctx, op.gain, 0, 0), image_at(ctx, op.shift, 0, 0)
    for image in range(ctx.low, ctx.high):
        y, out = image_at(ctx, op.y, size, image), image_at(ctx, op.out, out_size, image)
        argmax = image_at(ctx, op.argmax, out_size, image)
        apply_epilogue(at, y, out, argmax, mean, gain, shift, int64(0), op.epilogue.pool.out_height)


@compiled
def undo_image(ctx, shape_at, op, image, dy, dy_line, dy_pixel):
    """dy of one image; `op`: EpilogueBackward or ConvBackward."""
    size, out_size = sizes_of(op.epilogue)
    undo_epilogue(
        shape_at, image_at(ctx, op.dout, out_size, image), image_at(ctx, op.out, out_size, image),
        image_at(ctx, op.argmax, out_size, image), image_at(ctx, op.y, size, image), image_at(ctx, op.coefficients, 0, 0),
        ctx.scratch + op.row_scratch, dy, dy_line, dy_pixel,
    )  # fmt: skip


@compiled
def epilogue_backward(ctx, at):
    op = _backward_at(at)
    pool = op.epilogue.pool
    size, _ = sizes_of(op.epilogue)
    for image in range(ctx.low, ctx.high):
        undo_image(ctx, at, op, image, image_at(ctx, op.dy, size, image), pool.width * pool.channels, pool.channels)


@compiled
def batch_norm_sums(ctx, at):
    op = _sums_at(at)
    size, out_size = sizes_of(op.epilogue)
    for image in range(ctx.low, ctx.high):
        gradient_sums(
            at, image_at(ctx, op.dout, out_size, image), image_at(ctx, op.out, out_size, image),
            image_at(ctx, op.argmax, out_size, image), image_at(ctx, op.y, size, image), image_at(ctx, op.mean, 0, 0),
            image_at(ctx, op.inverse, 0, 0), ctx.scratch + op.row_scratch,
            image_at(ctx, op.sums, 2 * op.epilogue.pool.channels, image),
        )  # fmt: skip
