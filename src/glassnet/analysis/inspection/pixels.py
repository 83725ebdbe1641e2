"""What the pixels alone say: images without anything on them, odd ranges of values, and ink that is light or dark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.analysis.inspection.pool import Indices, grey

BLANK = 0.02
"""An image whose lightest and darkest pixel differ by no more than this share of the data's whole range."""
_UNIFORM = 0.7
"""Of the pixels on a drawing's edge are like one another, …"""
_NEAR = 0.25
"""… and as dark as its darkest or as light as its lightest, within this share of the range between."""
_DRAWINGS = 0.8
"""So many images must be such drawings for polarity to mean anything."""
_CHUNK = 2048


@dataclass(frozen=True)
class Range:
    """Least, greatest and mean pixel, and the standard deviation of all."""

    low: float
    high: float
    mean: float
    spread: float


def value_range(images: npt.NDArray[Any]) -> Range:
    sums = np.zeros(2)
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK].astype(np.float32)
        sums += chunk.sum(dtype=np.float64), np.square(chunk).sum(dtype=np.float64)
    mean, square = sums / images.size
    return Range(float(images.min()), float(images.max()), float(mean), float(np.sqrt(max(square - mean * mean, 0))))


def blank(images: npt.NDArray[Any], whole: float) -> npt.NDArray[np.bool_]:
    """Which images have nothing on them, `(N,)`; `whole`: the range of all pixels."""
    flat = images.reshape(len(images), -1)
    ranges = flat.max(axis=1).astype(np.float64) - flat.min(axis=1)
    return np.asarray(ranges <= BLANK * whole)


def polarity(images: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
    """For each image `(N, H, W, C)`: 1 for light ink on dark ground, −1 for dark on light, 0 for what is no drawing.

    The ground is the median of the pixels on the image's edge, which must be mostly like it and at one end of the range.
    """
    signs = [_signs(grey(images[start : start + _CHUNK])) for start in range(0, len(images), _CHUNK)]
    return np.concatenate(signs) if signs else np.empty(0, np.int8)


def minority(signs: npt.NDArray[np.int8]) -> tuple[int, Indices] | None:
    """The polarity of most, and the places of the others; None where these are no drawings."""
    if not len(signs) or (signs != 0).mean() < _DRAWINGS:
        return None
    most = 1 if (signs == 1).sum() * 2 >= (signs != 0).sum() else -1
    return most, np.flatnonzero(signs == -most)


def _signs(images: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
    edge = np.concatenate(
        [images[:, 0], images[:, -1], images[:, 1:-1, 0], images[:, 1:-1, -1]],
        axis=1,
    )
    flat = images.reshape(len(images), -1)
    low, high = flat.min(axis=1), flat.max(axis=1)
    whole = np.maximum(high - low, np.float32(1e-6))
    ground = np.median(edge, axis=1)
    uniform = (np.abs(edge - ground[:, np.newaxis]) <= _NEAR * whole[:, np.newaxis]).mean(axis=1) >= _UNIFORM
    mostly = np.abs(flat.mean(axis=1) - ground) < 0.5 * whole
    light = uniform & mostly & (ground - low <= _NEAR * whole)
    dark = uniform & mostly & (high - ground <= _NEAR * whole)
    return np.asarray(light.astype(np.int8) - dark, np.int8)
