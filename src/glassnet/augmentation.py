"""Augmentation: every picture of every training step under a small random transform of its own."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from math import isfinite, radians
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError, ShapeError
from glassnet.kernels import operations as op
from glassnet.kernels.host import kernels_wanted
from glassnet.kernels.sizes import aligned_zeros, warp_layout
from glassnet.named import unknown
from glassnet.reference import Array, augment

FLIPS = {"none": (0.0, 0.0), "horizontal": (0.5, 0.0), "vertical": (0.0, 0.5), "both": (0.5, 0.5)}
FILLS = ("zero", "edge")
LIMITS: dict[str, tuple[float, bool, str]] = {  # the highest value, whether it is allowed itself, and in words
    "shift": (float("inf"), False, "pixels, 0 or more"),
    "rotation": (180, True, "degrees, 0 to 180"),
    "scale": (1, False, "a share, 0 ≤ scale < 1"),
    "stretch": (1, False, "a share, 0 ≤ stretch < 1"),
    "shear": (90, False, "degrees, 0 ≤ shear < 90"),
    "elastic": (float("inf"), False, "pixels, 0 or more"),
    "elastic_grid": (64, True, "a whole number, 1 to 64"),
    "crop": (float("inf"), False, "whole pixels, 0 or more"),
    "brightness": (1, True, "a share of the full range, 0 to 1"),
    "contrast": (1, True, "a share, 0 to 1"),
    "erase": (1, True, "a probability, 0 to 1"),
}
WHOLE = ("elastic_grid", "crop")


@dataclass(frozen=True)
class Augmentation:
    """Which random changes training pictures get; each number is the most of a change, drawn evenly from − to +.

    `shift`        pixels, to the right and down, fractions too.
    `rotation`     degrees about the picture's centre, counter-clockwise if positive.
    `scale`        share of the size: 0.1 draws a factor from 0.9 to 1.1.
    `stretch`      share by which the picture gets wider and, in turn, lower: 0.1 draws a factor from 0.9 to 1.1.
    `shear`        degrees by which upright strokes lean to the right.
    `elastic`      pixels: the standard deviation of a smooth field of shifts (Simard et al., ICDAR 2003). Up to a fifth of a
                   cell strokes stay whole: 1.4 for 28×28.
    `elastic_grid` cells of that field along the longer side: more are rougher. Cubic B-splines join their corners.
    `flip`         "horizontal" or True mirrors left and right in half of the cases, "vertical" top and bottom, "both" each;
                   a number is the probability of the horizontal one.
    `crop`         pixels of margin put around the picture before a window of its size is cut out at a random place.
    `brightness`   share of the full range (255 of bytes, 1 of floats) that is added.
    `contrast`     share by which differences from the picture's mean grow or shrink.
    `erase`        probability that a rectangle is erased; `erase_size`: its share of the area, from least to most.
    `fill`         what lies beyond the picture: "zero", as suits ink on black, or "edge", its edge repeated, as suits
                   photographs. Rectangles are erased with zeros, or with the picture's mean.

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
                raise _wrong(name, words, value)
            object.__setattr__(self, name, int(value) if name in WHOLE else float(value))
        probability = isinstance(self.flip, (int, float)) and 0 <= self.flip <= 1
        if not probability and not (isinstance(self.flip, str) and self.flip in FLIPS):
            raise _wrong("flip", "True | False | 'horizontal' | 'vertical' | 'both' | a probability", self.flip)
        size = self.erase_size
        if not (isinstance(size, (tuple, list)) and len(size) == 2 and all(_is_number(part) for part in size)):
            raise _wrong("erase_size", "two numbers, such as (0.02, 0.2)", size)
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
    def numbers(self) -> NDArray[np.float32]:
        """The options as the kernel and its reference take them (see kernels/operations.py)."""
        found = np.zeros(op.WARP_OPTIONS, dtype=np.float32)
        found[[op.WARP_SHIFT, op.WARP_SCALE, op.WARP_STRETCH]] = self.shift, self.scale, self.stretch
        found[[op.WARP_ROTATION, op.WARP_SHEAR]] = radians(self.rotation), radians(self.shear)
        found[[op.WARP_ELASTIC, op.WARP_CELLS, op.WARP_CROP]] = self.elastic, self.elastic_grid, self.crop
        found[[op.WARP_MIRROR, op.WARP_UPSIDE_DOWN]] = self.flips
        found[[op.WARP_BRIGHTNESS, op.WARP_CONTRAST, op.WARP_ERASE]] = self.brightness, self.contrast, self.erase
        found[[op.WARP_ERASE_LEAST, op.WARP_ERASE_MOST]] = self.erase_size
        found[op.WARP_EDGE] = self.fill == "edge"
        return found

    @property
    def changes(self) -> bool:
        """Whether any picture is changed at all."""
        wanted = (self.shift, self.rotation, self.scale, self.stretch, self.shear, self.elastic, self.crop, self.brightness)
        return any((*wanted, self.contrast, self.erase, *self.flips))

    def __call__(self, images: Array, seed: int = 0) -> Array:
        """Pictures (N, H, W, C) or (N, H, W), each under its own transform; the same `seed`, the same transforms.

        They keep their shape and type: bytes are rounded.
        """
        images = np.asarray(images)
        if images.ndim not in (3, 4) or images.dtype.kind not in "uif" or not images.size:
            raise ShapeError(
                "Only pictures can be augmented.",
                where="Augmentation(images)",
                expected="numbers (N, H, W, C) or (N, H, W)",
                received=f"{images.dtype} {images.shape}",
            )
        key = np.random.default_rng(seed).integers(0, 2**64, dtype=np.uint64)
        pictures = images if images.dtype in (np.uint8, np.float32) else images.astype(np.float64)
        found = _augmented(pictures.reshape((*images.shape, 1)[:4]), self.numbers, key).reshape(images.shape)
        return found if images.dtype.kind == "f" else np.rint(found).astype(images.dtype)

    def scratch(self, shape: tuple[int, int, int]) -> int:
        """Bytes of scratch that the kernel needs for pictures of `shape`."""
        return 4 * warp_layout(*shape, self.elastic_grid)[-1]


