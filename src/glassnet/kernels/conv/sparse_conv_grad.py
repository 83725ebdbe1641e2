"""Back through a convolution whose output was pooled: of a window's pixels only the chosen one has a gradient, g.

    dW[·, f] += Σ g · x[patch of p]         over the windows; p: the pixel that the window chose in channel f
    dx[patch of p] += g · W[·, f]

Of a 2 × 2 window three quarters of dy are zeros, and with ReLU more. So lists of (p, g) are made instead of dy: channel by
channel for dW, and from these, sorted by p, pixel by pixel for dx. Pixels are counted as x's frame of zeros has them.
"""

from __future__ import annotations

import numpy as np
from numba import int64, void

from glassnet.kernels.codegen.addresses import floats_at, int32_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.conv.channels import channel_sum
from glassnet.kernels.conv.epilogue import times_slope
from glassnet.kernels.matmul.gather_accumulate import add_listed
from glassnet.kernels.stage_at import stage_at_address

F, U = np.float32, np.uint64  # indexes without a sign: Numba need not ask whether they count from the end


@compiled
def _list_chosen(stage, row, rows, g_at, chosen_at, begins_at, places_at, factors_at):
    """Channel by channel the pixels that the windows of some rows chose, and their gradients but for those of 0."""
    filters, wide = stage.filters, stage.pooled_width
    size = rows * wide * filters
    g, chosen, begins = floats_at(g_at, size), int32_at(chosen_at, size), int32_at(begins_at, filters + 1)
    places, factors = int32_at(places_at, size), floats_at(factors_at, size)
    count = U(0)
    begins[0] = 0
    for f in range(filters):
        at = U(f)
        for py in range(row, row + rows):
            pixel = (py * stage.pool_stride_y - stage.pool_top) * stage.chosen_line - stage.pool_left
            for _ in range(wide):
                factor = g[at]
                places[count], factors[count] = pixel + chosen[at], factor
                count += U(factor != F(0))
                at += U(filters)
                pixel += stage.pool_stride_x
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


@compiled
def _copy_inside(stage, framed, dx):
    """dx without its frame."""
    line, inside = stage.padded_width * stage.channels, stage.width * stage.channels
    for i in range(stage.height):
        source = floats_at(framed + 4 * ((stage.top + i) * line + stage.left * stage.channels), inside)
        target = floats_at(dx + 4 * i * inside, inside)
        for j in range(inside):
            target[j] = source[j]


@outlined(void(*[int64] * 10))
def picked_back(stage_at, dout_at, out_at, chosen_at, x, wt, dx, framed, total_at, room):
    """Of one image: Wᵀ's gradient (filters, taps), and behind it that of the biases, added to `total_at`; dx, unless 0.

    x in its frame; Wᵀ (filters, taps) at `wt`; `framed`: room for dx in its frame, if it has one; `room`: for the lists.
    """
    stage = stage_at_address(stage_at)
    filters, channels, line, wide = stage.filters, stage.channels, stage.chosen_line, stage.pooled_width
    across = stage.kernel_width * channels
    taps, size = stage.kernel_height * across, 4 * stage.list_rows * wide * filters
    g, places, factors, of_pixels, by_pixel = room, room + size, room + 2 * size, room + 3 * size, room + 4 * size
    begins, begins_here = room + 5 * size, room + 5 * size + 4 * (filters + 1)
    if stage.padded_height * line == stage.height * stage.width:
        framed = dx
    if dx:
        target = floats_at(framed, stage.padded_height * line * channels)
        for i in range(stage.padded_height * line * channels):
            target[i] = F(0)
    for row in range(0, stage.pooled_height, stage.list_rows):
        rows, at = min(stage.list_rows, stage.pooled_height - row), 4 * row * wide * filters
        count = rows * wide * filters
        times_slope(
            stage.activation,
            floats_at(dout_at + at, count),
            floats_at(out_at + at, count),
            floats_at(g, count),
            F(stage.slope),
        )
        if stage.bias >= 0:
            channel_sum(rows * wide, filters, filters, g, g, g, total_at + 4 * filters * taps)
        _list_chosen(stage, row, rows, g, chosen_at + at, begins, places, factors)
        add_listed(
            filters, begins, places, factors, channels, x, line * channels, stage.kernel_height, across, total_at, taps,
            across,
        )  # fmt: skip
        if dx:
            top = max(0, row * stage.pool_stride_y - stage.pool_top)
            bottom = min(stage.out_height, (row + rows - 1) * stage.pool_stride_y - stage.pool_top + stage.pool_height)
            pixels = (bottom - top) * line
            _sort(filters, begins, places, factors, top * line, pixels, begins_here, of_pixels, by_pixel)
            add_listed(
                pixels, begins_here, of_pixels, by_pixel, taps, wt, across, stage.kernel_height, across,
                framed + 4 * top * line * channels, channels, line * channels,
            )  # fmt: skip
    if dx and framed != dx:
        _copy_inside(stage, framed, dx)
