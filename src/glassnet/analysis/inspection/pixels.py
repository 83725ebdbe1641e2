"""Pixel statistics: blank images, ranges of values, and the polarity of the ink."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.analysis.inspection.pool import Indices
from glassnet.data.polarity import DRAWINGS

BLANK = 0.02
"""An image is blank if its pixels differ by at most this fraction of the range of the whole data set."""
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


def minority(signs: npt.NDArray[np.int8]) -> tuple[int, Indices] | None:
    """The polarity of the majority, and the indices of the others; None if the images are not drawings."""
    if not len(signs) or (signs != 0).mean() < DRAWINGS:
        return None
    majority = 1 if (signs == 1).sum() * 2 >= (signs != 0).sum() else -1
    return majority, np.flatnonzero(signs == -majority)
