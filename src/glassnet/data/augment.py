"""The definition of augmentation, in NumPy; the kernels of kernels/augmentation.py compute the same."""

from __future__ import annotations

from math import log
from types import SimpleNamespace

import numpy as np
from numpy.typing import DTypeLike, NDArray

from glassnet.kernels.records import AugmentOptions
from glassnet.support.arrays import Array
from glassnet.support.random_keys import FIELD_SCALE, Draw, split_mix


def augment(
    images: Array,
    options: NDArray[np.void],
    key: np.uint64,
    dtype: DTypeLike = np.float32,
    first: int = 0,
    mirrored: NDArray[np.bool_] | None = None,
) -> Array:
    """Images (N, H, W, C), bytes or floats, each transformed at random: floats in the images' own range.

    A pixel p of the result is taken, bilinearly, from centre + M·(p − centre − shift) + elastic(p) of the image, where M
    undoes, in this order, rotation, scale and stretch, shear, and flips. Then value → mean + contrast·(value − mean) +
    brightness, and a rectangle is erased. Image i draws its numbers from SplitMix64 started at the (first + i + 1)-th
    number of SplitMix64 started at `key`. `mirrored`: which images are mirrored left and right besides.
    """
    o = SimpleNamespace(**{name: float(options[name][0]) for name in AugmentOptions.dtype.names or ()})
    count, height, width, _ = images.shape
    own = split_mix(key, np.arange(first, first + count, dtype=np.uint64))
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    x, y = _inverse(o, own, x, y, mirrored)
    if o.elastic > 0:
        right, down = _elastic(o, own, height, width)
        x, y = x + right, y + down
    result = _sample(images, x, y, beyond=int(o.beyond))
    mean = images.mean(axis=(1, 2, 3), dtype=np.float64, keepdims=True)
    if o.contrast > 0 or o.brightness > 0:
        result = _shaded(o, own, result, mean, is_bytes=images.dtype == np.uint8)
    if o.erase > 0:
        hidden = _erased(o, own, height, width)[..., None]
        result = np.where(hidden, mean if o.beyond > 0 else 0.0, result)
    return result.astype(dtype)