def _augmented(pictures: Array, options: NDArray[np.float32], key: np.uint64) -> Array:
    """Floats (N, H, W, C): by the kernel where it is wanted and knows the type."""
    _, height, width, channels = pictures.shape
    if not kernels_wanted() or pictures.dtype == np.float64:
        blocks = [augment(pictures[i : i + 256], options, key, np.float64, i) for i in range(0, len(pictures), 256)]
        return np.concatenate(blocks).astype(np.float64 if pictures.dtype == np.float64 else np.float32)
    from glassnet.kernels.library import library

    pictures, found = np.ascontiguousarray(pictures), np.empty(pictures.shape, dtype=np.float32)
    room = aligned_zeros(warp_layout(height, width, channels, int(options[op.WARP_CELLS]))[-1])
    order = np.arange(len(pictures))
    library()["glassnet_augment"](
        options.ctypes.data, pictures.ctypes.data, int(pictures.dtype == np.uint8), order.ctypes.data, 0, 0, len(pictures),
        height, width, channels, int(key), found.ctypes.data, room.ctypes.data,
    )  # fmt: skip
    return found


def as_augmentation(value: Augmentation | dict[str, Any] | None, where: str) -> Augmentation | None:
    """An augmentation from itself or its options; None where no picture would change."""
    if isinstance(value, dict):
        fields = [field.name for field in dataclasses.fields(Augmentation)]
        for option in value:
            if option not in fields and (option, value[option]) != ("type", "Augmentation"):
                raise unknown("option of Augmentation", option, fields, where)
        value = Augmentation(**{name: option for name, option in value.items() if name != "type"})
    if value is not None and not isinstance(value, Augmentation):
        raise InputError(
            "This is no augmentation.",
            where=where,
            expected="an Augmentation, or its options such as {'shift': 2}",
            received=repr(value),
        )
    return value if value is not None and value.changes else None


def picture_shape(shapes: list[tuple[int, ...]], where: str) -> tuple[int, int, int]:
    """(H, W, C) of the pictures: the first of the shapes that is one."""
    for shape in shapes:
        if len(shape) in (2, 3):
            height, width, channels = (*shape, 1)[:3]
            return height, width, channels
    raise ShapeError(
        "Augmentation needs to know how the pixels lie.",
        where=where,
        expected="pictures (N, H, W, C), or a network with input_shape=(H, W, C)",
        received=f"rows of {shapes[0][0]} numbers",
        hint="images.reshape(-1, H, W, C)",
    )


def _is_number(value: object, *, whole: bool = False) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        return False
    return isfinite(value) and (not whole or int(value) == value)


def _wrong(name: str, expected: str, received: object) -> InputError:
    return InputError(
        f"Augmentation can't take this {name}.", where=f"Augmentation({name})", expected=expected, received=repr(received)
    )


__all__ = ["Augmentation", "as_augmentation", "picture_shape"]
