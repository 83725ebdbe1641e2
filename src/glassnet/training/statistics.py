"""Statistics for the diagnosis: norms of gradients and updates, and of each layer's outputs."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from glassnet.data import Dataset
from glassnet.nn import Dropout, Flatten, Layer, LeakyReLU, Pixels, ReLU, Scale, Sigmoid, Standardize, Tanh
from glassnet.nn.chain import forward_chain
from glassnet.nn.stack import Stack
from glassnet.support.arrays import Array

MOST, LEAST, ONE_IN = 160, 32, 250  # images looked at: one in so many, so that they cost little beside the training itself
FLAT = 0.01  # of its range: as near to its bounds the slope of a sigmoid or tanh is a twenty-fifth of what it can be, or less
FIXED = (Flatten, Pixels, Scale, Standardize)  # what does not change while a network trains

Statistics = dict[str, dict[str, float]]


def length(vector: Array) -> float:
    """‖v‖, without overflow in the squares."""
    with np.errstate(over="ignore"):
        found = float(np.linalg.norm(vector))
    if np.isfinite(found):
        return found
    highest = float(np.abs(vector).max(initial=0))
    return highest * float(np.linalg.norm(vector / highest)) if highest > 0 else 0.0


def norms(stack: Stack, gradient: Array, before: Array) -> dict[str, Any]:
    """‖g‖ of each parameter array, and ‖Δw‖ / ‖w‖ since the state `before`, which is overwritten."""
    gradients, updates = {}, {}
    sizes = {slot.name: length(slot.part(before)) for slot in stack.slots}
    change_of_all = np.subtract(stack.state, before, out=before)
    for slot in stack.slots:
        gradients[slot.name] = length(slot.part(gradient))
        size, change = sizes[slot.name], length(slot.part(change_of_all))
        updates[slot.name] = change / size if size else change
    return {"gradient_norms": gradients, "update_norms": updates}


class Watch:
    """A few training images, always the same, and what each layer makes of them. In NumPy: they are few."""

    def __init__(self, stack: Stack, data: Dataset) -> None:
        count = min(len(data), max(LEAST, min(MOST, len(data) // ONE_IN)))
        chosen = np.linspace(0, len(data) - 1, count).astype(np.int64)  # spread over a set that may be sorted by class
        self._stack, self._labels = stack, data.labels[chosen]
        rows = stack.rows(data.images[chosen])
        self._first = first_changing(stack)
        x: Array = rows.reshape(len(rows), *stack.input_shape)
        self._inputs = forward_chain(stack.layers[: self._first], x, stack.dtype)[0]

    def look(self) -> tuple[Statistics, float]:
        """Statistics of each layer's output by its name, and the mean cost of the images, without penalty and dropout."""
        with _libraries().limit(limits=1), np.errstate(over="ignore", invalid="ignore"):
            return self._look()

    def _look(self) -> tuple[Statistics, float]:
        stack, x, found = self._stack, self._inputs, {}
        z = x
        for number, layer in enumerate(stack.layers[self._first :], self._first):
            if isinstance(layer, Dropout):
                continue
            x = forward_chain([layer], x, stack.dtype)[0]
            if number < stack.raw:
                z = x
            if not isinstance(layer, Flatten):
                found[stack.names[number]] = describe_outputs(layer, x)
        raw = z.reshape(len(z), -1)
        targets = stack.loss.targets(self._labels, raw.shape[1], stack.dtype.type)
        return found, float(stack.loss.value_and_gradient(raw, targets)[0].mean())


@functools.cache
def _libraries() -> ThreadpoolController:
    """The threads of NumPy's products, which would wait for each other longer than such small products take."""
    return ThreadpoolController()


def first_changing(stack: Stack) -> int:
    """The index of the first layer whose output changes while the network trains."""
    indices = (number for number, layer in enumerate(stack.layers) if not isinstance(layer, (*FIXED, Dropout)))
    return next(indices, len(stack.layers))


def describe_outputs(layer: Layer, y: Array) -> dict[str, float]:
    """Mean and standard deviation of a layer's outputs (N, …), and the fractions that no longer learn.

    `saturated`: of outputs at the bounds of a Sigmoid or Tanh; `dead`: of units whose ReLU is zero at all positions of all
    images.
    """
    found: dict[str, float] = {"mean": _short(y.mean()), "spread": _short(y.std())}
    if isinstance(layer, (Sigmoid, Tanh)):
        half = 0.5 if isinstance(layer, Sigmoid) else 1.0
        found["saturated"] = _short((np.abs(y - (1.0 - half)) > half * (1 - 2 * FLAT)).mean())
    if isinstance(layer, (ReLU, LeakyReLU)):
        active = (y > 0).reshape(-1, y.shape[-1]).any(axis=0)
        found["dead"] = _short(1.0 - active.mean())
    return found


def _short(value: Any) -> float:
    """Six digits: enough to read, and the same whatever the order of a sum."""
    return float(f"{value:.6g}")
