"""What follows a convolution while its rows are still in the cache: normalise, activate, pool; and the way back.

    forward:  out = pool(σ(y · gain + shift))
    back:     g = dout · σ′(out), at the place of its window that was chosen
              dy = a·g + b·y + c, or g if not normalised

σ is one whose derivative follows from its output: sigmoid, tanh, ReLU, leaky ReLU; all of them rise, so that the largest of a
window may be found before σ is applied. gain, shift, a, b and c are numbers of a channel.
"""

from __future__ import annotations

import numpy as np
from numba import int64, void

from glassnet.kernels.elementwise import sigmoid, tanh
from glassnet.kernels.jit import compiled, outlined
from glassnet.kernels.memory import floats_at, int32_at
from glassnet.kernels.operations import LEAKY_RELU, RELU, SIGMOID, TANH
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
def _times_slope(kind, dout, out, g, slope):
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
def _normalise(y_at, out_at, pixels, filters, gain, shift):
    for i in range(pixels):
        y, out = floats_at(y_at + 4 * i * filters, filters), floats_at(out_at + 4 * i * filters, filters)
        for f in range(filters):
            out[f] = y[f] * gain[f] + shift[f]


@compiled
def _pool_row(stage, py, y_at, out_at, chosen_at, gain_at, shift_at):
    """The largest of each window in row `py` of the pooled picture, before σ, and which place it has in its window."""
    filters, width = stage.filters, stage.out_width
    top, left = py * stage.pool_stride_y - stage.pool_top, -stage.pool_left
    y0, y1 = max(0, top), min(stage.out_height, top + stage.pool_height)
    gain, shift = floats_at(gain_at, filters), floats_at(shift_at, filters)
    for px in range(stage.pooled_width):
        out = floats_at(out_at + 4 * px * filters, filters)
        chosen = int32_at(chosen_at + 4 * px * filters, filters)
        x0, x1 = max(0, left), min(width, left + stage.pool_width)
        first = True
        for i in range(y0, y1):
            for j in range(x0, x1):
                values = floats_at(y_at + 4 * (i * width + j) * filters, filters)
                place = np.int32((i - top) * stage.pool_width + j - left)
                if first and gain_at:
                    for f in range(filters):
                        out[f] = values[f] * gain[f] + shift[f]
                        chosen[f] = place
                elif first:
                    for f in range(filters):
                        out[f] = values[f]
                        chosen[f] = place
                elif gain_at:
                    for f in range(filters):
                        value = values[f] * gain[f] + shift[f]
                        chosen[f] = place if value > out[f] else chosen[f]
                        out[f] = value if value > out[f] else out[f]
                else:
                    for f in range(filters):
                        chosen[f] = place if values[f] > out[f] else chosen[f]
                        out[f] = values[f] if values[f] > out[f] else out[f]
                first = False
        left += stage.pool_stride_x


@outlined(void(*[int64] * 6))
def finish(stage_at, y_at, out_at, chosen_at, gain_at, shift_at):
    """out = pool(σ(y · gain + shift)) for one picture; gain_at 0: y as it is."""
    stage = stage_at_address(stage_at)
    filters, slope = stage.filters, F(stage.slope)
    if stage.pool_height:
        line = stage.pooled_width * filters
        for py in range(stage.pooled_height):
            _pool_row(stage, py, y_at, out_at + 4 * py * line, chosen_at + 4 * py * line, gain_at, shift_at)
            _activate_in_place(stage.activation, floats_at(out_at + 4 * py * line, line), slope)
        return
    line = stage.out_width * filters
    for i in range(stage.out_height):
        out = floats_at(out_at + 4 * i * line, line)
        if gain_at:
            gain, shift = floats_at(gain_at, filters), floats_at(shift_at, filters)
            _normalise(y_at + 4 * i * line, out_at + 4 * i * line, stage.out_width, filters, gain, shift)
        elif y_at != out_at:
            y = floats_at(y_at + 4 * i * line, line)
            for j in range(line):
                out[j] = y[j]
        _activate_in_place(stage.activation, out, slope)


@compiled
def _scatter_row(stage, py, g_at, chosen_at, dy_at, dy_line, dy_row, a_at):
    """dy += a·g at the chosen place of each window in row `py` of the pooled picture."""
    filters, width = stage.filters, stage.out_width
    top, left = py * stage.pool_stride_y - stage.pool_top, -stage.pool_left
    y0, y1 = max(0, top), min(stage.out_height, top + stage.pool_height)
    a = floats_at(a_at, filters)
    for px in range(stage.pooled_width):
        g, chosen = floats_at(g_at + 4 * px * filters, filters), int32_at(chosen_at + 4 * px * filters, filters)
        for i in range(y0, y1):
            for j in range(max(0, left), min(width, left + stage.pool_width)):
                dy = floats_at(dy_at + 4 * (i * dy_line + j * dy_row), filters)
                place = np.int32((i - top) * stage.pool_width + j - left)
                if a_at:
                    for f in range(filters):
                        dy[f] += a[f] * g[f] if chosen[f] == place else _0
                else:
                    for f in range(filters):
                        dy[f] += g[f] if chosen[f] == place else _0
        left += stage.pool_stride_x


