"""Sequences of layers, in a network or a branch: names, shapes, forward and backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import DTypeLike

from glassnet.errors import InputError, ShapeError
from glassnet.nn.inputs import Flatten, Pixels
from glassnet.nn.layer import Blocks, Gradients, Layer, Shape, walk
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr


@dataclass(frozen=True)
class Place:
    """Where a layer stands: the path to it, and the layer before it, if there is one."""

    path: str
    before: Layer | None

    def __str__(self) -> str:
        return self.path if self.before is None else f"{self.path}, after {self.before!r}"


def name_layers(layers: Sequence[Layer]) -> list[str]:
    """dense1, sigmoid1, dense2 …: each kind of layer counted from 1."""
    counts: dict[str, int] = {}
    names = []
    for layer in layers:
        kind = type(layer).__name__.lower()
        counts[kind] = counts.get(kind, 0) + 1
        names.append(f"{kind}{counts[kind]}")
    return names


def check_distinct(layers: Sequence[Layer]) -> None:
    """Refuse a layer object that appears twice: it has one set of parameters."""
    found = list(walk(layers))
    if len({id(layer) for layer in found}) < len(found):
        raise InputError(
            tr("The same layer object appears twice in the network."),
            where="layers",
            hint=tr("create a separate layer for each place"),
        )


def build_chain(layers: Sequence[Layer], shape: Shape, rng: np.random.Generator) -> list[Shape]:
    """Build each layer on the output shape of the one before; return the input shape and each layer's output shape."""
    shapes = [tuple(shape)]
    for number, layer in enumerate(layers):
        try:
            shapes.append(layer.build(shapes[-1], rng))
        except ShapeError as error:
            place = Place(str(error.where) if layer.branches else repr(layer), None)
            if isinstance(error.where, Place):  # of a layer inside this one
                place = error.where
            before = layers[number - 1] if number and place.before is None else place.before
            raise error.at(Place(f"layer {number + 1}, {place.path}", before), ShapeError) from None
    return shapes


def forward_chain(
    layers: Sequence[Layer], x: Array, dtype: DTypeLike, *, training: bool = False, rng: np.random.Generator | None = None
) -> tuple[Array, Callable[[Array], tuple[Array, list[Gradients]]]]:
    """The output in `dtype`, and `back(dy)`, which gives dx and the gradients of each layer."""
    backwards = []
    for layer in layers:
        if not isinstance(layer, (Flatten, Pixels)):  # only these take integers as they are
            x = x.astype(dtype, copy=False)
        x, backward = layer.forward(x, training=training, rng=rng)
        if x.dtype.kind == "f":
            x = x.astype(dtype, copy=False)
        backwards.append(backward)

    def back(dy: Array) -> tuple[Array, list[Gradients]]:
        gradients: list[Gradients] = []
        for backward in reversed(backwards):
            dy, found = backward(dy)
            gradients.append(found)
        return dy, gradients[::-1]

    return x.astype(dtype, copy=False), back


def adapt_chain(layers: Sequence[Layer], blocks: Blocks, dtype: DTypeLike) -> None:
    """Let the layers that have not yet done so take their statistics from what reaches them of the training images."""
    for number, layer in enumerate(layers):
        if not layer.adapted:
            layer.adapt_to(partial(_after, layers[:number], blocks, dtype))


def _after(layers: Sequence[Layer], blocks: Blocks, dtype: DTypeLike) -> Iterator[Array]:
    """What comes out of the layers, block by block."""
    return (forward_chain(layers, x, dtype)[0] for x in blocks())
