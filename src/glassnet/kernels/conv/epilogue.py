"""What follows a convolution while its rows are still in the cache: normalise, activate, pool; and the way back.

    forward:  out = pool(σ((y − mean) · gain + shift))
    back:     g = dout · σ′(out), at the place of its window that was chosen
              dy = a·(g − ḡ) + b·(y − mean) + c, or g if not normalised; ḡ = 0 if pooled: g comes to few pixels

σ is one whose derivative follows from its output: sigmoid, tanh, ReLU, leaky ReLU; all of them rise, so that the largest of a
window may be found before σ is applied. mean, gain, shift, a, b, c and ḡ are numbers of a channel (see normalisation.py).
"""

from __future__ import annotations

import numpy as np
from numba import int64, void

from glassnet.kernels.activations import sigmoid, tanh
from glassnet.kernels.codegen.addresses import floats_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.conv.channels import blend, channel_sum, products_about, scale_shift
from glassnet.kernels.opcodes import LEAKY_RELU, RELU, SIGMOID, TANH
from glassnet.kernels.pooling import largest, largest_normalised, picked_product, unpool, unpool_scaled
from glassnet.kernels.stage_at import stage_at_address

F = np.float32
_0, _1 = F(0), F(1)


@compiled
def _activate_in_place(kind, a, slope):
    if kind == RELU:
        for i in range(a.size):
            a[i] = a[i] if a[i] > _0 else _0
    elif kind == LEAKY_RELU:
        for i in range(a.size):
            a[i] = a[i] if a[i] > _0 else slope * a[i]
    elif kind == SIGMOID:
        for i in range(a.size):
            a[i] = sigmoid(a[i])
    elif kind == TANH:
        for i in range(a.size):
            a[i] = F(tanh(a[i]))


@compiled
def times_slope(kind, dout, out, g, slope):
    """g = dout · σ′, from σ's output."""
    if kind == RELU:
        for i in range(g.size):
            g[i] = dout[i] if out[i] > _0 else _0
    elif kind == LEAKY_RELU:
        for i in range(g.size):
            g[i] = dout[i] if out[i] > _0 else slope * dout[i]
    elif kind == SIGMOID:
        for i in range(g.size):
            g[i] = dout[i] * out[i] * (_1 - out[i])
    elif kind == TANH:
        for i in range(g.size):
            g[i] = dout[i] * (_1 - out[i] * out[i])
    else:
        for i in range(g.size):
            g[i] = dout[i]


@compiled
def _window_rows(stage, py):
    """Of the windows in row `py` of the pooled image: the first row of y, its end, and how many rows stick out above."""
    top = py * stage.pool_stride_y - stage.pool_top
    first = max(0, top)
    return first, min(stage.out_height, top + stage.pool_height), first - top


@compiled
def _window_columns(stage, px):
    """The same across."""
    left = px * stage.pool_stride_x - stage.pool_left
    first = max(0, left)
    return first, min(stage.out_width, left + stage.pool_width), first - left


@compiled
def _pool_row(stage, py, y_at, out_at, chosen_at, mean_at, gain_at, shift_at):
    """The largest of each window in row `py` of the pooled image, before σ, and which place it has in its window."""
    filters, width, across = stage.filters, stage.out_width, stage.chosen_line
    y0, y1, above = _window_rows(stage, py)
    for px in range(stage.pooled_width):
        x0, x1, beside = _window_columns(stage, px)
        y, place, at = y_at + 4 * (y0 * width + x0) * filters, above * across + beside, 4 * px * filters
        out, chosen, line = out_at + at, chosen_at + at, width * filters
        if gain_at:
            largest_normalised(y, line, y1 - y0, x1 - x0, across, place, filters, mean_at, gain_at, shift_at, out, chosen)
        else:
            largest(y, line, y1 - y0, x1 - x0, across, place, filters, mean_at, gain_at, shift_at, out, chosen)


@outlined(void(*[int64] * 7))
def finish(stage_at, y_at, out_at, chosen_at, mean_at, gain_at, shift_at):
    """out = pool(σ((y − mean) · gain + shift)) for one image; gain_at 0: y as it is."""
    stage = stage_at_address(stage_at)
    filters, slope = stage.filters, F(stage.slope)
    if stage.pool_height:
        line = stage.pooled_width * filters
        for py in range(stage.pooled_height):
            _pool_row(stage, py, y_at, out_at + 4 * py * line, chosen_at + 4 * py * line, mean_at, gain_at, shift_at)
            _activate_in_place(stage.activation, floats_at(out_at + 4 * py * line, line), slope)
        return
    line = stage.out_width * filters
    for i in range(stage.out_height):
        out = floats_at(out_at + 4 * i * line, line)
        if gain_at:
            y = y_at + 4 * i * line
            scale_shift(stage.out_width, filters, y, mean_at, gain_at, shift_at, out_at + 4 * i * line, filters, y, y, y)
        elif y_at != out_at:
            y = floats_at(y_at + 4 * i * line, line)
            for j in range(line):
                out[j] = y[j]
        _activate_in_place(stage.activation, out, slope)


