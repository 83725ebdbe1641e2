"""Convolutions with stride 1 by Winograd's minimal filtering F(m×m, r×r): (m + r − 1)² products for m² outputs.

    forward:  y = Aᵀ[Σ_c (G·w·Gᵀ) ⊙ (Bᵀ·d·B)]A          d: t×t pixels of x, t = m + r − 1, that overlap by r − 1
    weights:  dw = Gᵀ[Σ (Bᵀ·d·B) ⊙ (A·dy·Aᵀ)]G          over the tiles of all images

F(2×2, 3×3) takes 16 products where direct convolution takes 36, F(4×4, 3×3) 36 for 144, F(2×2, 5×5) 36 for 100. The sums over
channels, or tiles, are t² ordinary products on the register tile, for a strip of tiles at a time, which may belong to several
images, and for a panel of at most COLUMNS filters at a time: U lies panel by panel, U[panel][t²][channels][filters of the panel].

x and dy lie in frames of zeros that hold every tile whole. Which pixels count for an output is exact in exact arithmetic; a
number that is not finite spreads over its tile.

Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv 1509.09308.
"""

from __future__ import annotations

from numba import int64, void

from glassnet.kernels import records
from glassnet.kernels.codegen.addresses import record_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.conv import minimal_filtering as transform
from glassnet.kernels.conv.direct import convolve, convolve_weights, panel_width
from glassnet.kernels.matmul.tile import ADD
from glassnet.kernels.operands import share_of
from glassnet.kernels.sizes import LANES, PADDING, WINOGRAD_TILES, gradient_tiles

_weights_at, _gradient_tiles = record_at(records.WinogradWeights), compiled(gradient_tiles)


@compiled
def _transform_weights(outputs, taps, w, tap_row, tap, filters, u, apart):
    """u = G·w·Gᵀ of one channel; `tap_row`, `tap`: from one row of taps to the next, and from tap to tap."""
    if outputs == 4:
        transform.weights_43(w, tap_row, tap, filters, u, apart)
    elif taps == 5:
        transform.weights_25(w, tap_row, tap, filters, u, apart)
    else:
        transform.weights_23(w, tap_row, tap, filters, u, apart)


@compiled
def _transform_inputs(size, x, line, channels, v, apart):
    """v = Bᵀ·d·B of one tile d of x."""
    if size == 6:
        transform.inputs_6(x, line, channels, channels, v, apart)
    else:
        transform.inputs_4(x, line, channels, channels, v, apart)


@compiled
def _finish_outputs(outputs, taps, m, apart, width, bias, y, line, pixel, rows, columns):
    """y = bias + Aᵀ·m·A of one tile, those of its rows and columns that are there."""
    if outputs == 4:
        transform.outputs_43(m, apart, width, bias, y, line, pixel, rows, columns)
    elif taps == 5:
        transform.outputs_25(m, apart, width, bias, y, line, pixel, rows, columns)
    else:
        transform.outputs_23(m, apart, width, bias, y, line, pixel, rows, columns)


@compiled
def _spread(outputs, taps, dy, line, pixel, width, d, apart):
    """d = A·dy·Aᵀ of one tile."""
    if outputs == 4:
        transform.spread_43(dy, line, pixel, width, d, apart)
    elif taps == 5:
        transform.spread_25(dy, line, pixel, width, d, apart)
    else:
        transform.spread_23(dy, line, pixel, width, d, apart)


@compiled
def _gather_taps(outputs, taps, m, apart, width, w, tap_row, tap):
    """dw = Gᵀ·m·G of one channel."""
    if outputs == 4:
        transform.taps_43(m, apart, width, w, tap_row, tap)
    elif taps == 5:
        transform.taps_25(m, apart, width, w, tap_row, tap)
    else:
        transform.taps_23(m, apart, width, w, tap_row, tap)


@outlined(void(*[int64] * 8))
def transform_weights(outputs, taps, w, channels, filters, u, low, high):
    """U of the weights (r, r, channels, filters), for the channels low … high."""
    products = (outputs + taps - 1) ** 2
    tap, j = channels * filters, 0
    while j < filters:
        width, panel = panel_width(filters - j), u + 4 * products * channels * j
        for c in range(low, high):
            _transform_weights(
                outputs, taps, w + 4 * (c * filters + j), taps * tap, tap, width, panel + 4 * c * width, channels * width
            )
        j += width


@outlined(void(*[int64] * 6))
def gather_weights(outputs, taps, du, channels, filters, dw):
    """dW (r, r, channels, filters) of dU, which lies as U does."""
    products = (outputs + taps - 1) ** 2
    tap, j = channels * filters, 0
    while j < filters:
        width, panel = panel_width(filters - j), du + 4 * products * channels * j
        for c in range(channels):
            _gather_taps(
                outputs, taps, panel + 4 * c * width, channels * width, width, dw + 4 * (c * filters + j), taps * tap, tap
            )
        j += width


