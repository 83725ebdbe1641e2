"""Loss functions: the loss of each image from the network's raw outputs z and the targets t.

A loss with a `link` (the sigmoid, the softmax) is computed from the input of that link, so that nothing overflows and no
logarithm meets a zero: where a network ends in the link's layer, the loss takes the input of that layer, else its outputs.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from glassnet.nn.activations import sigmoid, softmax
from glassnet.support.arrays import Array
from glassnet.support.checks import below_one
from glassnet.support.habits import LOSSES as FOREIGN, option_class
from glassnet.support.i18n import tr
from glassnet.support.registry import find_named, plain


@option_class
class Loss:
    """`value_and_gradient(z, t)`: losses (N,) and ∂loss/∂z (N, outputs)."""

    link: ClassVar[str | None] = None

    @property
    def smoothing(self) -> float:
        return 0.0

    def targets(self, labels: Array, outputs: int, dtype: Any) -> Array:
        """Target rows: one-hot for class indices (N,), the label itself for one output, floats (N, outputs) as they are."""
        if labels.dtype.kind == "f":
            return labels.astype(dtype, copy=False)
        if outputs == 1:
            return (labels[:, None] * (1 - self.smoothing) + self.smoothing / 2).astype(dtype)
        rows = np.full((len(labels), outputs), self.smoothing / outputs, dtype=dtype)
        rows[np.arange(len(labels)), labels] += dtype(1 - self.smoothing)
        return rows

    def value_and_gradient(self, z: Array, target: Array) -> tuple[Array, Array]:
        raise TypeError(f"{type(self).__name__} has no loss of its own: use one of its subclasses")


@option_class
class Quadratic(Loss):
    """C = ½‖z − t‖², the tutorial's loss; its gradient is z − t."""

    def value_and_gradient(self, z: Array, target: Array) -> tuple[Array, Array]:
        error = z - target
        return 0.5 * (error * error).sum(axis=-1), error


@option_class
class BinaryCrossEntropy(Loss):
    """C = −Σⱼ tⱼ·ln aⱼ + (1−tⱼ)·ln(1−aⱼ) = Σⱼ softplus(zⱼ) − tⱼ·zⱼ, a = σ(z); its gradient is a − t.

    Summed over the outputs: one (cat or not) or several (numerals).
    """

    link = "Sigmoid"

    def value_and_gradient(self, z: Array, target: Array) -> tuple[Array, Array]:
        softplus = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
        return (softplus - target * z).sum(axis=-1), sigmoid(z) - target


@option_class
class SoftmaxCrossEntropy(Loss):
    """C = −Σⱼ tⱼ·ln aⱼ = Σⱼ tⱼ·(ln Σ e^(z − max z) − (zⱼ − max z)), a = softmax(z); its gradient is a − t, as Σ t = 1.

    With label smoothing ε, t = (1−ε)·one-hot + ε/outputs (Szegedy et al., 2016).
    """

    label_smoothing: float = 0.0

    link = "Softmax"

    def __post_init__(self) -> None:
        where = "SoftmaxCrossEntropy(label_smoothing)"
        below_one(self.label_smoothing, tr("The label smoothing must lie in [0, 1)."), where, "ε")

    @property
    def smoothing(self) -> float:
        return self.label_smoothing

    def value_and_gradient(self, z: Array, target: Array) -> tuple[Array, Array]:
        below = z - z.max(axis=-1, keepdims=True)
        log_total = np.log(np.exp(below).sum(axis=-1, keepdims=True))
        return (target * (log_total - below)).sum(axis=-1), softmax(z) - target


LOSSES: dict[str, type[Loss]] = {kind.__name__: kind for kind in (Quadratic, BinaryCrossEntropy, SoftmaxCrossEntropy)}


def as_loss(value: Loss | str | dict[str, Any], where: str) -> Loss:
    """A loss from itself, its name, or {"type": name, option: value}; those of Keras are known by their names there."""
    if isinstance(value, str):
        value = FOREIGN.get(plain(value), value)
    return find_named(value, Loss, LOSSES, where)
