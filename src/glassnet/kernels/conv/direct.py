"""Convolution of one image in NHWC on the register tile, and the gradient of its weights; no image is unfolded.

    forward:  y[i, j, f]      = b[f] + Σ x[i·sy + ky, j·sx + kx, c] · W[ky, kx, c, f]          over ky, kx, c
    weights:  dW[ky, kx, c, f] ⊕     Σ x[i·sy + ky, j·sx + kx, c] · dy[i, j, f]              over i, j

x has its zeros around it. The taps (kx, c) of one kernel row lie side by side in x, so the tile's groups are kernel rows in
the first product and rows of pixels in the second. The gradient to x is either the first product once more, of dy with zeros
around (and, for strides, between) its pixels and of W turned about; or, where that would be mostly zeros, dy · Wᵀ, whose rows
hold what each pixel of dy gives to all taps, added to dx where these lie.
"""

from __future__ import annotations

import numpy as np
from numba import float32, int64, void

from glassnet.kernels.codegen.addresses import bytes_at, floats_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.conv.channels import channel_sum
from glassnet.kernels.matmul.tile import (
    ADD,
    SET,
    adjacent_tile,
    half_adjacent_tile,
    half_strided_tile,
    slim_adjacent_tile,
    slim_strided_tile,
    strided_tile,
)
from glassnet.kernels.sizes import COLUMNS, GIVEN, HALF, LANES, ROWS
from glassnet.kernels.stage_at import stage_at_address

F = np.float32
BAND = 65536  # floats of x and dy that the sums of the weights' gradients pass over again and again


@compiled
def _width(left):
    """Columns of the next tile, with `left` to go: whole ones, then what fills single and half registers best."""
    return LANES if LANES < left <= LANES + HALF else min(COLUMNS, left)


@outlined(void(*[int64] * 13))
def convolve(a, a_line, a_row, stride_y, kernel_height, count, w, filters, bias, y, y_line, out_height, out_width):
    """y = b + x ∗ W for one image; `a_line`, `a_row`, `y_line`: distances in floats of rows, pixels and output rows."""
    tiles = (out_width + ROWS - 1) // ROWS
    for i in range(out_height):
        row, j = a + 4 * i * stride_y * a_line, 0
        while j < filters:
            columns = _width(filters - j)
            for t in range(tiles):
                x0, x1 = out_width * t // tiles, out_width * (t + 1) // tiles
                x, target = row + 4 * x0 * a_row, y + 4 * (i * y_line + x0 * filters + j)
                if columns > LANES:
                    strided_tile(
                        x1 - x0, x, a_line, a_row, 1, kernel_height, count, w + 4 * j, count * filters, filters, bias + 4 * j,
                        target, filters, columns, float32(1), SET, 0,
                    )  # fmt: skip
                elif columns > HALF:
                    slim_strided_tile(
                        x1 - x0, x, a_line, a_row, 1, kernel_height, count, w + 4 * j, count * filters, filters, bias + 4 * j,
                        target, filters, columns, float32(1), SET, 0,
                    )  # fmt: skip
                else:
                    half_strided_tile(
                        x1 - x0, x, a_line, a_row, 1, kernel_height, count, w + 4 * j, count * filters, filters, bias + 4 * j,
                        target, filters, columns, float32(1), SET, 0,
                    )  # fmt: skip
            j += columns


