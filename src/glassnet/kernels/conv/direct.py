"""Convolution of one image in NHWC on the register tile, and the gradient of its weights; no image is unfolded.

    forward:  y[i, j, f]      = b[f] + Σ x[i·sy + ky, j·sx + kx, c] · W[ky, kx, c, f]          over ky, kx, c
    weights:  dW[ky, kx, c, f] ⊕     Σ x[i·sy + ky, j·sx + kx, c] · dy[i, j, f]              over i, j

x has its zeros around it. The taps (kx, c) of one kernel row lie side by side in x, so the tile's groups are kernel rows in
the first product and rows of pixels in the second. The gradient to x is either the first product once more, of dy with zeros
around (and, for strides, between) its pixels and of W rotated by 180°; or, where that would be mostly zeros, dy · Wᵀ, whose
rows hold what each pixel of dy gives to all taps, added to dx where these lie.
"""

from __future__ import annotations

from numba import float32, int64, void

from glassnet.kernels import records
from glassnet.kernels.codegen.addresses import clear, floats_at, record_at
from glassnet.kernels.codegen.jit import called_at, compiled, outlined
from glassnet.kernels.conv.bfloat16 import convolve_pairs
from glassnet.kernels.conv.channels import channel_sum
from glassnet.kernels.matmul.pack import copy_columns, copy_rows
from glassnet.kernels.matmul.tile import ADD, SET, strided_tile
from glassnet.kernels.operands import share_of
from glassnet.kernels.sizes import COLUMNS, GRADIENT_PIXELS, HALF, LANES, ROWS, TAP_FLOATS, TILES_ARE_LOW

call_convolve_pairs = called_at(convolve_pairs.sig)  # compiled when a program first needs it
_block_at, _rotate_at = record_at(records.Block), record_at(records.RotateWeights)
AHEAD = 8 if TILES_ARE_LOW else 0  # rows of W that are asked for before they are needed
BAND = 65536  # floats of x and dy that the sums of the weights' gradients pass over again and again


@compiled
def panel_width(left):
    """Columns of the next tile, with `left` to go: whole ones, then what fills single and half registers best."""
    return LANES if LANES < left <= LANES + HALF else min(COLUMNS, left)


