"""Layers at the network's input: Flatten, Pixels, Scale, Standardize. Scaling as a layer is saved with the network."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from glassnet.errors import InputError, ShapeError
from glassnet.nn.layer import Backward, Blocks, Layer, Shape, require_room
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr


def check_shape(shape: Shape, where: str) -> None:
    """Refuse the shape of an image with an empty axis, or with its channels first."""
    if not shape or min(shape) < 1:
        raise ShapeError(tr("Every axis of an image must be at least 1."), where=where, received=shape)
    if len(shape) == 3 and shape[0] in (1, 3) and min(shape[1:]) >= 16 and shape[1] == shape[2]:
        raise _channels_first(where, (*shape[1:], shape[0]), shape)


def check_channels(received: Shape, expected: Shape) -> None:
    """Refuse images (channels, rows, columns) where (rows, columns, channels) are expected."""
    if len(received) == 3 and len(expected) == 3 and received != expected and received == (expected[2], *expected[:2]):
        raise _channels_first("images", ("N", *expected), ("N", *received))


def _channels_first(where: str, expected: tuple[object, ...], received: tuple[object, ...]) -> ShapeError:
    spelled = [f"({', '.join(map(str, shape))})" for shape in (expected, received)]
    hint = tr("the channels come last: {code}", code="images.transpose(0, 2, 3, 1)")
    return ShapeError(
        tr("These are images with the channels first."), where=where, expected=spelled[0], received=spelled[1], hint=hint
    )


def not_pixels(low: float, high: float) -> InputError:
    """The error for floats from 0 to beyond `PIXEL_LIMIT`, which `Pixels` would pass through: 0…255, or no pixels at all.

    Negative numbers show that images were standardised: these pass.
    """
    return InputError(
        tr("Pixels takes integers in 0…255, or floats in 0…1."),
        where="images",
        expected=tr("integers in 0…255, or floats in 0…1"),
        received=tr("floats in {low:g}…{high:g}", low=low, high=high),
        hint=tr("images.astype('uint8') for 0…255; images / images.max(), or Standardize() for Pixels(), for other numbers"),
    )


class Flatten(Layer):
    """y = x in one axis. Input shape: (N, …). Output shape: (N, product of the rest)."""

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        return (prod(shape),)

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        return x.reshape(len(x), prod(x.shape[1:])), lambda dy: (dy.reshape(x.shape), {})


class Pixels(Layer):
    """y = x / 255 for integer images; floats in 0…1 pass through, higher ones are refused. Input and output shape: (N, …)."""

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        if x.dtype.kind in "ui":
            return x.astype(np.float64) / 255, lambda dy: (dy / 255, {})
        return x, lambda dy: (dy, {})


class Scale(Layer):
    """y = factor·x + offset, of integers and floats alike. Input and output shape: (N, …)."""

    options = ("factor", "offset")

    def __init__(self, factor: float, offset: float = 0.0) -> None:
        super().__init__()
        if not (np.isfinite(factor) and np.isfinite(offset)):
            raise InputError(
                tr("A scale must be finite."), where="Scale", expected=tr("finite numbers"), received=(factor, offset)
            )
        self.factor, self.offset = float(factor), float(offset)

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        kind = x.dtype.type if x.dtype.kind == "f" else np.float64
        return x * kind(self.factor) + kind(self.offset), lambda dy: (dy * dy.dtype.type(self.factor), {})


class Standardize(Layer):
    """y = (x − mean) / std, value by value. Input and output shape: (N, …).

    `mean` and `std` broadcast against one image. Where they are not given they are taken, for each place of the image,
    from the training set at the first `fit`; a place that never changes keeps std 1. It never changes if its lowest and
    highest value are one to the last digit of their float type, or the digits of std lie below its smallest number: what
    rounding makes of a constant is no signal.
    """

    options = ("mean", "std")

    def __init__(self, mean: float | Sequence[float] | None = None, std: float | Sequence[float] | None = None) -> None:
        super().__init__()
        if (mean is None) != (std is None):
            raise InputError(tr("Give both mean and std, or neither."), where="Standardize", received=f"{mean=}, {std=}")
        if std is not None and not np.all(np.asarray(std, dtype=float) > 0):
            raise InputError(
                tr("std must be positive."), where="Standardize(std)", expected=tr("numbers above 0"), received=std
            )
        self.mean, self.std = mean, std
        self.adapted = mean is not None

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        mean, std = (0.0, 1.0) if self.mean is None or self.std is None else (self.mean, self.std)
        require_room(self, shape)
        try:
            self.statistics = {
                "mean": np.broadcast_to(np.asarray(mean, dtype=float), shape).copy(),
                "std": np.broadcast_to(np.asarray(std, dtype=float), shape).copy(),
            }
        except ValueError:
            raise ShapeError(
                tr("mean and std do not fit the images."),
                where="Standardize",
                expected=tr("numbers that broadcast to {shape}", shape=shape),
                received=tr("shapes {mean} and {std}", mean=np.shape(mean), std=np.shape(std)),
            ) from None
        return shape

    def adapt(self, x: Array) -> None:
        self.adapt_to(lambda: [x])

    def adapt_to(self, blocks: Blocks) -> None:
        total, count, low, high = np.float64(0), 0, None, None
        for x in filter(len, blocks()):
            total, count, dtype = total + x.sum(axis=0, dtype=np.float64), count + len(x), x.dtype
            low = x.min(axis=0) if low is None else np.minimum(low, x.min(axis=0))
            high = x.max(axis=0) if high is None else np.maximum(high, x.max(axis=0))
        if low is None or high is None:
            raise InputError(
                tr("There are no images to take mean and std from."), where="Standardize", expected=tr("one or more")
            )
        mean = total / count
        std = np.sqrt(sum(np.square(x - mean).sum(axis=0) for x in blocks()) / count)
        low, high = low.astype(np.float64), high.astype(np.float64)
        digit, least = (np.finfo(dtype).eps, np.finfo(dtype).tiny) if dtype.kind == "f" else (1e-16, 0.0)
        constant = (high - low <= digit * np.maximum(abs(low), abs(high))) | (std <= least / digit)
        self.statistics["mean"][...] = mean.clip(low, high)  # which a rounded sum may leave
        self.statistics["std"][...] = np.where(constant, 1.0, std)
        self.adapted = True

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        mean, std = self.statistics["mean"], self.statistics["std"]
        return (x - mean) / std, lambda dy: (dy / std, {})

    def describe(self) -> dict[str, Any]:
        return {name: np.asarray(value).tolist() for name, value in super().describe().items()}
