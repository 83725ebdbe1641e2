"""Whether images are drawings on a plain background, and whether their ink is light or dark."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_UNIFORM = 0.7
"""Fraction of a drawing's border pixels that have the background value, …"""
_NEAR = 0.25
"""… which is the image's minimum or maximum, within this fraction of its range."""
DRAWINGS = 0.8
"""Fraction of the images of a data set that must be drawings for it to be one of drawings."""
_CHUNK = 2048


def polarity(images: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
    """For each image of `(N, H, W, C)`: 1 for light ink on dark background, −1 for dark on light, 0 if it is not a drawing.

    The background is the median of the border pixels. It must be the value of most of them, and one end of the range.
    """
    signs = [_signs(grey(images[start : start + _CHUNK])) for start in range(0, len(images), _CHUNK)]
    return np.concatenate(signs) if signs else np.empty(0, np.int8)


def grey(images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Images `(N, H, W, C)` as brightness `(N, H, W)`; the mean of the channels if there are not three."""
    if images.shape[-1] == 1:
        return images[..., 0].astype(np.float32)
    if images.shape[-1] == 3:
        weights = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601, as in the readers
        return np.asarray(images.astype(np.float32) @ weights)
    return np.asarray(images.mean(axis=-1, dtype=np.float32))


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
