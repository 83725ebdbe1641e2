"""Measures of one image of ink: 0 for the ground, 1 for full ink. The same for training images and for one's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Box = tuple[float, float, float, float]  # top, left, bottom, right

LEVEL = 0.4  # where ink begins
_SOLID = 0.3  # below this share of the maximum, a pixel says nothing of how dark the ink is


def full_ink(ink: NDArray[np.float32]) -> float:
    """The value of full ink: the 80th percentile of what is above 0.3 of the maximum; 0 for an empty image."""
    largest = float(ink.max(initial=0))
    return float(np.percentile(ink[ink > _SOLID * largest], 80)) if largest > 0 else 0.0


def ink_box(ink: Plane) -> Box | None:
    """The box of the ink in fractions of pixels: where the largest value of a row or column crosses 0.4; None without ink."""
    rows, columns = _crossings(ink.max(axis=1)), _crossings(ink.max(axis=0))
    return None if rows is None or columns is None else (rows[0], columns[0], rows[1], columns[1])


def _crossings(profile: NDArray[np.float32]) -> tuple[float, float] | None:
    above = np.flatnonzero(profile >= LEVEL)
    if not len(above):
        return None
    padded = np.concatenate([[0.0], profile, [0.0]]).astype(np.float64)  # value i is that of pixel i − 1, centred at i − 0.5
    first, last = int(above[0]) + 1, int(above[-1]) + 1
    start = first - 0.5 - (padded[first] - LEVEL) / (padded[first] - padded[first - 1])
    stop = last - 0.5 + (padded[last] - LEVEL) / (padded[last] - padded[last + 1])
    return float(start), float(stop)


def ink_centre(ink: Plane) -> tuple[float, float]:
    """The centre of mass, (y, x)."""
    height, width = ink.shape
    mass = float(ink.sum(dtype=np.float64))
    y = float(ink.sum(axis=1, dtype=np.float64) @ (np.arange(height) + 0.5)) / mass
    x = float(ink.sum(axis=0, dtype=np.float64) @ (np.arange(width) + 0.5)) / mass
    return y, x


def stroke_width(ink: Plane) -> float:
    """2·area / perimeter, with Σ ink for the area and Σ |∇ ink| for the perimeter: the mean width of long strokes."""
    padded = np.pad(ink, 1).astype(np.float64)
    down, right = np.diff(padded, axis=0)[:, :-1], np.diff(padded, axis=1)[:-1]
    return float(2 * padded.sum() / max(np.sqrt(down * down + right * right).sum(), 1e-9))