@compiled
def winograd_weights(ctx, at, base):
    """Of a layer's weights, or of rotated weights in the workspace: this thread's share of the channels."""
    op = _weights_at(at)
    low, high = share_of(ctx, op.channels)
    transform_weights(
        op.outputs, op.taps, base + 4 * op.weight, op.channels, op.filters, ctx.workspace + 4 * op.transformed, low, high
    )


@outlined(void(*[int64] * 12))
def transform_strip(outputs, size, first, last, across, down, x, image, line, channels, v, apart):
    """The transforms of the tiles first … last, counted image by image and row by row, product by product."""
    for tile in range(first, last):
        number, place = tile // (across * down), tile % (across * down)
        corner = x + 4 * (number * image + outputs * (place // across * line + place % across * channels))
        _transform_inputs(size, corner, line, channels, v + 4 * (tile - first) * channels, apart)


@outlined(void(*[int64] * 17))
def winograd(
    outputs, taps, images, x, x_image, line, channels, u, filters, bias, y, y_image, y_line, out_height, out_width, zeros,
    scratch,
):  # fmt: skip
    """y = b + x ∗ W for some images, of U at `u`; distances in floats, `scratch`: see winograd_floats."""
    size = outputs + taps - 1
    products = size * size
    across, down = (out_width + outputs - 1) // outputs, (out_height + outputs - 1) // outputs
    total = images * across * down
    strips = (total + WINOGRAD_TILES - 1) // WINOGRAD_TILES
    for strip in range(strips):
        first, last = total * strip // strips, total * (strip + 1) // strips
        tiles = last - first
        apart = tiles * channels + LANES  # a cache line more: powers of two would fall on the same places of the cache
        transform_strip(outputs, size, first, last, across, down, x, x_image, line, channels, scratch, apart)
        m, j = scratch + 4 * (products * apart + PADDING), 0
        while j < filters:
            width, panel = panel_width(filters - j), u + 4 * products * channels * j
            m_apart = tiles * width + LANES
            for product in range(products):
                convolve(
                    scratch + 4 * product * apart, int64(0), channels, int64(0), int64(1), channels,
                    panel + 4 * product * channels * width, width, zeros, m + 4 * product * m_apart, int64(0), int64(1), tiles,
                )  # fmt: skip
            for tile in range(first, last):
                number, place = tile // (across * down), tile % (across * down)
                top, left = outputs * (place // across), outputs * (place % across)
                _finish_outputs(
                    outputs, taps, m + 4 * (tile - first) * width, m_apart, width, bias + 4 * j,
                    y + 4 * (number * y_image + top * y_line + left * filters + j), y_line, filters, out_height - top,
                    out_width - left,
                )  # fmt: skip
            j += width


@outlined(void(*[int64] * 17))
def winograd_gradient(
    outputs, taps, images, x, x_image, line, channels, dy, dy_image, dy_line, filters, du, out_height, out_width, mode, zeros,
    scratch,
):  # fmt: skip
    """dU ⊕ Σ over the tiles of some images, dU as U; mode SET or ADD. Distances in floats."""
    size = outputs + taps - 1
    products = size * size
    across, down = (out_width + outputs - 1) // outputs, (out_height + outputs - 1) // outputs
    total, most = images * across * down, _gradient_tiles(channels, filters)
    strips = (total + most - 1) // most
    for strip in range(strips):
        first, last = total * strip // strips, total * (strip + 1) // strips
        tiles = last - first
        apart = tiles * channels + LANES
        transform_strip(outputs, size, first, last, across, down, x, x_image, line, channels, scratch, apart)
        d, j = scratch + 4 * (products * apart + PADDING), 0
        while j < filters:
            width, panel = panel_width(filters - j), du + 4 * products * channels * j
            d_apart = tiles * width + LANES
            for tile in range(first, last):
                number, place = tile // (across * down), tile % (across * down)
                corner = dy + 4 * (number * dy_image + outputs * (place // across * dy_line + place % across * filters) + j)
                _spread(outputs, taps, corner, dy_line, filters, width, d + 4 * (tile - first) * width, d_apart)
            for product in range(products):
                convolve_weights(
                    scratch + 4 * product * apart, int64(0), channels, int64(0), int64(1), channels,
                    d + 4 * product * d_apart, int64(1), width, width, panel + 4 * product * channels * width, int64(1),
                    tiles, mode if strip == 0 else ADD, zeros,
                )  # fmt: skip
            j += width
