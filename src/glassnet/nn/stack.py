"""Layers in a row over one flat vector of parameters: forward, backward, loss and gradient. The mathematics of a network."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite, prod
from typing import Any, Self
from weakref import ReferenceType, WeakKeyDictionary, ref

import numpy as np
from numpy.typing import NDArray

from glassnet.data.arrays import PIXEL_LIMIT
from glassnet.errors import InputError, ShapeError
from glassnet.kernels.sizes import aligned_zeros
from glassnet.nn import Flatten, Layer, Pixels, walk
from glassnet.nn.activations import sigmoid, softmax
from glassnet.nn.chain import adapt_chain, build_chain, check_distinct, forward_chain, name_layers
from glassnet.nn.inputs import check_channels, not_pixels
from glassnet.nn.layer import Gradients, Shape
from glassnet.nn.losses import Loss
from glassnet.nn.penalties import Regularizer
from glassnet.nn.summary import Table, table
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.support.memory import require_memory


@dataclass(frozen=True)
class Slot:
    """Where one parameter array, or one running statistic, lies in the vector of the network's state."""

    name: str  # "dense1.weight"
    layer: int
    key: str  # "weight"
    shape: Shape
    offset: int
    penalised: bool

    @cached_property
    def size(self) -> int:
        return prod(self.shape)

    def part(self, flat: Array) -> Array:
        """This array's stretch of a flat vector, as a view."""
        return flat[self.offset : self.offset + self.size]

    def __str__(self) -> str:
        return f"{self.name} {self.shape}"


BYTES = np.dtype(np.uint8)
ADAPTED = 1 << 22  # numbers of images that layers take statistics from at once

# The network that each layer belongs to: its arrays lie in the vector of that network alone.
_OWNERS: WeakKeyDictionary[Layer, ReferenceType[Stack]] = WeakKeyDictionary()


