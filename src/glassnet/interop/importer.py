"""A network put together from the layers of another library's, one after the other, with their weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import numpy as np

from glassnet.errors import InputError, ShapeError
from glassnet.network import Network
from glassnet.nn import Conv2D, Flatten, GlobalAveragePool2D, GlobalMaxPool2D, Layer, Sigmoid, as_layer
from glassnet.nn.architectures import default_loss
from glassnet.nn.inputs import check_shape
from glassnet.nn.layer import Shape
from glassnet.nn.losses import BinaryCrossEntropy, Loss, SoftmaxCrossEntropy
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

Before = Sequence[Layer | str | dict[str, Any]]


class Importer:
    """`add` each layer with its arrays, then ask for the `network`. `where` is what messages call the layer that is read."""

    def __init__(self, function: str, input_shape: Iterable[int], before: Before = ()) -> None:
        self.where = function
        self.shape: Shape = tuple(int(size) for size in input_shape)  # ours, of what the next layer takes
        check_shape(self.shape, f"{function}(input_shape)")
        self.input_shape = self.shape
        self.layers: list[Layer] = []
        self.arrays: list[dict[str, Array]] = []
        self._rng = np.random.default_rng(0)
        for layer in before:
            self.add(as_layer(layer, f"{function}(before)"))

    def add(self, layer: Layer, **arrays: Array) -> None:
        """Append a layer with these parameters and statistics; `ShapeError` where it does not fit what reaches it."""
        try:
            after = layer.build(self.shape, self._rng)
        except ShapeError as error:
            raise error.at(self.where, ShapeError) from None
        homes = layer.parameters | layer.statistics
        for name, array in arrays.items():
            if array.shape != homes[name].shape:
                raise ShapeError(
                    tr("The layer does not fit what the layers before it give."),
                    where=self.where,
                    expected=tr("{name} of shape {shape}", name=name, shape=homes[name].shape),
                    received=array.shape,
                )
        self.layers.append(layer)
        self.arrays.append(arrays)
        self.shape = after

    def only(self, thing: object, **options: object) -> None:
        """Refuse a layer unless its options have these values."""
        for name, value in options.items():
            found = getattr(thing, name, value)
            if found != value and not (isinstance(found, (tuple, list)) and set(found) == {value}):
                self.refuse(tr("glassnet does not have this option of the layer."), f"{name}={value!r}", f"{name}={found!r}")

    def refuse(self, what: str, expected: object = None, received: object = None) -> NoReturn:
        raise InputError(what, where=self.where, expected=expected, received=received)

    def unknown(self, thing: object, known: Iterable[str]) -> NoReturn:
        what = tr("glassnet does not have this layer.")
        self.refuse(what, " | ".join(sorted(known)), f"{type(thing).__module__}.{type(thing).__qualname__}")

    def network(self) -> Network:
        """The network, in float64 where an array is."""
        if not self.layers:
            self.refuse(tr("A network needs layers."))
        exact = any(array.dtype == np.float64 for arrays in self.arrays for array in arrays.values())
        loss = _loss(self.layers[-1])
        network = Network(
            self.layers, input_shape=self.input_shape, loss=loss, seed=0, dtype="float64" if exact else "float32"
        )
        for layer, arrays in zip(network.layers, self.arrays, strict=True):
            homes = layer.parameters | layer.statistics
            for name, array in arrays.items():
                homes[name][...] = array
        return network


def _loss(last: Layer) -> Loss:
    """The loss whose probabilities the outputs stand for: those of a Sigmoid, else of scores."""
    if isinstance(last, Sigmoid):
        return BinaryCrossEntropy()
    scores = isinstance(last, (Conv2D, Flatten, GlobalAveragePool2D, GlobalMaxPool2D))
    return SoftmaxCrossEntropy() if scores else default_loss(last)
