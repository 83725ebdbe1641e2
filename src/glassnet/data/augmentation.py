"""Augmentation: every image of every training step under a small random transform of its own."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from math import isfinite, log, radians
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from glassnet.errors import InputError, ShapeError
from glassnet.kernels.codegen.host import kernels_enabled
from glassnet.kernels.records import AugmentOptions
from glassnet.kernels.sizes import aligned_zeros, warp_layout
from glassnet.support.arrays import Array
from glassnet.support.i18n import mark, tr
from glassnet.support.random_keys import FIELD_SCALE, Draw, split_mix
from glassnet.support.registry import unknown

FLIPS = {"none": (0.0, 0.0), "horizontal": (0.5, 0.0), "vertical": (0.0, 0.5), "both": (0.5, 0.5)}
FILLS = ("zero", "edge")
LIMITS: dict[str, tuple[float, bool, str]] = {  # the highest value, whether it is allowed itself, and in words
    "shift": (float("inf"), False, mark("pixels, 0 or more")),
    "rotation": (180, True, mark("degrees, 0 to 180")),
    "scale": (1, False, mark("a share, 0 ≤ scale < 1")),
    "stretch": (1, False, mark("a share, 0 ≤ stretch < 1")),
    "shear": (90, False, mark("degrees, 0 ≤ shear < 90")),
    "elastic": (float("inf"), False, mark("pixels, 0 or more")),
    "elastic_grid": (64, True, mark("a whole number, 1 to 64")),
    "crop": (float("inf"), False, mark("whole pixels, 0 or more")),
    "brightness": (1, True, mark("a share of the full range, 0 to 1")),
    "contrast": (1, True, mark("a share, 0 to 1")),
    "erase": (1, True, mark("a probability, 0 to 1")),
}
WHOLE = ("elastic_grid", "crop")


@dataclass(frozen=True)
class Augmentation:
    """Which random changes training images get; each number is the most of a change, drawn evenly from − to +.

    `shift`        pixels, to the right and down, fractions too.
    `rotation`     degrees about the image's centre, counter-clockwise if positive.
    `scale`        share of the size: 0.1 draws a factor from 0.9 to 1.1.
    `stretch`      share by which the image gets wider and, in turn, lower: 0.1 draws a factor from 0.9 to 1.1.
    `shear`        degrees by which upright strokes lean to the right.
    `elastic`      pixels: the standard deviation of a smooth field of shifts (Simard et al., ICDAR 2003). Up to a fifth of a
                   cell strokes stay whole: 1.4 for 28×28.
    `elastic_grid` cells of that field along the longer side: more are rougher. Cubic B-splines join their corners.
    `flip`         "horizontal" or True mirrors left and right in half of the cases, "vertical" top and bottom, "both" each;
                   a number is the probability of the horizontal one.
    `crop`         pixels of margin put around the image before a window of its size is cut out at a random place.
    `brightness`   share of the full range (255 of bytes, 1 of floats) that is added.
    `contrast`     share by which differences from the image's mean grow or shrink.
    `erase`        probability that a rectangle is erased; `erase_size`: its share of the area, from least to most.
    `fill`         what lies beyond the image: "zero", as suits ink on black, or "edge", its edge repeated, as suits
                   photographs. Rectangles are erased with zeros, or with the image's mean.

    All that moves pixels is one bilinear resampling. Bytes stay within 0 to 255. Raises `InputError` for values out of range.
    """

    shift: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    stretch: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0
    elastic_grid: int = 4
    flip: bool | float | str = False
    crop: int = 0
    brightness: float = 0.0
    contrast: float = 0.0
    erase: float = 0.0
    erase_size: tuple[float, float] = (0.02, 0.2)
    fill: str = "zero"

    def __post_init__(self) -> None:
        for name, (highest, included, words) in LIMITS.items():
            value = getattr(self, name)
            good = _is_number(value, whole=name in WHOLE) and value >= (1 if name == "elastic_grid" else 0)
            if not good or value > highest or (value == highest and not included):
                raise _wrong(name, tr(words), value)
            object.__setattr__(self, name, int(value) if name in WHOLE else float(value))
        probability = isinstance(self.flip, (int, float)) and 0 <= self.flip <= 1
        if not probability and not (isinstance(self.flip, str) and self.flip in FLIPS):
            raise _wrong("flip", tr("True | False | 'horizontal' | 'vertical' | 'both' | a probability"), self.flip)
        size = self.erase_size
        if not (isinstance(size, (tuple, list)) and len(size) == 2 and all(_is_number(part) for part in size)):
            raise _wrong("erase_size", tr("two numbers, such as (0.02, 0.2)"), size)
        if not 0 < size[0] <= size[1] <= 1:
            raise _wrong("erase_size", "0 < least ≤ most ≤ 1", size)
        object.__setattr__(self, "erase_size", (float(size[0]), float(size[1])))
        if self.fill not in FILLS:
            raise _wrong("fill", " | ".join(map(repr, FILLS)), self.fill)

    @property
    def flips(self) -> tuple[float, float]:
        """The probabilities of mirroring left and right, and top and bottom."""
        if isinstance(self.flip, str):
            return FLIPS[self.flip]
        return (0.5 if self.flip is True else float(self.flip)), 0.0

    @property
    def record(self) -> NDArray[np.void]:
        """The options as the kernel takes them."""
        flip_x, flip_y = self.flips
        least, most = self.erase_size
        return AugmentOptions.make(
            shift=self.shift, rotation=radians(self.rotation), scale=self.scale, stretch=self.stretch,
            shear=radians(self.shear), elastic=self.elastic, elastic_grid=self.elastic_grid, flip_x=flip_x, flip_y=flip_y,
            crop=self.crop, brightness=self.brightness, contrast=self.contrast, erase=self.erase, erase_least=least,
            erase_most=most, edge=self.fill == "edge",
        )  # fmt: skip

    @property
    def changes(self) -> bool:
        """Whether any image is changed at all."""
        amounts = (self.shift, self.rotation, self.scale, self.stretch, self.shear, self.elastic, self.crop, self.brightness)
        return any((*amounts, self.contrast, self.erase, *self.flips))

    def __call__(self, images: Array, seed: int = 0) -> Array:
        """Images (N, H, W, C) or (N, H, W), each under its own transform; the same `seed`, the same transforms.

        They keep their shape and type: bytes are rounded.
        """
        images = np.asarray(images)
        if images.ndim not in (3, 4) or images.dtype.kind not in "uif" or not images.size:
            raise ShapeError(
                tr("Only images can be augmented."),
                where="Augmentation(images)",
                expected=tr("numbers (N, H, W, C) or (N, H, W)"),
                received=f"{images.dtype} {images.shape}",
            )
        key = np.random.default_rng(seed).integers(0, 2**64, dtype=np.uint64)
        numbers = images if images.dtype in (np.uint8, np.float32) else images.astype(np.float64)
        found = _augmented(numbers.reshape((*images.shape, 1)[:4]), self, key).reshape(images.shape)
        return found if images.dtype.kind == "f" else np.rint(found).astype(images.dtype)

    def scratch(self, shape: tuple[int, int, int]) -> int:
        """Bytes of scratch that the kernel needs for images of `shape`."""
        return 4 * warp_layout(*shape, self.elastic_grid)[-1]


def _augmented(images: Array, augmentation: Augmentation, key: np.uint64) -> Array:
    """Floats (N, H, W, C): by the kernel where kernels are enabled and the type is not float64."""
    _, height, width, channels = images.shape
    if not kernels_enabled() or images.dtype == np.float64:
        blocks = [augment(images[i : i + 256], augmentation, key, np.float64, i) for i in range(0, len(images), 256)]
        return np.concatenate(blocks).astype(np.float64 if images.dtype == np.float64 else np.float32)
    from glassnet.kernels.library import library

    images, found = np.ascontiguousarray(images), np.empty(images.shape, dtype=np.float32)
    scratch = aligned_zeros(augmentation.scratch((height, width, channels)), np.uint8)
    options, order = augmentation.record, np.arange(len(images))
    library()["glassnet_augment"](
        options.ctypes.data, images.ctypes.data, int(images.dtype == np.uint8), order.ctypes.data, 0, 0, len(images),
        height, width, channels, int(key), found.ctypes.data, scratch.ctypes.data,
    )  # fmt: skip
    return found


def as_augmentation(value: Augmentation | dict[str, Any] | None, where: str) -> Augmentation | None:
    """An augmentation from itself or its options; None where no image would change."""
    if isinstance(value, dict):
        fields = [field.name for field in dataclasses.fields(Augmentation)]
        for option in value:
            if option not in fields and (option, value[option]) != ("type", "Augmentation"):
                raise unknown(tr("option of Augmentation"), option, fields, where)
        value = Augmentation(**{name: option for name, option in value.items() if name != "type"})
    if value is not None and not isinstance(value, Augmentation):
        raise InputError(
            tr("This is no augmentation."),
            where=where,
            expected=tr("an Augmentation, or its options such as {options}", options="{'shift': 2}"),
            received=repr(value),
        )
    return value if value is not None and value.changes else None


def image_shape(shapes: list[tuple[int, ...]], where: str) -> tuple[int, int, int]:
    """(H, W, C) of the images: the first of the shapes that is one."""
    for shape in shapes:
        if len(shape) in (2, 3):
            height, width, channels = (*shape, 1)[:3]
            return height, width, channels
    raise ShapeError(
        tr("Augmentation needs to know how the pixels lie."),
        where=where,
        expected=tr("images (N, H, W, C), or a network with input_shape=(H, W, C)"),
        received=tr("rows of {features} numbers", features=shapes[0][0]),
        hint="images.reshape(-1, H, W, C)",
    )


def _is_number(value: object, *, whole: bool = False) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        return False
    return isfinite(value) and (not whole or int(value) == value)


def _wrong(name: str, expected: str, received: object) -> InputError:
    return InputError(
        tr("Augmentation can't take this {name}.", name=name),
        where=f"Augmentation({name})",
        expected=expected,
        received=repr(received),
    )


def augment(
    images: Array, augmentation: Augmentation, key: np.uint64, dtype: DTypeLike = np.float32, first: int = 0
) -> Array:
    """Images (N, H, W, C), bytes or floats, each transformed at random: floats in the images' own range.

    A pixel p of the result is taken, bilinearly, from centre + M·(p − centre − shift) + elastic(p) of the image, where M
    undoes, in this order, rotation, scale and stretch, shear, and flips. Then value → mean + contrast·(value − mean) +
    brightness, and a rectangle is erased. Image i draws its numbers from SplitMix64 started at the (first + i + 1)-th
    number of SplitMix64 started at `key`.
    """
    options = augmentation.record[0]
    o = SimpleNamespace(**{name: float(options[name]) for name in AugmentOptions.dtype.names or ()})
    count, height, width, _ = images.shape
    own = split_mix(key, np.arange(first, first + count, dtype=np.uint64))
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    x, y = _inverse(o, own, x, y)
    if o.elastic > 0:
        right, down = _elastic(o, own, height, width)
        x, y = x + right, y + down
    result = _sample(images, x, y, edge=o.edge > 0)
    mean = images.mean(axis=(1, 2, 3), dtype=np.float64, keepdims=True)
    if o.contrast > 0 or o.brightness > 0:
        result = _shaded(o, own, result, mean, is_bytes=images.dtype == np.uint8)
    if o.erase > 0:
        hidden = _erased(o, own, height, width)[..., None]
        result = np.where(hidden, mean if o.edge > 0 else 0.0, result)
    return result.astype(dtype)


def _uniform(own: NDArray[np.uint64], number: int) -> Array:
    """A number of [0, 1) for each image, in steps of 2⁻²⁴."""
    drawn = split_mix(own, np.uint64(number)) >> np.uint64(40)
    return (2.0**-24 * drawn.astype(np.float64))[:, None, None]


def _symmetric(own: NDArray[np.uint64], number: int) -> Array:
    """A number of [−1, 1) for each image."""
    return 2 * _uniform(own, number) - 1


def _inverse(o: SimpleNamespace, own: NDArray[np.uint64], x: Array, y: Array) -> tuple[Array, Array]:
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
    x = np.where(_uniform(own, Draw.FLIP_X) < o.flip_x, -x, x)
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


def _sample(images: Array, x: Array, y: Array, *, edge: bool) -> Array:
    """Bilinear values (N, H, W, C) at the places x, y (N, H, W); outside, zeros or the images' edge."""
    count, height, width, _ = images.shape
    margin = ((0, 0), (1, 2), (1, 2), (0, 0))
    wide = np.pad(images.astype(np.float64), margin, mode="edge" if edge else "constant")
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


__all__ = ["Augmentation", "as_augmentation", "image_shape"]