@outlined(void(*[int64] * 9))
def undo(stage_at, dout_at, out_at, chosen_at, y_at, coefficients_at, g_at, dy_at, dy_line):
    """dy of one picture, its rows `dy_line` floats apart, its pixels apart as the stride asks; `g_at`: room for one row.

    coefficients_at 0: not normalised. What lies between the pixels of dy is left alone.
    """
    stage = stage_at_address(stage_at)
    filters, slope = stage.filters, F(stage.slope)
    framed = stage.dx >= 0 and not stage.scatters
    dy_row = filters * stage.stride_x if framed else filters
    step = dy_line * stage.stride_y if framed else dy_line
    a, b = floats_at(coefficients_at, filters), floats_at(coefficients_at + 4 * filters, filters)
    c = floats_at(coefficients_at + 8 * filters, filters)
    if stage.pool_height:
        for i in range(stage.out_height):
            for j in range(stage.out_width):
                dy = floats_at(dy_at + 4 * (i * step + j * dy_row), filters)
                if coefficients_at:
                    y = floats_at(y_at + 4 * (i * stage.out_width + j) * filters, filters)
                    for f in range(filters):
                        dy[f] = b[f] * y[f] + c[f]
                else:
                    for f in range(filters):
                        dy[f] = _0
        line = stage.pooled_width * filters
        g = floats_at(g_at, line)
        for py in range(stage.pooled_height):
            at = 4 * py * line
            _times_slope(stage.activation, floats_at(dout_at + at, line), floats_at(out_at + at, line), g, slope)
            _scatter_row(stage, py, g_at, chosen_at + at, dy_at, step, dy_row, coefficients_at)
        return
    line = stage.out_width * filters
    g = floats_at(g_at, line)
    for i in range(stage.out_height):
        at = 4 * i * line
        _times_slope(stage.activation, floats_at(dout_at + at, line), floats_at(out_at + at, line), g, slope)
        for j in range(stage.out_width):
            dy, here = floats_at(dy_at + 4 * (i * step + j * dy_row), filters), floats_at(g_at + 4 * j * filters, filters)
            if coefficients_at:
                y = floats_at(y_at + at + 4 * j * filters, filters)
                for f in range(filters):
                    dy[f] = a[f] * here[f] + b[f] * y[f] + c[f]
            else:
                for f in range(filters):
                    dy[f] = here[f]


@outlined(void(*[int64] * 9))
def gradient_sums(stage_at, dout_at, out_at, chosen_at, y_at, mean_at, inverse_at, g_at, sums_at):
    """Σ g and Σ g·(y − mean)·inverse over one picture, for each channel."""
    stage = stage_at_address(stage_at)
    filters, width, slope = stage.filters, stage.out_width, F(stage.slope)
    mean, inverse = floats_at(mean_at, filters), floats_at(inverse_at, filters)
    plain, scaled = floats_at(sums_at, filters), floats_at(sums_at + 4 * filters, filters)
    for f in range(filters):
        plain[f] = _0
        scaled[f] = _0
    pooled = stage.pool_height > 0
    height_out, width_out = (stage.pooled_height, stage.pooled_width) if pooled else (stage.out_height, width)
    line = width_out * filters
    g_row = floats_at(g_at, line)
    for i in range(height_out):
        at = 4 * i * line
        _times_slope(stage.activation, floats_at(dout_at + at, line), floats_at(out_at + at, line), g_row, slope)
        top, left = i * stage.pool_stride_y - stage.pool_top, -stage.pool_left
        for j in range(width_out):
            g = floats_at(g_at + 4 * j * filters, filters)
            for f in range(filters):
                plain[f] += g[f]
            if not pooled:
                y = floats_at(y_at + at + 4 * j * filters, filters)
                for f in range(filters):
                    scaled[f] += g[f] * (y[f] - mean[f]) * inverse[f]
                continue
            chosen = int32_at(chosen_at + at + 4 * j * filters, filters)
            for row in range(max(0, top), min(stage.out_height, top + stage.pool_height)):
                for column in range(max(0, left), min(width, left + stage.pool_width)):
                    y = floats_at(y_at + 4 * (row * width + column) * filters, filters)
                    place = np.int32((row - top) * stage.pool_width + column - left)
                    for f in range(filters):
                        scaled[f] += g[f] * (y[f] - mean[f]) * inverse[f] if chosen[f] == place else _0
            left += stage.pool_stride_x
