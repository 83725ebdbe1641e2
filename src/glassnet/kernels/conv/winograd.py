"""Convolutions with stride 1 by Winograd's minimal filtering F(m×m, r×r): (m + r − 1)² products for m² outputs.

    forward:  y = Aᵀ[Σ_c (G·w·Gᵀ) ⊙ (Bᵀ·d·B)]A          d: t×t pixels of x, t = m + r − 1, that overlap by r − 1
    weights:  dw = Gᵀ[Σ (Bᵀ·d·B) ⊙ (A·dy·Aᵀ)]G          over the tiles of all images

F(2×2, 3×3) takes 16 products where direct convolution takes 36, F(4×4, 3×3) 36 for 144, F(2×2, 5×5) 36 for 100. The sums over
channels, or tiles, are t² ordinary products on the register tile, for a strip of tiles at a time, which may belong to several
images, and for a panel of at most COLUMNS filters at a time. U lies panel by panel: (panels, t², channels, its filters).

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


# The tiles first … last of some images, counted image by image and row by row: the loops for each transform. What a tile has
# begins at a place that is found without a division, and its factors stay in registers.


@compiled
def _place(tile, across, down):
    """The image of a tile, its row and its column."""
    row = tile // across
    return row // down, row % down, tile % across


@compiled
def _next(number, row, column, across, down):
    """The place behind a tile's."""
    column += 1
    if column == across:
        row, column = row + 1, int64(0)
        if row == down:
            number, row = number + 1, int64(0)
    return number, row, column


def _of_tiles(transform_tile):
    """The tiles of pixels, transformed, product by product."""

    @compiled
    def of_tiles(outputs, first, last, across, down, x, image, line, pixel, channels, v, apart):
        number, row, column = _place(first, across, down)
        for _ in range(first, last):
            corner = x + 4 * (number * image + outputs * (row * line + column * pixel))
            transform_tile(corner, line, pixel, channels, v, apart)
            v += 4 * channels
            number, row, column = _next(number, row, column, across, down)

    return of_tiles


def _to_tiles(transform_tile):
    """The tiles of pixels from their products, with a bias."""

    @compiled
    def to_tiles(outputs, first, last, across, down, m, apart, width, bias, y, image, line, pixel, out_height, out_width):
        number, row, column = _place(first, across, down)
        for _ in range(first, last):
            top, left = outputs * row, outputs * column
            corner = y + 4 * (number * image + top * line + left * pixel)
            transform_tile(m, apart, width, bias, corner, line, pixel, out_height - top, out_width - left)
            m += 4 * width
            number, row, column = _next(number, row, column, across, down)

    return to_tiles


_inputs_4, _inputs_6 = map(_of_tiles, (transform.inputs_4, transform.inputs_6))
_spread_23, _spread_43, _spread_25 = map(_of_tiles, (transform.spread_23, transform.spread_43, transform.spread_25))
_outputs_23, _outputs_43, _outputs_25 = map(_to_tiles, (transform.outputs_23, transform.outputs_43, transform.outputs_25))


@outlined(void(*[int64] * 12))
def transform_inputs(outputs, size, first, last, across, down, x, image, line, channels, v, apart):
    """v = Bᵀ·d·B"""
    if size == 6:
        _inputs_6(outputs, first, last, across, down, x, image, line, channels, channels, v, apart)
    else:
        _inputs_4(outputs, first, last, across, down, x, image, line, channels, channels, v, apart)


@outlined(void(*[int64] * 13))
def spread_gradients(outputs, taps, first, last, across, down, dy, image, line, filters, width, d, apart):
    """d = A·dy·Aᵀ of `width` filters."""
    if outputs == 4:
        _spread_43(outputs, first, last, across, down, dy, image, line, filters, width, d, apart)
    elif taps == 5:
        _spread_25(outputs, first, last, across, down, dy, image, line, filters, width, d, apart)
    else:
        _spread_23(outputs, first, last, across, down, dy, image, line, filters, width, d, apart)


@outlined(void(*[int64] * 16))
def finish_outputs(
    outputs, taps, first, last, across, down, m, apart, width, bias, y, image, line, pixel, out_height, out_width
):
    """y = bias + Aᵀ·m·A of `width` filters, those rows and columns of the tiles that are there."""
    if outputs == 4:
        _outputs_43(outputs, first, last, across, down, m, apart, width, bias, y, image, line, pixel, out_height, out_width)
    elif taps == 5:
        _outputs_25(outputs, first, last, across, down, m, apart, width, bias, y, image, line, pixel, out_height, out_width)
    else:
        _outputs_23(outputs, first, last, across, down, m, apart, width, bias, y, image, line, pixel, out_height, out_width)


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


@outlined(void(*[int64] * 18))
def winograd(
    outputs, taps, images, x, x_image, line, channels, u, filters, bias, y, y_image, y_line, y_pixel, out_height, out_width,
    zeros, scratch,
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
        transform_inputs(outputs, size, first, last, across, down, x, x_image, line, channels, scratch, apart)
        m, j = scratch + 4 * (products * apart + PADDING), 0
        while j < filters:
            width, panel = panel_width(filters - j), u + 4 * products * channels * j
            m_apart = tiles * width + LANES
            for product in range(products):
                convolve(
                    scratch + 4 * product * apart, int64(0), channels, int64(0), int64(1), channels,
                    panel + 4 * product * channels * width, width, zeros, m + 4 * product * m_apart, int64(0), int64(1),
                    tiles,
                )  # fmt: skip
            finish_outputs(
                outputs, taps, first, last, across, down, m, m_apart, width, bias + 4 * j, y + 4 * j, y_image, y_line,
                y_pixel, out_height, out_width,
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
        transform_inputs(outputs, size, first, last, across, down, x, x_image, line, channels, scratch, apart)
        d, j = scratch + 4 * (products * apart + PADDING), 0
        while j < filters:
            width, panel = panel_width(filters - j), du + 4 * products * channels * j
            d_apart = tiles * width + LANES
            spread_gradients(
                outputs, taps, first, last, across, down, dy + 4 * j, dy_image, dy_line, filters, width, d, d_apart
            )
            for product in range(products):
                convolve_weights(
                    scratch + 4 * product * apart, int64(0), channels, int64(0), int64(1), channels,
                    d + 4 * product * d_apart, int64(1), width, width, panel + 4 * product * channels * width, int64(1),
                    tiles, mode if strip == 0 else ADD, zeros,
                )  # fmt: skip
            j += width
