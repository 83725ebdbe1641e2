"""Statistics of a training, for the diagnosis: norms of gradients and updates, and of the layers' outputs; validation."""

from __future__ import annotations

from functools import partial
from math import ceil, isfinite, sqrt
from typing import Any

import numpy as np

from glassnet.data import Dataset
from glassnet.nn import Dropout, Flatten, Layer, LeakyReLU, Pixels, ReLU, Scale, Sigmoid, Standardize, Tanh
from glassnet.nn.stack import Stack
from glassnet.runtime import Predictor, Ranks
from glassnet.runtime.layer_outputs import BEFORE_LOSS, LayerOutputs
from glassnet.support.arrays import Array
from glassnet.training.ranks import losses_together

MOST, LEAST, ONE_IN = 160, 32, 250  # images used: one in 250, within these bounds, so that they cost little time
PART = 0.01  # of the time of a training that looks may take
IMAGE, LAYER = 1.2, 3.5e5  # cost of a look: steps with so many images for each of its own, and multiplications for each layer
FIRST = 3  # epochs with a look each, however short they are
BLOCK = 1 << 15  # values that are summed together
FLAT = 0.01  # of its range: this near to its bounds, the slope of a sigmoid or tanh is at most 4 % of its maximum
FIXED = (Flatten, Pixels, Scale, Standardize)  # layers whose output does not change during training

Statistics = dict[str, dict[str, float]]


def length(vector: Array) -> float:
    """‖v‖, without overflow of the squares."""
    with np.errstate(over="ignore"):
        return _length(vector)


def _length(vector: Array) -> float:
    found = sqrt(vector.dot(vector))  # as np.linalg.norm has it, which takes four times as long for short ones
    if isfinite(found):
        return found
    highest = float(np.abs(vector).max(initial=0))
    return highest * float(np.linalg.norm(vector / highest)) if highest > 0 else 0.0


def all_finite(vector: Array) -> bool:
    """Whether no number is infinite or NaN; their sum shows it, unless it overflows itself."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(vector.sum())) or bool(np.isfinite(vector).all())


def validate(
    predictor: Predictor | None, rows: Array | None, data: Dataset | None, ranks: Ranks | None = None
) -> dict[str, Any]:
    """The columns of an `Epoch` about validation; `rows`: the images of `data` as the network reads them."""
    if predictor is None or data is None or rows is None:
        return dict.fromkeys(("validation_cost", "validation_accuracy", "validation_correct", "validation_total"))
    losses, classes = (predictor.losses if ranks is None else partial(losses_together, ranks, predictor))(rows, data.labels)
    correct = int((classes == data.labels).sum()) if data.is_classification else None
    return {
        "validation_cost": float(losses.mean()),
        "validation_accuracy": None if correct is None else correct / len(data),
        "validation_correct": correct,
        "validation_total": len(data),
    }


def norms(stack: Stack, gradient: Array, before: Array) -> dict[str, Any]:
    """‖g‖ of each parameter array, and ‖Δw‖ / ‖w‖ since the state `before`, which is overwritten."""
    with np.errstate(over="ignore"):
        sizes = {slot.name: _length(slot.part(before)) or 1.0 for slot in stack.slots}
        change = np.subtract(stack.state, before, out=before)
        return {
            "gradient_norms": {slot.name: _length(slot.part(gradient)) for slot in stack.slots},
            "update_norms": {slot.name: _length(slot.part(change)) / sizes[slot.name] for slot in stack.slots},
        }


class Watch:
    """The outputs of each layer for a few training images, always the same.

    `every`: after how many epochs it is worth to look again; more than 1 where an epoch takes hardly longer than a look.
    `targets`: what is trained on instead of the labels.
    """

    def __init__(self, stack: Stack, data: Dataset, targets: Array | None = None, threads: int | None = 1) -> None:
        count = min(len(data), max(LEAST, min(MOST, len(data) // ONE_IN)))
        chosen = np.linspace(0, len(data) - 1, count).astype(np.int64)  # spread over a set that may be sorted by class
        steps = IMAGE * count + LAYER * len(stack.layers) / max(1, sum(stack.operations()))  # of how many images
        self.every = ceil(steps / (PART * len(data)))
        labels = (data.labels if targets is None else targets)[chosen]
        self._stack, self._first = stack, first_changing(stack)
        self._targets = stack.loss.targets(labels, stack.outputs, stack.dtype.type)
        self._outputs = LayerOutputs(stack, stack.rows(data.images[chosen]), threads)

    def due(self, epoch: int, epochs: int) -> bool:
        """Whether to look after an epoch of a training of so many: the first ones, every few, and the last."""
        return epoch <= FIRST or epoch >= epochs or epoch % self.every == 0

    def look(self) -> tuple[Statistics, float]:
        """Statistics of each layer's output by its name, and the mean loss of the images, without penalty and dropout."""
        stack = self._stack
        found: dict[str, Described] = {}
        raw: list[Array] = []
        with np.errstate(over="ignore", invalid="ignore"):
            for part in self._outputs.parts(self._first):
                z = part.pop(BEFORE_LOSS)
                raw.append(z.reshape(len(z), -1).copy())
                for number, y in part.items():
                    layer = stack.layers[number]
                    if not isinstance(layer, (Dropout, Flatten)):
                        found.setdefault(stack.names[number], Described(layer)).add(y)
            cost = float(stack.loss.value_and_gradient(np.concatenate(raw), self._targets)[0].mean())
            return {name: described.found() for name, described in found.items()}, cost

    def close(self) -> None:
        """End the threads."""
        self._outputs.close()