class Stack:
    """Layers in a row, their loss and penalty; parameters are views into one flat vector of `dtype`.

    A layer that is part of another network is copied: its parameters can't lie in two vectors.
    """

    flat: Array  # the flat parameter vector itself: writing to it changes the network
    state: (
        Array  # all that training changes, as one vector: the parameters (`flat` is a view of them), then running statistics
    )

    def __init__(
        self,
        layers: Sequence[Layer],
        *,
        loss: Loss,
        input_shape: Shape,
        regularizer: Regularizer,
        rng: np.random.Generator,
        dtype: str = "float32",
    ) -> None:
        if dtype not in ("float32", "float64"):
            raise InputError(
                tr("A network computes in float32 or float64."), where="dtype", expected="float32 | float64", received=dtype
            )
        check_distinct(layers)
        taken = [any(inner in _OWNERS and _OWNERS[inner]() is not None for inner in walk([layer])) for layer in layers]
        self.layers = tuple(copy.deepcopy(layer) if other else layer for layer, other in zip(layers, taken, strict=True))
        self.loss, self.regularizer, self.dtype = loss, regularizer, np.dtype(dtype)
        self.input_shape = tuple(input_shape)
        self.shapes = build_chain(self.layers, self.input_shape, rng)  # of one image, before each layer and after the last
        self.names = name_layers(self.layers)
        self.slots: list[Slot] = []  # of the parameters
        self.running_slots: list[Slot] = []  # of the running statistics, behind them
        offset = 0
        for slots, running in ((self.slots, False), (self.running_slots, True)):
            for number, layer in enumerate(self.layers):
                arrays = {key: layer.statistics[key] for key in layer.running} if running else layer.parameters
                for key, array in arrays.items():
                    name, penalised = f"{self.names[number]}.{key}", not running and key in layer.penalised
                    slots.append(Slot(name, number, key, array.shape, offset, penalised))
                    offset += array.size
        self._adopt()

    def _adopt(self) -> None:
        """Move the layers' parameters and running statistics into one vector; they become views of it."""
        parameters, running = (sum(slot.size for slot in slots) for slots in (self.slots, self.running_slots))
        self.state = aligned_zeros(parameters + running, self.dtype)
        self.flat = self.state[:parameters]
        for slot in (*self.slots, *self.running_slots):
            self.layers[slot.layer].adopt(slot.key, slot.part(self.state).reshape(slot.shape))
        _OWNERS.update((layer, ref(self)) for layer in walk(self.layers))

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles hold: all but the flat vector, as the layers have its values."""
        return {name: value for name, value in vars(self).items() if name not in ("state", "flat")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._adopt()  # a vector of its own; pickled arrays would be views no longer

    def __copy__(self) -> Self:
        return copy.deepcopy(self)  # layers can't be shared: their arrays lie in the vector of one network

    def astype(self, dtype: str) -> Self:
        """A copy that computes in another float type."""
        twin = object.__new__(type(self))
        changed = {"layers": copy.deepcopy(self.layers), "dtype": np.dtype(dtype)}
        twin.__setstate__(self.__getstate__() | changed)
        return twin

    @property
    def parameters(self) -> Array:
        """All parameters as one vector: a copy; assign to set them."""
        return self.flat.copy()

    @parameters.setter
    def parameters(self, values: Array) -> None:
        values = np.asarray(values)
        if values.shape != self.flat.shape:
            raise ShapeError(
                tr("The parameter vector has the wrong length."),
                where="parameters",
                expected=self.flat.shape,
                received=values.shape,
            )
        self.flat[...] = values

    @property
    def features(self) -> int:
        """Numbers in one image."""
        return prod(self.input_shape)

    @property
    def bytes_per_image(self) -> int:
        """Bytes of the outputs of all layers for one image."""
        return self.dtype.itemsize * sum(map(prod, self.shapes))

    @property
    def takes_pixels(self) -> bool:
        """Whether `Pixels` brings integers to 0…1 before any layer that makes floats of them."""
        first = itertools.takewhile(lambda layer: isinstance(layer, (Flatten, Pixels)), self.layers)
        return any(isinstance(layer, Pixels) for layer in first)

    @property
    def outputs(self) -> int:
        return prod(self.shapes[-1])

    @property
    def fuses_activation(self) -> bool:
        """Whether the network ends in the activation that its loss computes itself."""
        return self.loss.link is not None and type(self.layers[-1]).__name__ == self.loss.link

    @property
    def layers_before_loss(self) -> int:
        """How many layers give the input of the loss: all, or all but an activation that the loss computes itself."""
        return len(self.layers) - int(self.fuses_activation)

    @property
    def threshold(self) -> float:
        """Above what a single raw output means class 1."""
        return 0.0 if self.loss.link is not None else 0.5

    def rows(self, images: Array) -> Array:
        """Images (N, …), or one image, as C-contiguous rows (N, features) of bytes or floats."""
        images = np.asarray(images)
        if images.dtype is BYTES and images.shape[1:] == self.input_shape and images.size and images.flags.c_contiguous:
            return images.reshape(len(images), -1)  # as most are, and at once: of one image even the checks would count
        if images.ndim == 4 and images.shape[1:] != self.input_shape:
            check_channels(images.shape[1:], self.input_shape)
        if images.dtype != np.uint8 and images.dtype != self.dtype:
            images = self._convert(images)
        if images.ndim > 1 and prod(images.shape[1:]) == self.features:
            rows = images.reshape(len(images), self.features)
        elif images.size == self.features:
            rows = images.reshape(1, self.features)
        else:
            raise ShapeError(
                tr("The images do not fit the network."),
                where="images",
                expected=f"(N, {', '.join(map(str, self.input_shape))})",
                received=images.shape,
            )
        if rows.dtype.kind == "f" and rows.size:
            low, high = float(rows.min()), float(rows.max())  # NaN where there is one
            if not (isfinite(low) and isfinite(high)):
                bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
                raise InputError(tr("An image holds NaN or infinity."), where=f"image {bad}", expected=tr("finite numbers"))
            if low >= 0 and high > PIXEL_LIMIT and self.takes_pixels:
                raise not_pixels(low, high)
        return np.ascontiguousarray(rows)

    def _convert(self, images: Array) -> Array:
        kind = images.dtype.kind
        if kind not in "buif":
            raise InputError(
                tr("Images are arrays of numbers."), where="images", expected=tr("numbers"), received=images.dtype
            )
        is_bytes = kind == "b" or (kind in "ui" and images.size > 0 and images.min() >= 0 and images.max() <= 255)
        size = images.size * (1 if is_bytes else self.dtype.itemsize)
        what, hint = tr("a copy of the images as {dtype}", dtype=self.dtype), tr("images as uint8, or fewer at once")
        require_memory(size, what, "images", hint)
        return images.astype(np.uint8 if is_bytes else self.dtype)

    def forward(
        self, rows: Array, *, training: bool = False, rng: np.random.Generator | None = None, stop: int | None = None
    ) -> tuple[Array, Callable[[Array], tuple[Array, list[Gradients]]]]:
        """The outputs of the first `stop` layers (all, if None), and the function from their gradient to all gradients."""
        x: Array = rows.reshape(len(rows), *self.input_shape)
        return forward_chain(self.layers[:stop], x, self.dtype, training=training, rng=rng)

    def adapt(self, images: Array) -> None:
        """Let the layers that have not yet done so take their statistics from the training images."""
        if not all(layer.adapted for layer in self.layers):
            rows = self.rows(images)
            inputs, block = rows.reshape(len(rows), *self.input_shape), max(1, ADAPTED // self.features)
            adapt_chain(
                self.layers, lambda: (inputs[i : i + block] for i in range(0, max(1, len(inputs)), block)), self.dtype
            )

    def losses_and_gradient(
        self,
        rows: Array,
        labels: Array,
        weights: Array | None = None,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Array, Array]:
        """Weighted losses (N,), raw outputs (N, outputs), and the gradient of their mean as a flat vector; no penalty."""
        z, backward = self.forward(rows, training=training, rng=rng, stop=self.layers_before_loss)
        flat = z.reshape(len(z), -1)
        losses, dz = self.loss.value_and_gradient(flat, self.loss.targets(labels, flat.shape[1], self.dtype.type))
        factor = np.full(len(rows), 1 / len(rows)) if weights is None else weights / len(rows)
        _, gradients = backward((dz * factor[:, None]).astype(self.dtype).reshape(z.shape))
        gradient = np.zeros(self.flat.size, dtype=self.dtype)
        for slot in self.slots:
            if slot.layer < len(gradients):
                slot.part(gradient)[...] = gradients[slot.layer][slot.key].ravel()
        return losses if weights is None else losses * weights, flat, gradient

    def penalty_and_gradient(self) -> tuple[float, Array]:
        """The penalty on the weights and its gradient as a flat vector."""
        l1, l2 = self.regularizer.rates
        value, gradient = 0.0, np.zeros(self.flat.size, dtype=self.dtype)
        for slot in self.slots:
            if slot.penalised and (l1 or l2):
                w = slot.part(self.flat)
                value += l1 * float(np.abs(w).sum(dtype=np.float64)) + 0.5 * l2 * float(np.square(w, dtype=float).sum())
                slot.part(gradient)[...] = l1 * np.sign(w) + l2 * w
        return value, gradient

    def decide(self, raw: Array) -> NDArray[np.int64]:
        """Class indices (N,) from raw outputs (N, outputs): the first largest, or above the threshold for a single one."""
        if raw.shape[1] == 1:
            return np.asarray(raw[:, 0] > self.threshold, dtype=np.int64)
        return np.asarray(raw.argmax(axis=1), dtype=np.int64)

    def probabilities(self, raw: Array) -> Array:
        """Probabilities (N, classes) from raw outputs (N, outputs); rows sum to 1. Of a single sigmoid, that of class 1."""
        raw = raw.astype(np.float64)
        last = self.loss.link or type(self.layers[-1]).__name__
        if last == "Softmax":
            return softmax(raw) if self.loss.link else raw / raw.sum(axis=1, keepdims=True)
        if last != "Sigmoid":
            raise InputError(
                tr("The outputs of this network are not probabilities."),
                where="predict_proba",
                expected=tr("a Sigmoid or Softmax at the end, or a cross-entropy loss"),
                received=repr(self.layers[-1]),
            )
        a = sigmoid(raw) if self.loss.link else raw
        if a.shape[1] == 1:
            return np.concatenate([1 - a, a], axis=1)
        total = a.sum(axis=1, keepdims=True)
        return np.where(total > 0, a / np.where(total > 0, total, 1), 1 / a.shape[1])

    def operations(self) -> list[int]:
        """Multiplications with additions of each layer, for one image forward."""
        return [layer.operations(shape) for layer, shape in zip(self.layers, self.shapes, strict=False)]

    def summary(self) -> str:
        """A table of layers, output shapes, parameters, operations and bytes, and the loss; a text."""
        penalty = f"   penalty: {self.regularizer!r}" if any(self.regularizer.rates) else ""
        return Table(f"{table(self.layers, self.shapes, self.dtype.itemsize)}\nloss: {self.loss!r}{penalty}")
