"""Flatten: an image as one row of numbers."""

from __future__ import annotations

from math import prod

import numpy as np

from glassnet.nn.layer import Backward, Layer, Shape
from glassnet.support.arrays import Array


class Flatten(Layer):
    """y = x in one axis. Input shape: (N, …). Output shape: (N, product of the rest)."""

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        return (prod(shape),)

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        return x.reshape(len(x), prod(x.shape[1:])), lambda dy: (dy.reshape(x.shape), {})
