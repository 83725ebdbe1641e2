"""Pooling: the largest or the mean value of windows, or of whole pictures, channel by channel."""

from __future__ import annotations

import numpy as np

from glassnet import reference
from glassnet.layers.base import Backward, Layer, Shape
from glassnet.layers.windows import Size, Windows, as_padding, as_pair, require_picture
from glassnet.reference import Array


class _Pool(Windows):
    options = ("pool_size", "strides", "padding")

    def __init__(self, pool_size: Size = 2, strides: Size | None = None, padding: str = "valid") -> None:
        super().__init__()
        name = type(self).__name__
        self.pool_size = self.window = as_pair(pool_size, f"{name}(pool_size)")
        self.strides = self.pool_size if strides is None else as_pair(strides, f"{name}(strides)")
        self.padding = as_padding(padding, f"{name}(padding)")

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        return (*self.places(shape), shape[2])


class MaxPool2D(_Pool):
    """y = the largest value of each window.

    Input shape: (N, rows, columns, channels). Output shape: (N, rows′, columns′, channels). `strides`: by default the
    window's size. Of equal values the first, row by row, has the gradient. With "valid", what fills no window is left out.
    """

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        how = self.pool_size, self.strides, self.margins(x.shape[1:])
        y, place = reference.max_pool(x, *how)
        return y, lambda dy: (reference.max_pool_backward(dy, place, x.shape, *how), {})


class AveragePool2D(_Pool):
    """y = the mean of each window; padding does not count.

    Input shape: (N, rows, columns, channels). Output shape: (N, rows′, columns′, channels). `strides`: by default the
    window's size.
    """

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        how = self.pool_size, self.strides, self.margins(x.shape[1:])
        return reference.average_pool(x, *how), lambda dy: (reference.average_pool_backward(dy, x.shape, *how), {})


class _GlobalPool(Layer):
    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        return (require_picture(self, shape)[2],)


class GlobalAveragePool2D(_GlobalPool):
    """y = the mean of each channel. Input shape: (N, rows, columns, channels). Output shape: (N, channels)."""

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        return x.mean(axis=(1, 2)), lambda dy: (reference.global_average_backward(dy, x.shape), {})


class GlobalMaxPool2D(_GlobalPool):
    """y = the largest value of each channel; of equal ones the first, row by row, has the gradient.

    Input shape: (N, rows, columns, channels). Output shape: (N, channels).
    """

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        y, place = reference.global_max(x)
        return y, lambda dy: (reference.global_max_backward(dy, place, x.shape), {})