@outlined(void(*[int64] * 15))
def convolve_weights(
    x, x_line, x_row, stride_y, kernel_height, count, dy, dy_line, dy_row, filters, dw, out_height, out_width, mode, zeros
):
    """dW ⊕ xᵀ ∗ dy for one image; mode SET or ADD. `dy_line` and `dy_row`: distances of dy's rows and pixels."""
    tiles = (count + ROWS - 1) // ROWS
    step = max(1, BAND // (x_line * stride_y + dy_line))
    for i0 in range(0, out_height, step):
        rows = min(step, out_height - i0)
        here = mode if i0 == 0 else ADD
        for ky in range(kernel_height):
            line, j = x + 4 * (i0 * stride_y + ky) * x_line, 0
            while j < filters:
                columns, b = _width(filters - j), dy + 4 * (i0 * dy_line + j)
                for t in range(tiles):
                    r0, r1 = count * t // tiles, count * (t + 1) // tiles
                    target = dw + 4 * ((ky * count + r0) * filters + j)
                    if columns > LANES:
                        adjacent_tile(
                            r1 - r0, line + 4 * r0, stride_y * x_line, 1, x_row, rows, out_width, b, dy_line, dy_row, zeros,
                            target, filters, columns, float32(1), here, 0,
                        )  # fmt: skip
                    elif columns > HALF:
                        slim_adjacent_tile(
                            r1 - r0, line + 4 * r0, stride_y * x_line, 1, x_row, rows, out_width, b, dy_line, dy_row, zeros,
                            target, filters, columns, float32(1), here, 0,
                        )  # fmt: skip
                    else:
                        half_adjacent_tile(
                            r1 - r0, line + 4 * r0, stride_y * x_line, 1, x_row, rows, out_width, b, dy_line, dy_row, zeros,
                            target, filters, columns, float32(1), here, 0,
                        )  # fmt: skip
                j += columns


@outlined(void(*[int64] * 5))
def scatter_back(stage_at, dy, wt, dx, given):
    """dx of one image from dense dy and Wᵀ (filters, taps); `given`: zeros, then room for what some rows of dy give."""
    stage = stage_at_address(stage_at)
    channels, across, filters = stage.channels, stage.kernel_width, stage.filters
    taps, line, out_width = stage.kernel_height * across * channels, stage.width * channels, stage.out_width
    total = floats_at(dx, stage.height * line)
    for i in range(stage.height * line):
        total[i] = F(0)
    zeros = given
    given += 4 * (taps + COLUMNS)
    step = max(1, GIVEN // (out_width * taps))
    for i0 in range(0, stage.out_height, step):
        i1 = min(stage.out_height, i0 + step)
        pixels, rows = (i1 - i0) * out_width, dy + 4 * i0 * out_width * filters
        convolve(rows, 0, filters, 0, 1, filters, wt, taps, zeros, given, pixels * taps, 1, pixels)
        for i in range(i0, i1):
            for j in range(out_width):
                x0 = j * stage.stride_x - stage.left
                first, last = max(0, -x0), min(across, stage.width - x0)  # taps beside the image are left out
                here = given + 4 * (((i - i0) * out_width + j) * taps + first * channels)
                for ky in range(stage.kernel_height):
                    row = i * stage.stride_y + ky - stage.top
                    if 0 <= row < stage.height and first < last:
                        target = floats_at(dx + 4 * (row * line + (x0 + first) * channels), (last - first) * channels)
                        source = floats_at(here + 4 * ky * across * channels, (last - first) * channels)
                        for k in range((last - first) * channels):
                            target[k] += source[k]


@compiled
def spread(source, is_bytes, scale, height, width, target, target_line):
    """Rows of `width` bytes or floats as scaled floats, `target_line` floats apart."""
    for i in range(height):
        row = floats_at(target + 4 * i * target_line, width)
        if is_bytes:
            pixels = bytes_at(source + i * width, width)
            for j in range(width):
                row[j] = scale * F(pixels[j])
        else:
            values = floats_at(source + 4 * i * width, width)
            for j in range(width):
                row[j] = scale * values[j]


@compiled
def turn_weights(w, target, kernel_height, kernel_width, channels, filters, low, high):
    """target[(kh−1−ky, kw−1−kx), f, c] = W[ky, kx, c, f] for the taps low … high."""
    taps = kernel_height * kernel_width
    for tap in range(low, high):
        source = floats_at(w + 4 * tap * channels * filters, channels * filters)
        turned = floats_at(target + 4 * (taps - 1 - tap) * channels * filters, channels * filters)
        for f in range(filters):
            for c in range(channels):
                turned[f * channels + c] = source[c * filters + f]


@compiled
def pixel_sums(dy, dy_line, dy_row, height, width, filters, total_at, fresh):
    """total ⊕ Σ dy over the pixels of one image; `fresh`: from 0."""
    total = floats_at(total_at, filters)
    if fresh:
        for f in range(filters):
            total[f] = F(0)
    for i in range(height):
        channel_sum(width, dy_row, filters, dy + 4 * i * dy_line, dy, dy, total_at)


__all__ = ["ADD", "SET", "convolve", "convolve_weights", "pixel_sums", "scatter_back", "spread", "turn_weights"]
