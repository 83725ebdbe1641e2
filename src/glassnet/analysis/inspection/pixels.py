"""Pixel statistics: blank images, ranges of values, and the polarity of the ink."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.analysis.inspection.pool import Indices, grey

BLANK = 0.02
"""An image is blank if its pixels differ by at most this fraction of the range of the whole data set."""
_UNIFORM = 0.7
"""Fraction of a drawing's border pixels that have the background value, …"""
_NEAR = 0.25
"""… which is the image's minimum or maximum, within this fraction of its range."""
_DRAWINGS = 0.8
"""Fraction of the images that must be drawings for polarity to be checked."""
_CHUNK = 2048


@dataclass(frozen=True)
class Range:
    """Minimum, maximum, mean and standard deviation (`spread`) of the pixels."""

    low: float
    high: float
    mean: float
    spread: float

    @property
    def width(self) -> float:
        return self.high - self.low

    def __str__(self) -> str:
        return f"{self.low:g}…{self.high:g}"


def value_range(images: npt.NDArray[Any]) -> Range:
    sums = np.zeros(2)
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK].astype(np.float32)
        sums += chunk.sum(dtype=np.float64), np.square(chunk).sum(dtype=np.float64)
    mean, square = sums / images.size
    return Range(float(images.min()), float(images.max()), float(mean), float(np.sqrt(max(square - mean * mean, 0))))


def blank(images: npt.NDArray[Any], pixel_range: float) -> npt.NDArray[np.bool_]:
    """A mask `(N,)` of blank images; `pixel_range`: max − min over the whole data set."""
    flat = images.reshape(len(images), -1)
    ranges = flat.max(axis=1).astype(np.float64) - flat.min(axis=1)
    return np.asarray(ranges <= BLANK * pixel_range)


def polarity(images: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
    """For each image of `(N, H, W, C)`: 1 for light ink on dark background, −1 for dark on light, 0 if it is not a drawing.

    The background is the median of the border pixels. It must be the value of most of them, and one end of the range.
    """
    signs = [_signs(grey(images[start : start + _CHUNK])) for start in range(0, len(images), _CHUNK)]
    return np.concatenate(signs) if signs else np.empty(0, np.int8)


def minority(signs: npt.NDArray[np.int8]) -> tuple[int, Indices] | None:
    """The polarity of the majority, and the indices of the others; None if the images are not drawings."""
    if not len(signs) or (signs != 0).mean() < _DRAWINGS:
        return None
    majority = 1 if (signs == 1).sum() * 2 >= (signs != 0).sum() else -1
    return majority, np.flatnonzero(signs == -majority)


def _signs(images: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
    border = np.concatenate([images[:, 0], images[:, -1], images[:, 1:-1, 0], images[:, 1:-1, -1]], axis=1)
    flat = images.reshape(len(images), -1)
    low, high = flat.min(axis=1), flat.max(axis=1)
    contrast = np.maximum(high - low, np.float32(1e-6))
    background = np.median(border, axis=1)
    uniform = (np.abs(border - background[:, np.newaxis]) <= _NEAR * contrast[:, np.newaxis]).mean(axis=1) >= _UNIFORM
    drawing = uniform & (np.abs(flat.mean(axis=1) - background) < 0.5 * contrast)
    light_ink = drawing & (background - low <= _NEAR * contrast)
    dark_ink = drawing & (high - background <= _NEAR * contrast)
    return np.asarray(light_ink.astype(np.int8) - dark_ink, np.int8)