@outlined(void(*[int64] * 13))
def convolve(a, a_line, a_row, stride_y, kernel_height, count, w, filters, bias, y, y_line, out_height, out_width):
    """y = b + x ∗ W for one image; `a_line`, `a_row`, `y_line`: distances in floats of rows, pixels and output rows."""
    tiles = (out_width + ROWS - 1) // ROWS
    for i in range(out_height):
        row, j = a + 4 * i * stride_y * a_line, 0
        while j < filters:
            columns = panel_width(filters - j)
            for t in range(tiles):
                x0, x1 = out_width * t // tiles, out_width * (t + 1) // tiles
                x, target = row + 4 * x0 * a_row, y + 4 * (i * y_line + x0 * filters + j)
                strided_tile(
                    x1 - x0, x, a_line, a_row, 1, kernel_height, count, w + 4 * j, count * filters, filters, bias + 4 * j,
                    target, filters, columns, float32(1), SET, 4 * AHEAD * filters,
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
                columns, b = panel_width(filters - j), dy + 4 * (i0 * dy_line + j)
                for t in range(tiles):
                    r0, r1 = count * t // tiles, count * (t + 1) // tiles
                    target = dw + 4 * ((ky * count + r0) * filters + j)
                    strided_tile(
                        r1 - r0, line + 4 * r0, stride_y * x_line, 1, x_row, rows, out_width, b, dy_line, dy_row, zeros,
                        target, filters, columns, float32(1), here, 0,
                    )  # fmt: skip
                j += columns


@outlined(void(*[int64] * 19))
def convolve_weights_packed(
    images, x, x_size, x_line, x_row, stride_y, kernel_height, count, dy, dy_size, dy_line, dy_row, filters, dw, out_height,
    out_width, mode, zeros, panels,
):  # fmt: skip
    """The same of some images `x_size` and `dy_size` floats apart, with whole COLUMNS of filters.

    dy, and taps of x, are first copied to `panels`: a tile of dW then sums many pixels at once, from neighbouring addresses.
    """
    tiles = (count + ROWS - 1) // ROWS
    step = out_height if images > 1 else max(1, min(out_height, GRADIENT_PIXELS // out_width))
    for i0 in range(0, out_height, step):
        rows = min(step, out_height - i0)
        pixels, here = images * rows * out_width, mode if i0 == 0 else ADD
        taps, pixel = panels + 4 * pixels * filters, 0
        for image in range(images):
            for i in range(i0, i0 + rows):
                for k in range(out_width):
                    source = dy + 4 * (image * dy_size + i * dy_line + k * dy_row)
                    for j in range(0, filters, COLUMNS):
                        copy_columns(source + 4 * j, panels + 4 * (pixels * j + pixel * COLUMNS))
                    pixel += 1
        for ky in range(kernel_height):
            for t in range(tiles):
                r0, r1 = count * t // tiles, count * (t + 1) // tiles
                target = taps
                for image in range(images):
                    for i in range(i0, i0 + rows):
                        source = x + 4 * (image * x_size + (i * stride_y + ky) * x_line + r0)
                        for k in range(out_width):
                            copy_rows(source + 4 * k * x_row, target)
                            target += 4 * (r1 - r0)
                for j in range(0, filters, COLUMNS):
                    strided_tile(
                        r1 - r0, taps, 0, 1, r1 - r0, 1, pixels, panels + 4 * pixels * j, 0, COLUMNS, zeros,
                        dw + 4 * ((ky * count + r0) * filters + j), filters, COLUMNS, float32(1), here, 0,
                    )  # fmt: skip


@outlined(void(*[int64] * 8))
def scatter_taps(block_at, dy, wt, dx, taps_at, pairs, unit, pairs_at):
    """dx of one image from dense dy and Wᵀ (filters, taps).

    `taps_at`: zeros, then room for what some rows of dy give to all taps. `pairs`: Wᵀ in pairs of bfloat16, or 0; the unit
    that takes them, `convolve_pairs`, and room for pairs of dy.
    """
    conv = _block_at(block_at).conv
    channels, across, filters = conv.channels, conv.kernel_width, conv.filters
    taps, line, out_width = conv.kernel_height * across * channels, conv.width * channels, conv.out_width
    clear(dx, conv.height * line)
    zeros = taps_at
    taps_at += 4 * (taps + COLUMNS)
    step = max(1, TAP_FLOATS // (out_width * taps))
    for i0 in range(0, conv.out_height, step):
        i1 = min(conv.out_height, i0 + step)
        pixels, rows = (i1 - i0) * out_width, dy + 4 * i0 * out_width * filters
        if pairs != 0:
            call_convolve_pairs(
                unit, rows, 1, pixels * filters, filters, 0, 1, filters, pairs, taps, zeros, taps_at, pixels * taps, 1,
                pixels, pairs_at,
            )  # fmt: skip
        else:
            convolve(rows, 0, filters, 0, 1, filters, wt, taps, zeros, taps_at, pixels * taps, 1, pixels)
        for i in range(i0, i1):
            for j in range(out_width):
                x0 = j * conv.stride_x - conv.left
                first, last = max(0, -x0), min(across, conv.width - x0)  # taps beside the image are left out
                here = taps_at + 4 * (((i - i0) * out_width + j) * taps + first * channels)
                for ky in range(conv.kernel_height):
                    row = i * conv.stride_y + ky - conv.top
                    if 0 <= row < conv.height and first < last:
                        target = floats_at(dx + 4 * (row * line + (x0 + first) * channels), (last - first) * channels)
                        source = floats_at(here + 4 * ky * across * channels, (last - first) * channels)
                        for k in range((last - first) * channels):
                            target[k] += source[k]


@compiled
def rotate_weights(ctx, at):
    """rotated[(kh−1−ky, kw−1−kx), f, c] = W[ky, kx, c, f] for this thread's taps."""
    op = _rotate_at(at)
    taps, channels, filters = op.kernel_height * op.kernel_width, op.channels, op.filters
    size = channels * filters
    low, high = share_of(ctx, taps)
    for tap in range(low, high):
        w = floats_at(ctx.parameters + 4 * (op.weight + tap * size), size)
        rotated = floats_at(ctx.workspace + 4 * (op.rotated + (taps - 1 - tap) * size), size)
        for f in range(filters):
            for c in range(channels):
                rotated[f * channels + c] = w[c * filters + f]


@compiled
def pixel_sums(dy, dy_line, dy_row, height, width, filters, total_at, fresh):
    """total ⊕ Σ dy over the pixels of one image; `fresh`: from 0."""
    if fresh:
        clear(total_at, filters)
    for i in range(height):
        channel_sum(width, dy_row, filters, dy + 4 * i * dy_line, total_at)
