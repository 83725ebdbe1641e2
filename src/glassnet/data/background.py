"""The background of a photographed page: a smooth surface, fitted so that ink does not pull at it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

_SAMPLES = 100  # along the longer side
_ROUNDS = 15
_RIDGE = 1e-6  # keeps the equations solvable for an image of one row


def reduced(plane: Plane, longest: int) -> tuple[Plane, float]:
    """The plane with its longer side at most `longest`, each value the mean of its area; and the factor, at most 1."""
    from PIL import Image

    height, width = plane.shape
    factor = longest / max(height, width)
    if factor >= 1:
        return plane, 1.0
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BOX), np.float32), factor


def fit_background(plane: Plane) -> NDArray[np.float64]:
    """c in c₀ + c₁x + c₂y + c₃x² + c₄xy + c₅y², with x and y from −1 to 1, fitted to most of the pixels.

    Iteratively reweighted least squares with weights 1/(1 + (r/2s)²)² (Geman and McClure), s = 1.4826·median|r| + 2.
    """
    stride = max(1, max(plane.shape) // _SAMPLES)
    height, width = plane.shape
    basis = terms(*(place.ravel() for place in places(plane.shape, (0, 0, height, width), stride)))
    values = plane[::stride, ::stride].ravel().astype(np.float64)
    c = np.zeros(6)
    c[0] = np.median(values)
    ridge = _RIDGE * len(values) * np.eye(6)
    for _ in range(_ROUNDS):
        rest = values - basis @ c
        spread = 1.4826 * np.median(np.abs(rest)) + 2
        weighted = basis * (1 / (1 + (rest / (2 * spread)) ** 2) ** 2)[:, None]
        new = np.linalg.solve(weighted.T @ basis + ridge, weighted.T @ values)
        change = np.abs(new - c).max()
        c = new
        if change < 0.05:
            break
    return c


def background(c: NDArray[np.float64], shape: tuple[int, int], box: tuple[int, int, int, int]) -> Plane:
    """The surface within `box` (top, left, bottom, right) of an image of that shape, whatever size it was fitted at."""
    y, x = places(shape, box)
    return (terms(y, x) @ c).astype(np.float32)


def places(
    shape: tuple[int, int], box: tuple[int, int, int, int], stride: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """y and x of the pixels' centres, −1 and 1 at the image's edges."""
    top, left, bottom, right = box
    y = (2 * np.arange(top, bottom, stride) + 1) / shape[0] - 1
    x = (2 * np.arange(left, right, stride) + 1) / shape[1] - 1
    return tuple(np.meshgrid(y, x, indexing="ij"))  # type: ignore[return-value]  # two arrays in, two out


def terms(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], -1)
