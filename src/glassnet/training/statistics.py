"""Statistics of a training, for the diagnosis: norms of gradients and updates, and of the layers' outputs; validation."""

from __future__ import annotations

import functools
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from glassnet.data import Dataset
from glassnet.nn import Dropout, Flatten, Layer, LeakyReLU, Pixels, ReLU, Scale, Sigmoid, Standardize, Tanh
from glassnet.nn.chain import forward_chain
from glassnet.nn.stack import Stack
from glassnet.runtime import Predictor, Ranks
from glassnet.support.arrays import Array
from glassnet.training.ranks import losses_together

MOST, LEAST, ONE_IN = 160, 32, 250  # images used: one in 250, within these bounds, so that they cost little time
COST = 16  # epochs of as many images between looks, in NumPy, keep these to a small part of the time
FLAT = 0.01  # of its range: this near to its bounds, the slope of a sigmoid or tanh is at most 4 % of its maximum
FIXED = (Flatten, Pixels, Scale, Standardize)  # layers whose output does not change during training

Statistics = dict[str, dict[str, float]]


def length(vector: Array) -> float:
    """‖v‖, without overflow of the squares."""
    with np.errstate(over="ignore"):
        found = float(np.linalg.norm(vector))
    if np.isfinite(found):
        return found
    highest = float(np.abs(vector).max(initial=0))
    return highest * float(np.linalg.norm(vector / highest)) if highest > 0 else 0.0


def all_finite(vector: Array) -> bool:
    """Whether no number is infinite or NaN; their sum shows it, unless it overflows itself."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(vector.sum())) or bool(np.isfinite(vector).all())


def validate(predictor: Predictor, rows: Array | None, data: Dataset | None, ranks: Ranks | None = None) -> dict[str, Any]:
    """The columns of an `Epoch` about validation; `rows`: the images of `data` as the network reads them."""
    if data is None or rows is None:
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
    sizes = {slot.name: length(slot.part(before)) or 1.0 for slot in stack.slots}
    change = np.subtract(stack.state, before, out=before)
    return {
        "gradient_norms": {slot.name: length(slot.part(gradient)) for slot in stack.slots},
        "update_norms": {slot.name: length(slot.part(change)) / sizes[slot.name] for slot in stack.slots},
    }


class Watch:
    """The outputs of each layer for a few training images, always the same; in NumPy, as they are few.

    `every`: after how many epochs it is worth to look again; more than 1 where an epoch has hardly more images than these.
    `targets`: what is trained on instead of the labels.
    """

    def __init__(self, stack: Stack, data: Dataset, targets: Array | None = None) -> None:
        count = min(len(data), max(LEAST, min(MOST, len(data) // ONE_IN)))
        chosen = np.linspace(0, len(data) - 1, count).astype(np.int64)  # spread over a set that may be sorted by class
        self.every = -(-COST * count // len(data))
        self._stack, self._labels = stack, (data.labels if targets is None else targets)[chosen]
        rows = stack.rows(data.images[chosen])
        self._first = first_changing(stack)
        x: Array = rows.reshape(len(rows), *stack.input_shape)
        self._inputs = forward_chain(stack.layers[: self._first], x, stack.dtype)[0]

    def look(self) -> tuple[Statistics, float]:
        """Statistics of each layer's output by its name, and the mean loss of the images, without penalty and dropout."""
        stack, x, found = self._stack, self._inputs, {}
        z = x
        with _libraries().limit(limits=1), np.errstate(over="ignore", invalid="ignore"):
            for number, layer in enumerate(stack.layers[self._first :], self._first):
                if isinstance(layer, Dropout):
                    continue
                x = forward_chain([layer], x, stack.dtype)[0]
                if number < stack.layers_before_loss:
                    z = x
                if not isinstance(layer, Flatten):
                    found[stack.names[number]] = describe_outputs(layer, x)
            raw = z.reshape(len(z), -1)
            targets = stack.loss.targets(self._labels, raw.shape[1], stack.dtype.type)
            return found, float(stack.loss.value_and_gradient(raw, targets)[0].mean())


@functools.cache
def _libraries() -> ThreadpoolController:
    """NumPy's BLAS: one thread is quicker for products this small."""
    return ThreadpoolController()


def first_changing(stack: Stack) -> int:
    """The index of the first layer whose output changes during training."""
    changing = (index for index, layer in enumerate(stack.layers) if not isinstance(layer, (*FIXED, Dropout)))
    return next(changing, len(stack.layers))


def describe_outputs(layer: Layer, y: Array) -> dict[str, float]:
    """Mean and standard deviation of a layer's outputs (N, …), and the fraction of them without a gradient.

    `saturated`: the fraction of values near the bounds of a Sigmoid or Tanh; `dead`: the fraction of a ReLU's units that are
    zero for every image, at all positions.
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
    """Six digits, which do not depend on the order of a sum."""
    return float(f"{value:.6g}")
