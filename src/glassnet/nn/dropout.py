"""Dropout: in training, random values are set to zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError
from glassnet.nn.layer import Backward, Layer
from glassnet.support.arrays import Array
from glassnet.support.checks import below_one
from glassnet.support.i18n import tr
from glassnet.support.random_keys import split_mix


def dropout_mask(key: np.uint64, shape: tuple[int, ...], rate: float) -> NDArray[np.bool_]:
    """True where a value is kept: element i by the (i+1)-th number of SplitMix64 started at `key`."""
    drawn = split_mix(key, np.arange(int(np.prod(shape)), dtype=np.uint64)) >> np.uint64(40)
    return (drawn >= np.uint64(rate * 2**24)).reshape(shape)


class Dropout(Layer):
    """y = m·x / (1 − rate) in training, m = 0 with probability `rate`, else 1; y = x otherwise. Shape: (N, …).

    Each pass draws one 64-bit key; the mask depends on the key and the position alone.
    Source: Srivastava et al., "Dropout", JMLR 2014.
    """

    options = ("rate",)

    def __init__(self, rate: float = 0.5) -> None:
        super().__init__()
        self.rate = below_one(rate, tr("The rate of dropout must lie in [0, 1)."), "Dropout(rate)", "rate")

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        if not training:
            return x, lambda dy: (dy, {})
        if rng is None:
            raise InputError(
                tr("Dropout in training needs a random generator."),
                where="Dropout.forward",
                expected="rng=numpy.random.Generator",
                received="None",
            )
        key = rng.integers(0, 2**64, dtype=np.uint64)
        factor = dropout_mask(key, x.shape, self.rate).astype(x.dtype) / x.dtype.type(1 - self.rate)
        return x * factor, lambda dy: (dy * factor, {})