def in_turn(flips: np.uint64, images: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which images, by their numbers, are mirrored in an epoch: `flips` is a key, then the parity of the epoch."""
    drawn = split_mix(flips >> np.uint64(1), images.astype(np.uint64)) >> np.uint64(63)
    return np.asarray((drawn ^ flips) & np.uint64(1), dtype=np.bool_)


def _uniform(own: NDArray[np.uint64], number: int) -> Array:
    """A number of [0, 1) for each image, in steps of 2⁻²⁴."""
    drawn = split_mix(own, np.uint64(number)) >> np.uint64(40)
    return (2.0**-24 * drawn.astype(np.float64))[:, None, None]


def _symmetric(own: NDArray[np.uint64], number: int) -> Array:
    """A number of [−1, 1) for each image."""
    return 2 * _uniform(own, number) - 1


def _inverse(
    o: SimpleNamespace, own: NDArray[np.uint64], x: Array, y: Array, mirrored: NDArray[np.bool_] | None
) -> tuple[Array, Array]:
    """Where each pixel of the result comes from, but for the elastic field."""
    angle = o.rotation * _symmetric(own, Draw.ROTATION)
    size = 1 + o.scale * _symmetric(own, Draw.SCALE)
    stretch = 1 + o.stretch * _symmetric(own, Draw.STRETCH)
    lean = np.tan(o.shear * _symmetric(own, Draw.SHEAR))
    right, down = (
        o.shift * _symmetric(own, shift) + np.floor(_uniform(own, crop) * (2 * o.crop + 1)) - o.crop
        for shift, crop in ((Draw.SHIFT_X, Draw.CROP_X), (Draw.SHIFT_Y, Draw.CROP_Y))
    )
    centre_x, centre_y = x.max() / 2, y.max() / 2
    x, y = x - centre_x - right, y - centre_y - down
    x, y = np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y
    x, y = x / (size * stretch), y * stretch / size
    x = x + lean * y
    flip = _uniform(own, Draw.FLIP_X) < o.flip_x
    x = np.where(flip if mirrored is None else flip | mirrored[:, None, None], -x, x)
    y = np.where(_uniform(own, Draw.FLIP_Y) < o.flip_y, -y, y)
    return x + centre_x, y + centre_y


def _elastic(o: SimpleNamespace, own: NDArray[np.uint64], height: int, width: int) -> tuple[Array, Array]:
    """Shifts right and down, (N, H, W) each: cubic B-splines over random control points.

    `elastic` is their standard deviation; a control point is the sum of four 16-bit numbers, which is nearly normal.
    """
    cells = int(o.elastic_grid)
    controls = cells + 3
    numbers = np.arange(Draw.FIELD, Draw.FIELD + 2 * controls**2, dtype=np.uint64)
    drawn = split_mix(own[:, None], numbers)
    total = sum((drawn >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48))
    points = (np.asarray(total).astype(np.float64) - 2 * 0xFFFF) * (o.elastic * FIELD_SCALE)
    per_pixel = cells / max(height, width)
    across, along = (_spline((np.arange(size) + 0.5) * per_pixel, controls) for size in (width, height))
    shifts = np.einsum("nicd,yi,xd->ncyx", points.reshape(len(own), controls, 2, controls), along, across, optimize=True)
    return shifts[:, 0], shifts[:, 1]


def _spline(u: Array, controls: int) -> Array:
    """The weights (len(u), controls) of control points −1, 0, 1 … at the places u: cubic B-splines."""
    distance = np.abs(u[:, None] - np.arange(-1, controls - 1))
    near = (4 - 6 * distance**2 + 3 * distance**3) / 6
    far = np.maximum(2 - distance, 0) ** 3 / 6
    return np.where(distance < 1, near, far)


def _sample(images: Array, x: Array, y: Array, *, beyond: int) -> Array:
    """Bilinear values (N, H, W, C) at the places x, y (N, H, W); outside, zeros, the images' edge or their reflection."""
    count, height, width, _ = images.shape
    margin = ((0, 0), (1, 2), (1, 2), (0, 0))
    wide = np.pad(images.astype(np.float64), margin, mode="edge" if beyond else "constant")
    if beyond == 2:
        x, y = ((size - 1) - np.abs((size - 1) - np.abs(place)) for size, place in ((width, x), (height, y)))
    x, y = np.clip(x + 1, 0, width + 1), np.clip(y + 1, 0, height + 1)
    j, i, n = x.astype(np.int64), y.astype(np.int64), np.arange(count)[:, None, None]
    right, down = (x - j)[..., None], (y - i)[..., None]
    above = wide[n, i, j] * (1 - right) + wide[n, i, j + 1] * right
    below = wide[n, i + 1, j] * (1 - right) + wide[n, i + 1, j + 1] * right
    return above * (1 - down) + below * down


def _shaded(o: SimpleNamespace, own: NDArray[np.uint64], values: Array, mean: Array, *, is_bytes: bool) -> Array:
    """Contrast about each image's mean, and brightness in units of the full range; bytes stay within theirs."""
    contrast = 1 + (o.contrast * _symmetric(own, Draw.CONTRAST))[..., None]
    brightness = (o.brightness * _symmetric(own, Draw.BRIGHTNESS))[..., None]
    values = mean + contrast * (values - mean) + brightness * (255 if is_bytes else 1)
    return np.clip(values, 0, 255) if is_bytes else values


def _erased(o: SimpleNamespace, own: NDArray[np.uint64], height: int, width: int) -> NDArray[np.bool_]:
    """True within each image's rectangle, (N, H, W); its sides are up to 1 : 3 or 3 : 1."""
    least, most = o.erase_least, o.erase_most
    side = np.sqrt((least + (most - least) * _uniform(own, Draw.ERASE_SIZE)) * height * width)
    slant = np.exp(0.5 * log(3.0) * _symmetric(own, Draw.ERASE_SHAPE))
    high = np.clip(np.floor(side * slant + 0.5), 1, height)
    across = np.clip(np.floor(side / slant + 0.5), 1, width)
    top = np.floor(_uniform(own, Draw.ERASE_Y) * (height - high + 1))
    left = np.floor(_uniform(own, Draw.ERASE_X) * (width - across + 1))
    i, j = np.arange(height)[:, None], np.arange(width)
    inside = (i >= top) & (i < top + high) & (j >= left) & (j < left + across)
    return inside & (_uniform(own, Draw.ERASE) < o.erase)
