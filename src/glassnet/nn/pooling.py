"""Pooling: the largest or the mean value of windows, or of whole images, channel by channel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glassnet.nn.layer import Backward, Gradients, Layer, Shape
from glassnet.nn.windows import Margins, Pair, Size, Windows, as_padding, as_pair, crop, pad, require_image, tap, windows
from glassnet.support.arrays import Array


def max_pool(x: Array, size: Pair, strides: Pair, margins: Margins) -> tuple[Array, NDArray[np.int64]]:
    """The largest value of each window (N, Ho, Wo, C), and its place there: the first, row by row. −∞ lies outside."""
    seen = windows(pad(x, margins, -np.inf), size, strides)
    seen = seen.reshape(*seen.shape[:4], size[0] * size[1])
    place = seen.argmax(axis=-1)
    return np.take_along_axis(seen, place[..., None], axis=-1)[..., 0], place


def max_pool_backward(
    dy: Array, place: NDArray[np.int64], shape: tuple[int, ...], size: Pair, strides: Pair, margins: Margins
) -> Array:
    """dx of shape `shape`: each dy at the place that was the largest."""
    dpadded = np.zeros(_padded(shape, margins), dtype=dy.dtype)
    for i, j in np.ndindex(*size):
        tap(dpadded, i, j, dy.shape[1], dy.shape[2], strides)[...] += np.where(place == i * size[1] + j, dy, 0)
    return crop(dpadded, margins)


def average_pool(x: Array, size: Pair, strides: Pair, margins: Margins) -> Array:
    """The mean of each window (N, Ho, Wo, C), over what lies inside the image."""
    total = windows(pad(x, margins), size, strides).sum(axis=(4, 5))
    return total / _counts(x.shape, size, strides, margins).astype(x.dtype)


def average_pool_backward(dy: Array, shape: tuple[int, ...], size: Pair, strides: Pair, margins: Margins) -> Array:
    """dx of shape `shape`: each dy, divided by the count of its window, at all places of the window."""
    share = dy / _counts(shape, size, strides, margins).astype(dy.dtype)
    dpadded = np.zeros(_padded(shape, margins), dtype=dy.dtype)
    for i, j in np.ndindex(*size):
        tap(dpadded, i, j, dy.shape[1], dy.shape[2], strides)[...] += share
    return crop(dpadded, margins)


def _padded(shape: tuple[int, ...], margins: Margins) -> tuple[int, ...]:
    top, bottom, left, right = margins
    return shape[0], shape[1] + top + bottom, shape[2] + left + right, shape[3]


def _counts(shape: tuple[int, ...], size: Pair, strides: Pair, margins: Margins) -> Array:
    """How many places of each window lie inside the image, (1, Ho, Wo, 1)."""
    return windows(pad(np.ones((1, *shape[1:3], 1)), margins), size, strides).sum(axis=(4, 5))


class _Pool(Windows):
    options = ("pool_size", "strides", "padding")

    def __init__(self, pool_size: Size = 2, strides: Size | None = None, padding: str = "valid") -> None:
        super().__init__()
        name = type(self).__name__
        self.pool_size = self.window = as_pair(pool_size, f"{name}(pool_size)")
        self.strides = self.pool_size if strides is None else as_pair(strides, f"{name}(strides)")
        self.padding = as_padding(padding, f"{name}(padding)")

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        return (*self.positions(shape), shape[2])


class MaxPool2D(_Pool):
    """y = the largest value of each window.

    Input shape: (N, rows, columns, channels). Output shape: (N, rows′, columns′, channels). `strides`: by default the
    window's size. Of equal values the first, row by row, has the gradient. With "valid", what fills no window is left out.
    """

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        how = self.pool_size, self.strides, self.margins(x.shape[1:])
        y, place = max_pool(x, *how)
        return y, lambda dy: (max_pool_backward(dy, place, x.shape, *how), {})


class AveragePool2D(_Pool):
    """y = the mean of each window; padding does not count.

    Input shape: (N, rows, columns, channels). Output shape: (N, rows′, columns′, channels). `strides`: by default the
    window's size.
    """

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        how = self.pool_size, self.strides, self.margins(x.shape[1:])
        return average_pool(x, *how), lambda dy: (average_pool_backward(dy, x.shape, *how), {})


class _GlobalPool(Layer):
    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        return (require_image(self, shape)[2],)


class GlobalAveragePool2D(_GlobalPool):
    """y = the mean of each channel. Input shape: (N, rows, columns, channels). Output shape: (N, channels)."""

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        def backward(dy: Array) -> tuple[Array, Gradients]:
            dx = np.broadcast_to((dy / dy.dtype.type(x.shape[1] * x.shape[2]))[:, None, None], x.shape).copy()
            return dx, {}

        return x.mean(axis=(1, 2)), backward


class GlobalMaxPool2D(_GlobalPool):
    """y = the largest value of each channel; of equal ones the first, row by row, has the gradient.

    Input shape: (N, rows, columns, channels). Output shape: (N, channels).
    """

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        flat = x.reshape(len(x), x.shape[1] * x.shape[2], x.shape[3])
        argmax = flat.argmax(axis=1)
        y = np.take_along_axis(flat, argmax[:, None], axis=1)[:, 0]

        def backward(dy: Array) -> tuple[Array, Gradients]:
            dx = np.zeros(flat.shape, dtype=dy.dtype)
            np.put_along_axis(dx, argmax[:, None], dy[:, None], axis=1)
            return dx.reshape(x.shape), {}

        return y, backward