@compiled
def _unpool_row(stage, py, g_at, chosen_at, dy_at, dy_line, dy_row, fresh, a_at):
    """dy ⊕ a·g at the chosen place of each window in row `py` of the pooled image; a_at 0: a = 1."""
    filters, across = stage.filters, stage.chosen_line
    y0, y1, above = _window_rows(stage, py)
    for px in range(stage.pooled_width):
        x0, x1, beside = _window_columns(stage, px)
        dy, place, at = dy_at + 4 * (y0 * dy_line + x0 * dy_row), above * across + beside, 4 * px * filters
        g, chosen, rows, columns = g_at + at, chosen_at + at, y1 - y0, x1 - x0
        if a_at:
            unpool_scaled(g, chosen, dy, dy_line, dy_row, rows, columns, across, place, filters, fresh, a_at)
        else:
            unpool(g, chosen, dy, dy_line, dy_row, rows, columns, across, place, filters, fresh, g)


@compiled
def _is_tiled(stage):
    """Whether each pixel of y lies in just one window."""
    return (
        stage.pool_height == stage.pool_stride_y and stage.pool_width == stage.pool_stride_x
        and stage.pool_height * stage.pooled_height == stage.out_height
        and stage.pool_width * stage.pooled_width == stage.out_width
    )  # fmt: skip


@outlined(void(*[int64] * 9))
def undo(stage_at, dout_at, out_at, chosen_at, y_at, coefficients_at, g_at, dy_at, dy_line):
    """dy of one image, its rows `dy_line` floats apart, its pixels apart as the stride asks; `g_at`: room for one row.

    coefficients_at: a, b, c, ḡ and mean; 0: not normalised. What lies between the pixels of dy is left alone.
    """
    stage = stage_at_address(stage_at)
    filters, slope, width = stage.filters, F(stage.slope), stage.out_width
    framed = stage.dx >= 0 and not stage.scatters
    dy_row = filters * stage.stride_x if framed else filters
    step = dy_line * stage.stride_y if framed else dy_line
    a, b, c = coefficients_at, coefficients_at + 4 * filters, coefficients_at + 8 * filters
    middle, mean = coefficients_at + 12 * filters, coefficients_at + 16 * filters
    if stage.pool_height:
        fresh = int64(not coefficients_at and _is_tiled(stage))
        for i in range(0 if fresh else stage.out_height):
            y, dy = y_at + 4 * i * width * filters, dy_at + 4 * i * step
            if coefficients_at:
                scale_shift(width, filters, y, mean, b, c, dy, dy_row, y, y, y)
            else:
                for j in range(width):
                    pixel = floats_at(dy + 4 * j * dy_row, filters)
                    for f in range(filters):
                        pixel[f] = _0
        line = stage.pooled_width * filters
        g = floats_at(g_at, line)
        for py in range(stage.pooled_height):
            at = 4 * py * line
            times_slope(stage.activation, floats_at(dout_at + at, line), floats_at(out_at + at, line), g, slope)
            _unpool_row(stage, py, g_at, chosen_at + at, dy_at, step, dy_row, fresh, a)
        return
    line = width * filters
    g = floats_at(g_at, line)
    for i in range(stage.out_height):
        at, dy = 4 * i * line, dy_at + 4 * i * step
        if not coefficients_at and dy_row == filters:
            here = floats_at(dy, line)
            times_slope(stage.activation, floats_at(dout_at + at, line), floats_at(out_at + at, line), here, slope)
            continue
        times_slope(stage.activation, floats_at(dout_at + at, line), floats_at(out_at + at, line), g, slope)
        if coefficients_at:
            blend(width, filters, y_at + at, mean, b, c, dy, dy_row, g_at, middle, a)
            continue
        for j in range(width):
            pixel, here = floats_at(dy + 4 * j * dy_row, filters), floats_at(g_at + 4 * j * filters, filters)
            for f in range(filters):
                pixel[f] = here[f]


@outlined(void(*[int64] * 9))
def gradient_sums(stage_at, dout_at, out_at, chosen_at, y_at, mean_at, inverse_at, g_at, sums_at):
    """Σ g and Σ g·(y − mean)·inverse over one image, for each channel."""
    stage = stage_at_address(stage_at)
    filters, width, slope = stage.filters, stage.out_width, F(stage.slope)
    plain_at, along_at = sums_at, sums_at + 4 * filters
    plain, along, inverse = floats_at(plain_at, filters), floats_at(along_at, filters), floats_at(inverse_at, filters)
    for f in range(filters):
        plain[f] = _0
        along[f] = _0
    pooled = stage.pool_height > 0
    height_out, width_out = (stage.pooled_height, stage.pooled_width) if pooled else (stage.out_height, width)
    line = width_out * filters
    g = floats_at(g_at, line)
    for i in range(height_out):
        at = 4 * i * line
        times_slope(stage.activation, floats_at(dout_at + at, line), floats_at(out_at + at, line), g, slope)
        channel_sum(width_out, filters, filters, g_at, g_at, g_at, plain_at)
        if not pooled:
            products_about(width, filters, filters, y_at + at, mean_at, g_at, along_at)
            continue
        y0, y1, above = _window_rows(stage, i)
        for j in range(width_out):
            x0, x1, beside = _window_columns(stage, j)
            y, place, here = y_at + 4 * (y0 * width + x0) * filters, above * stage.chosen_line + beside, 4 * j * filters
            picked_product(
                g_at + here, chosen_at + at + here, y, width * filters, y1 - y0, x1 - x0, stage.chosen_line, place, filters,
                mean_at, along_at,
            )  # fmt: skip
    for f in range(filters):
        along[f] *= inverse[f]
