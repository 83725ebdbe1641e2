"""Backward pass of conv + max-pool, using only the argmax pixels: of a window's pixels only that one has a gradient, g.

    dW[·, f] += Σ g · x[patch of p]         over the windows; p: the argmax pixel of the window in channel f
    dx[patch of p] += g · W[·, f]

Of a 2 × 2 window three quarters of dy are zeros, and with ReLU more. So lists of (p, g) are made instead of dy: channel by
channel for dW, and from these, sorted by p, pixel by pixel for dx. Pixels are counted as x with its zeros has them.
"""

from __future__ import annotations

import numpy as np
from numba import int64, void

from glassnet.kernels import records
from glassnet.kernels.activations import activate_backward
from glassnet.kernels.codegen.addresses import clear, copy, floats_at, int32_at, record_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.conv.channels import channel_sum
from glassnet.kernels.matmul.gather_accumulate import gather_accumulate

F, U = np.float32, np.uint64  # indexes without a sign: Numba need not ask whether they count from the end
_block_at = record_at(records.ConvBackward)


@compiled
def _list_argmax(shape, row, rows, g_at, argmax_at, begins_at, pixels_at, factors_at):
    """Channel by channel the argmax pixels of some rows of windows, and their gradients but for those of 0."""
    pool = shape.pool
    channels, wide = pool.channels, pool.out_width
    size = rows * wide * channels
    g, argmax, begins = floats_at(g_at, size), int32_at(argmax_at, size), int32_at(begins_at, channels + 1)
    pixels, factors = int32_at(pixels_at, size), floats_at(factors_at, size)
    count = U(0)
    begins[0] = 0
    for f in range(channels):
        at = U(f)
        for py in range(row, row + rows):
            pixel = (py * pool.stride_y - pool.top) * shape.argmax_row - pool.left
            for _ in range(wide):
                factor = g[at]
                pixels[count], factors[count] = pixel + argmax[at], factor
                count += U(factor != F(0))
                at += U(channels)
                pixel += pool.stride_x
        begins[f + 1] = count


@compiled
def _sort(filters, begins_at, places_at, factors_at, base, pixels, sorted_at, channels_at, by_pixel_at):
    """The same lists pixel by pixel, from pixel `base` on: where each begins, its channels and gradients."""
    begins, begins_here = int32_at(begins_at, filters + 1), int32_at(sorted_at, pixels + 2)
    size = begins[filters]
    places, factors = int32_at(places_at, size), floats_at(factors_at, size)
    channels, by_pixel = int32_at(channels_at, size), floats_at(by_pixel_at, size)
    for pixel in range(pixels + 2):
        begins_here[pixel] = 0
    for entry in range(U(size)):
        begins_here[U(places[entry] - base + 2)] += 1
    for pixel in range(2, pixels + 1):
        begins_here[pixel] += begins_here[pixel - 1]  # one place too far: putting them in moves it on
    for f in range(filters):
        for entry in range(U(begins[f]), U(begins[f + 1])):
            behind = U(places[entry] - base + 1)
            here = begins_here[behind]
            channels[U(here)], by_pixel[U(here)] = f, factors[entry]
            begins_here[behind] = here + 1


@outlined(void(*[int64] * 10))
def sparse_conv_grad(block_at, dout_at, out_at, argmax_at, x, wt, dx, padded_at, total_at, lists_at):
    """Of one image: the gradient of Wᵀ (filters, taps), and behind it that of the biases, added to `total_at`; dx, unless 0.

    x with its zeros; Wᵀ (filters, taps) at `wt`; `padded_at`: room for dx with x's zeros, if it has any; `lists_at`: room
    for the lists.
    """
    block = _block_at(block_at)
    conv, shape = block.conv, block.epilogue
    pool = shape.pool
    filters, channels, line, wide = conv.filters, conv.channels, shape.argmax_row, pool.out_width
    across = conv.kernel_width * channels
    taps, size = conv.kernel_height * across, 4 * block.sparse_rows * wide * filters
    g, pixels, factors = lists_at, lists_at + size, lists_at + 2 * size
    of_pixels, by_pixel, begins = lists_at + 3 * size, lists_at + 4 * size, lists_at + 5 * size
    begins_here = begins + 4 * (filters + 1)
    if conv.padded_height * line == conv.height * conv.width:
        padded_at = dx
    if dx:
        clear(padded_at, conv.padded_height * line * channels)
    for row in range(0, pool.out_height, block.sparse_rows):
        rows, at = min(block.sparse_rows, pool.out_height - row), 4 * row * wide * filters
        count = rows * wide * filters
        activate_backward(shape.activation, count, out_at + at, out_at + at, dout_at + at, g, F(shape.slope))
        if block.has_bias:
            channel_sum(rows * wide, filters, filters, g, total_at + 4 * filters * taps)
        _list_argmax(shape, row, rows, g, argmax_at + at, begins, pixels, factors)
        gather_accumulate(
            filters, begins, pixels, factors, channels, x, line * channels, conv.kernel_height, across, total_at, taps,
            across,
        )  # fmt: skip
        if dx:
            top = max(0, row * pool.stride_y - pool.top)
            bottom = min(conv.out_height, (row + rows - 1) * pool.stride_y - pool.top + pool.window_height)
            count = (bottom - top) * line
            _sort(filters, begins, pixels, factors, top * line, count, begins_here, of_pixels, by_pixel)
            gather_accumulate(
                count, begins_here, of_pixels, by_pixel, taps, wt, across, conv.kernel_height, across,
                padded_at + 4 * top * line * channels, channels, line * channels,
            )  # fmt: skip
    if dx and padded_at != dx:
        for i in range(conv.height):
            inside = padded_at + 4 * ((conv.top + i) * line + conv.left) * channels
            copy(inside, dx + 4 * i * conv.width * channels, conv.width * channels)
