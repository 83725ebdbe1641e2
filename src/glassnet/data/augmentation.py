"""Augmentation: random transforms of training images, test-time augmentation, and Nielsen's expanded MNIST."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from math import nextafter, radians
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.augment import augment, in_turn
from glassnet.data.dataset import Dataset
from glassnet.data.multicrop import MultiCrop, as_multicrop
from glassnet.errors import InputError, ShapeError
from glassnet.kernels.codegen.host import kernels_enabled
from glassnet.kernels.records import AugmentOptions
from glassnet.kernels.sizes import aligned_zeros, warp_layout
from glassnet.support.arrays import Array
from glassnet.support.checks import is_number, whole_number
from glassnet.support.habits import option_class
from glassnet.support.i18n import mark, tr
from glassnet.support.memory import require_memory_for_data
from glassnet.support.registry import unknown

VIEWS = 8  # of test-time augmentation
SHIFTS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))  # rows, columns
ALTERNATE = "alternate"
BLOCK = 1000  # images of a view transformed together: their floats take several times the memory of bytes

FLIPS = {"none": (0.0, 0.0), "horizontal": (0.5, 0.0), "vertical": (0.0, 0.5), "both": (0.5, 0.5)}
FILLS = ("zero", "edge", "reflect")
LIMITS: dict[str, tuple[float, float, str]] = {  # the least and the highest value, and in words
    "shift": (0, float("inf"), mark("pixels, 0 or more")),
    "rotation": (0, 180, mark("degrees, 0 to 180")),
    "scale": (0, nextafter(1, 0), mark("a share, 0 ≤ scale < 1")),
    "stretch": (0, nextafter(1, 0), mark("a share, 0 ≤ stretch < 1")),
    "shear": (0, nextafter(90, 0), mark("degrees, 0 ≤ shear < 90")),
    "elastic": (0, float("inf"), mark("pixels, 0 or more")),
    "elastic_grid": (1, 64, mark("a whole number, 1 to 64")),
    "crop": (0, float("inf"), mark("whole pixels, 0 or more")),
    "brightness": (0, 1, mark("a share of the full range, 0 to 1")),
    "contrast": (0, 1, mark("a share, 0 to 1")),
    "erase": (0, 1, mark("a probability, 0 to 1")),
}
WHOLE = ("elastic_grid", "crop")


@option_class
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
                   a number is the probability of the horizontal one. "alternate" mirrors a random half of the images left and
                   right in the first epoch, the others in the second, and so on (Jordan, arXiv 2404.00498).
    `crop`         pixels of margin put around the image before a window of its size is cut out at a random place.
    `brightness`   share of the full range (255 of bytes, 1 of floats) that is added.
    `contrast`     share by which differences from the image's mean grow or shrink.
    `erase`        probability that a rectangle is erased; `erase_size`: its share of the area, from least to most.
    `fill`         what lies beyond the image: "zero", as suits ink on black, or "edge", its edge repeated, or "reflect", its
                   reflection, as suit photographs. Rectangles are erased with zeros, or with the image's mean.

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
        for name, (least, highest, words) in LIMITS.items():
            value, kind = getattr(self, name), int if name in WHOLE else float
            _check(is_number(value) and least <= value <= highest and kind(value) == value, name, tr(words), value)
            object.__setattr__(self, name, kind(value))
        flip = self.flip
        known = flip in (*FLIPS, ALTERNATE) if isinstance(flip, str) else isinstance(flip, (int, float)) and 0 <= flip <= 1
        _check(known, "flip", tr("True | False | 'horizontal' | 'vertical' | 'both' | 'alternate' | a probability"), flip)
        size = self.erase_size
        pair = isinstance(size, (tuple, list)) and len(size) == 2 and all(map(is_number, size))
        _check(pair, "erase_size", tr("two numbers, such as (0.02, 0.2)"), size)
        _check(0 < size[0] <= size[1] <= 1, "erase_size", "0 < least ≤ most ≤ 1", size)
        object.__setattr__(self, "erase_size", (float(size[0]), float(size[1])))
        _check(self.fill in FILLS, "fill", " | ".join(map(repr, FILLS)), self.fill)

    @property
    def flips(self) -> tuple[float, float]:
        """The probabilities of mirroring left and right, and top and bottom."""
        if isinstance(self.flip, str):
            return FLIPS.get(self.flip, (0.0, 0.0))
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
            erase_most=most, beyond=FILLS.index(self.fill), in_turn=self.flip == ALTERNATE,
        )  # fmt: skip

    @property
    def changes(self) -> bool:
        """Whether any image is changed at all."""
        amounts = (self.shift, self.rotation, self.scale, self.stretch, self.shear, self.elastic, self.crop, self.brightness)
        return any((*amounts, self.contrast, self.erase, *self.flips, self.flip == ALTERNATE))

    def __call__(self, images: Array, seed: int = 0, *, places: Array | None = None) -> Array:
        """Images (N, H, W, C) or (N, H, W), each under its own transform; the same `seed`, the same transforms.

        They keep their shape and type: bytes are rounded. `places` (N,): of the images in a larger array, whose other images
        are not needed; each gets the transform that it has there.
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
        transform = self._by_kernel if kernels_enabled() and numbers.dtype != np.float64 else self._by_definition
        blocks = [(0, len(images), 0)] if places is None else [(i, i + 1, int(place)) for i, place in enumerate(places)]
        found = transform(numbers.reshape((*images.shape, 1)[:4]), key, blocks).reshape(images.shape)
        return found if images.dtype.kind == "f" else np.rint(found).astype(images.dtype)

    def scratch(self, shape: tuple[int, int, int]) -> int:
        """Bytes of scratch that the kernel needs for images of `shape`."""
        return 4 * warp_layout(*shape, self.elastic_grid)[-1]

    def _by_definition(self, images: Array, key: np.uint64, blocks: list[tuple[int, int, int]]) -> Array:
        """`blocks`: first and last image, and the place of the first."""
        found = []
        for first, last, place in blocks:
            for i in range(first, last, 256):
                part, at = images[i : min(i + 256, last)], place + i - first
                found.append(
                    augment(part, self.record, key, np.float64, at, self.mirrored(key, np.arange(at, at + len(part))))
                )
        return np.concatenate(found).astype(np.float64 if images.dtype == np.float64 else np.float32)

    def _by_kernel(self, images: Array, key: np.uint64, blocks: list[tuple[int, int, int]]) -> Array:
        from glassnet.kernels.library import library

        images, found = np.ascontiguousarray(images), np.empty(images.shape, dtype=np.float32)
        _, height, width, channels = images.shape
        scratch = aligned_zeros(self.scratch((height, width, channels)), np.uint8)
        options, numbers = self.record, height * width * channels
        order = np.arange(max(place + last - first for first, last, place in blocks))
        call, fixed = library()["glassnet_augment"], (height, width, channels, int(key), int(key))
        source, target = ((array.ctypes.data, numbers * array.itemsize) for array in (images, found))
        for first, last, place in blocks:  # the kernel counts images from their place, which its transforms depend on
            from_at, to_at = (address + (first - place) * size for address, size in (source, target))
            rows = order.ctypes.data, 0, place, place + last - first
            is_bytes = int(images.dtype == np.uint8)
            call(options.ctypes.data, from_at, is_bytes, *rows, *fixed, to_at, scratch.ctypes.data)
        return found

    def mirrored(self, flips: np.uint64, images: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Which images, by their numbers, are mirrored in an epoch by `flip` "alternate"; None where none is."""
        return in_turn(flips, images) if self.flip == ALTERNATE else None


Views = Augmentation | MultiCrop | dict[str, Any] | None  # what test-time augmentation takes


def _check(fits: bool, name: str, expected: str, received: object) -> None:
    if not fits:
        raise InputError(
            tr("Invalid {name} in Augmentation.", name=name),
            where=f"Augmentation({name})",
            expected=expected,
            received=repr(received),
        )


def as_augmentation(value: Augmentation | dict[str, Any] | None, where: str) -> Augmentation | None:
    """An augmentation from itself or its options; None where no image would change."""
    if isinstance(value, dict):
        fields = [field.name for field in dataclasses.fields(Augmentation)]
        for option in value:
            if option not in fields and (option, value[option]) != ("type", "Augmentation"):
                raise unknown(tr("option of Augmentation"), option, fields, where)
        value = Augmentation(**{name: option for name, option in value.items() if name != "type"})
    if value is not None and not isinstance(value, Augmentation):
        expected = tr("an Augmentation, or its options such as {options}", options="{'shift': 2}")
        raise InputError(tr("This is not an augmentation."), where=where, expected=expected, received=repr(value))
    return value if value is not None and value.changes else None


def image_shape(shapes: list[tuple[int, ...]], where: str) -> tuple[int, int, int]:
    """(H, W, C) of the images: the first of the shapes that is one."""
    for shape in shapes:
        if len(shape) in (2, 3):
            height, width, channels = (*shape, 1)[:3]
            return height, width, channels
    raise ShapeError(
        tr("Augmentation needs the height and width of the images."),
        where=where,
        expected=tr("images (N, H, W, C), or a network with input_shape=(H, W, C)"),
        received=tr("rows of {features} numbers", features=shapes[0][0]),
        hint="images.reshape(-1, H, W, C)",
    )


def views_of(rows: Array, shape: tuple[int, ...], augmentation: Views, views: int | None, seed: int) -> Iterator[Array]:
    """Test-time augmentation: rows (N, features) unchanged, then `views` − 1 times (default VIEWS − 1) transformed anew.

    Of a `MultiCrop` its first `views`, by default all. `shape`: of one image. Without an augmentation there is one view.
    Raises `InputError` for wrong options.
    """
    fixed = as_multicrop(augmentation, "augmentation")
    transform = None if isinstance(augmentation, MultiCrop) or fixed else as_augmentation(augmentation, "augmentation")
    if views is not None:
        whole_number(views, tr("views must be a whole number above 0."), "views", tr("1 or more"))
    if augmentation is None and views is not None and views > 1:
        what, example = tr("Several views need an augmentation."), tr("for example Augmentation(shift=1, rotation=5)")
        raise InputError(what, where="augmentation", expected=example, received="None")
    if fixed is not None:
        images = rows.reshape(len(rows), *image_shape([shape], "augmentation"))
        yield from (view.reshape(rows.shape) for view in fixed.views(images, views))
        return
    yield rows
    if transform is None:
        return
    images = rows.reshape(len(rows), *image_shape([shape], "augmentation"))
    for view in range(1, VIEWS if views is None else views):
        found = np.empty_like(images)
        for start in range(0, len(images), BLOCK):
            key = int(np.random.default_rng([seed, view, start]).integers(2**63))
            found[start : start + BLOCK] = transform(images[start : start + BLOCK], key)
        yield found.reshape(rows.shape)


def expand_by_shifts(dataset: Dataset, pixels: int = 1) -> Dataset:
    """The images, then all of them moved right, left, down and up by `pixels`: five times as many.

    Zeros come in from the edges. Labels, groups and names are repeated. Raises `InputError` where the images are rows of
    features, or not larger than the shift.
    Source: Nielsen, "Neural Networks and Deep Learning", expand_mnist.py.
    """
    pixels = whole_number(pixels, tr("A shift is a whole number of pixels."), "expand_by_shifts(pixels)", tr("1 or more"))
    if len(dataset.shape) != 3 or min(dataset.shape[:2]) <= pixels:
        raise InputError(
            tr("These images can't be shifted."),
            where="expand_by_shifts(dataset)",
            expected=tr("images (H, W, C) with H and W above {pixels}", pixels=pixels),
            received=f"{dataset.shape}",
        )
    (height, width, _), times = dataset.shape, len(SHIFTS)
    size, what = times * dataset.images.nbytes, tr("the images and their shifted copies")
    require_memory_for_data(
        size,
        what,
        "expand_by_shifts(dataset)",
        tr("augmentation = {example} shifts them while they are trained on", example="{shift = 1}"),
    )
    padded = np.pad(dataset.images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))
    starts = [(pixels * (1 - down), pixels * (1 - right)) for down, right in SHIFTS]
    images = np.concatenate([padded[:, top : top + height, left : left + width] for top, left in starts])
    groups, names = (None if a is None else np.concatenate([a] * times) for a in (dataset.groups, dataset.names))
    return Dataset(images, np.concatenate([dataset.labels] * times), dataset.classes, groups, names)
