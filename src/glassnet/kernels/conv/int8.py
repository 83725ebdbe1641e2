"""Direct convolution of one image in int8: bytes of x and of the weights, sums in int32; dense layers are its one-row form.

    y[i, j, f] = b[f] + factor[f] · (Σ x[i·sy + ky, j·sx + kx, c] · W[ky, kx, c, f] − correction[f])

x has its zeros around it, as the byte that stands for 0. The taps (kx, c) of a kernel row lie side by side, four of them in a
quad; where their number is no multiple of four, weights of 0 meet the bytes behind them.
"""

from __future__ import annotations

import numpy as np
from numba import float32, int64, void

from glassnet.kernels.codegen.addresses import bytes_at, floats_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.matmul.tile import strided_quad_tile
from glassnet.kernels.sizes import COLUMNS, ROWS, quad_panel

F = np.float32
panel_floats = compiled(quad_panel)


@compiled
def _byte(value, zero):
    """The nearest byte, ties to even; 0 for NaN."""
    rounded = np.rint(value) + zero
    rounded = rounded if rounded > F(0) else F(0)
    return np.uint8(np.int32(rounded if rounded < F(255) else F(255)))


@compiled
def quantize(x, is_bytes, count, factor, zero, target):
    """So many bytes round(x · factor) + zero, of bytes or floats."""
    found, shift = bytes_at(target, count), F(zero)
    if is_bytes:
        pixels = bytes_at(x, count)
        for k in range(count):
            found[k] = _byte(F(pixels[k]) * factor, shift)
    else:
        values = floats_at(x, count)
        for k in range(count):
            found[k] = _byte(values[k] * factor, shift)


@outlined(void(*[int64] * 12))
def convolve_quads(x, x_line, x_row, stride_y, kernel_height, count, panels, filters, y, y_line, out_height, out_width):
    """y from the bytes of x and the panels of W, which have the biases; distances in x are bytes, `y_line` floats."""
    quads, tiles = (count + 3) // 4, (out_width + ROWS - 1) // ROWS
    size = 4 * panel_floats(kernel_height, count)
    for i in range(out_height):
        row = x + i * stride_y * x_line
        for j in range(0, filters, COLUMNS):
            panel = panels + size * (j // COLUMNS)
            for t in range(tiles):
                x0, x1 = out_width * t // tiles, out_width * (t + 1) // tiles
                strided_quad_tile(
                    x1 - x0, row + x0 * x_row, x_line, x_row, kernel_height, quads, panel + 4 * 3 * COLUMNS, panel,
                    y + 4 * (i * y_line + x0 * filters + j), filters, min(COLUMNS, filters - j),
                )  # fmt: skip


@outlined(void(*[int64] * 13, float32, *[int64] * 2))
def convolve_quantized(
    x, lines, x_line, x_row, stride_y, kernel_height, count, panels, filters, y, y_line, out_height, out_width, factor, zero,
    scratch,
):  # fmt: skip
    """The same from the floats of so many `lines` of x; all distances in floats."""
    quantize(x, int64(0), lines * x_line, factor, zero, scratch)
    convolve_quads(scratch, x_line, x_row, stride_y, kernel_height, count, panels, filters, y, y_line, out_height, out_width)