def first_changing(stack: Stack) -> int:
    """The index of the first layer whose output changes during training."""
    changing = (index for index, layer in enumerate(stack.layers) if not isinstance(layer, (*FIXED, Dropout)))
    return next(changing, len(stack.layers))


class Described:
    """Mean and standard deviation of a layer's outputs (N, …), given part by part, and the share of them without a gradient.

    `saturated`: the fraction of values near the bounds of a Sigmoid or Tanh; `dead`: the fraction of a ReLU's units that are
    zero for every image, at all positions.
    """

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._count, self._flat = 0, 0
        self._near: Any = 0.0  # a number near the mean
        self._sum = self._squares = 0.0  # of the differences to it
        self._highest: Array | None = None  # value of each unit in any image

    def add(self, y: Array) -> None:
        values = y.reshape(-1)
        if not self._count:
            first = values[:BLOCK]
            self._near = np.add.reduce(first) / len(first)  # as `mean` has it, which takes twice as long
        for start in range(0, len(values), BLOCK):  # which stays in the cache
            apart = values[start : start + BLOCK] - self._near
            self._sum += float(np.add.reduce(apart))
            self._squares += float(np.add.reduce(apart * apart))
        self._count += len(values)
        if isinstance(self._layer, (Sigmoid, Tanh)):
            half = 0.5 if isinstance(self._layer, Sigmoid) else 1.0
            self._flat += int(np.count_nonzero(np.abs(y - (1.0 - half)) > half * (1 - 2 * FLAT)))
        if isinstance(self._layer, (ReLU, LeakyReLU)):
            highest = y.max(axis=0)
            self._highest = highest if self._highest is None else np.maximum(self._highest, highest)

    def found(self) -> dict[str, float]:
        mean = self._sum / self._count
        spread = sqrt(max(0.0, self._squares / self._count - mean * mean))
        found = {"mean": _short(self._near + mean), "spread": _short(spread)}
        if isinstance(self._layer, (Sigmoid, Tanh)):
            found["saturated"] = _short(self._flat / self._count)
        if self._highest is not None:
            active = (self._highest > 0).reshape(-1, self._highest.shape[-1]).any(axis=0)
            found["dead"] = _short(1.0 - active.mean())
        return found


def _short(value: Any) -> float:
    """Six digits, which do not depend on the order of a sum."""
    return float(f"{value:.6g}")
