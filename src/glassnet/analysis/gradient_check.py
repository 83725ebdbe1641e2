"""Gradient check: backpropagation compared with central differences; and a table of both for small networks.

    ĝ = (C(w + ε) − C(w − ε)) / 2ε        relative error ‖g − ĝ‖ / (‖g‖ + ‖ĝ‖)

Computed in float64 without dropout. Networks with BatchNorm are checked in training mode, with the statistics of the given
images and fixed dropout masks. In small networks every parameter is checked, in large ones a fixed random sample of each
array, and the whole gradient along random directions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.compiler import FLOAT32
from glassnet.data import Dataset
from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.nn.stack import Slot
from glassnet.runtime import check_precision, kernel_gradient
from glassnet.support import terminal
from glassnet.support.arrays import Array
from glassnet.support.i18n import mark, tr
from glassnet.training import Callback, Epoch
from glassnet.training.arguments import check_labels
from glassnet.training.callbacks import Progress
from glassnet.training.display import print_line

CHECK_ALL_UP_TO = 2000  # parameters
SAMPLES = 40  # parameters of each array in larger networks
DIRECTIONS = 10
TOLERANCE = 1e-7
SEED = 20
TABLES = 8  # printed during training, at evenly spaced epochs
COLUMNS = (mark("parameter"), mark("value"), mark("backpropagation"), mark("numerical"), mark("difference"))


@dataclass(frozen=True)
class ParameterCheck:
    """One parameter of `array`: its gradient by backpropagation and its numerical one; `name` is like dense1.weight[3, 4]."""

    name: str
    value: float
    gradient: float
    numerical: float
    array: str = ""

    @property
    def error(self) -> float:
        return abs(self.gradient - self.numerical)


@dataclass(frozen=True)
class GradientCheck:
    """`relative_error` over the checked parameters; `arrays`: that of each array; `worst`: the largest error.

    `directions`: derivatives along random directions of all parameters (empty if every parameter is checked).
    `noise`: bound on the rounding error of one difference quotient, which matters for very small gradients.
    `rounding`: of the gradient by the kernels in float32, and in another precision: its relative error, by the precision.
    """

    relative_error: float
    arrays: dict[str, float]
    worst: ParameterCheck
    checked: int
    total: int
    parameters: tuple[ParameterCheck, ...]
    directions: tuple[ParameterCheck, ...]
    noise: float
    tolerance: float = TOLERANCE
    rounding: dict[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every array and the random directions agree within the tolerance plus rounding error."""
        by_array: dict[str, list[ParameterCheck]] = {}
        for check in self.parameters:
            by_array.setdefault(check.array, []).append(check)
        return all(
            _distance(part) <= self.tolerance * _length(part) + self.noise * sqrt(len(part))
            for part in (*by_array.values(), self.directions)
        )

    def __str__(self) -> str:
        text = mark("  relative error {error:.3g} over {checked} of {total} parameters")
        if self.checked == self.total:
            text = mark("  relative error {error:.3g} over all {total} parameters")
        over = tr(text, error=self.relative_error, checked=self.checked, total=self.total)
        if self.directions:
            error = _relative(self.directions)
            over += tr(", {error:.3g} along {count} random directions", error=error, count=DIRECTIONS)
        worst = mark("  largest error: {name}: backpropagation {gradient:.10g}, numerical {numerical:.10g}")
        lines = [
            tr("gradient check: passed") if self.passed else tr("gradient check: FAILED"),
            over,
            *(f"  {name:<16} {error:.3g}" for name, error in self.arrays.items()),
            tr(worst, name=self.worst.name, gradient=self.worst.gradient, numerical=self.worst.numerical),
        ]
        if self.rounding:
            each = ", ".join(f"{precision} {error:.2g}" for precision, error in self.rounding.items())
            lines.append(tr("  relative error of the kernels' gradient: {each}", each=each))
        return "\n".join(lines)


def check_gradients(
    network: Network, images: Array | Dataset, labels: Array | None = None, *, epsilon: float = 1e-5, precision: str = FLOAT32
) -> GradientCheck:
    """Compare the gradient of the network's loss on some images with central differences.

    `images` (N, …) and `labels` (N,), or a Dataset. A few images are enough; each parameter takes two forward passes.
    `precision`: of products; another than float32 is measured, in `GradientCheck.rounding`, as training in it would round
    the gradient.
    """
    check_precision(precision, network, "check_gradients(precision)")
    if labels is None and not isinstance(images, Dataset):
        raise InputError(tr("Labels are missing."), where="check_gradients(labels)", expected=tr("(N,) class indices"))
    exact = network.astype("float64")
    data = exact.labelled(images if isinstance(images, Dataset) else (images, labels), "check_gradients")
    check_labels(exact, data, "check_gradients")
    exact.adapt(data.images)
    x, training = exact.rows(data.images), bool(exact.running_slots)
    gradient = exact.losses_and_gradient(x, data.labels, training=training, rng=np.random.default_rng(SEED))[2]
    gradient = gradient + exact.penalty_and_gradient()[1]

    def loss() -> float:
        z, _ = exact.forward(x, training=training, rng=np.random.default_rng(SEED), stop=exact.layers_before_loss)
        z = z.reshape(len(z), -1)
        losses, _ = exact.loss.value_and_gradient(z, exact.loss.targets(data.labels, z.shape[1], np.float64))
        return float(losses.mean()) + exact.penalty_and_gradient()[0]

    result = compare(exact, gradient, loss, epsilon)
    return result if precision == FLOAT32 else replace(result, rounding=_rounding(network, exact, data, precision))


def _rounding(network: Network, exact: Network, data: Dataset, precision: str) -> dict[str, float]:
    """The relative error of the kernels' gradient in float32 and in another precision, without dropout and penalty."""
    g = exact.losses_and_gradient(exact.rows(data.images), data.labels)[2]
    errors = {}
    for each in (FLOAT32, precision):
        found = kernel_gradient(network, network.rows(data.images), data.labels, each)
        errors[each] = float(np.linalg.norm(g - found) / (np.linalg.norm(g) + np.linalg.norm(found)))
    return errors


def compare(exact: Network, g: NDArray[np.float64], loss: Callable[[], float], epsilon: float) -> GradientCheck:
    """The gradient g beside central differences of the loss over the parameters of `exact`."""
    flat, rng = exact.flat, np.random.default_rng(SEED)
    noise = 8 * float(np.finfo(np.float64).eps) * max(1.0, abs(loss())) / epsilon

    def derivative(index: Any, direction: Any = 1.0) -> float:
        before = flat[index].copy()
        flat[index] += epsilon * direction
        above = loss()
        flat[index] += -2 * epsilon * direction
        below = loss()
        flat[index] = before
        return (above - below) / (2 * epsilon)

    by_array = {
        slot.name: [
            ParameterCheck(_name(slot, i), float(flat[i]), float(g[i]), derivative(i), slot.name)
            for i in _sample(slot, flat.size, rng)
        ]
        for slot in exact.slots
    }
    checks = [check for in_array in by_array.values() for check in in_array]
    if not checks:
        raise InputError(tr("The network has no parameters to check."), where="check_gradients(network)")
    directions: list[ParameterCheck] = []
    if len(checks) < flat.size:
        for number in range(1, DIRECTIONS + 1):
            direction = rng.standard_normal(flat.size)
            direction /= np.linalg.norm(direction)
            numerical = derivative(slice(None), direction)
            directions.append(ParameterCheck(f"direction {number}", 0.0, float(g @ direction), numerical))
    return GradientCheck(
        relative_error=_relative(checks),
        arrays={name: _relative(in_array) for name, in_array in by_array.items()},
        worst=max(checks, key=lambda check: check.error),
        checked=len(checks),
        total=flat.size,
        parameters=tuple(checks),
        directions=tuple(directions),
        noise=noise,
    )


def _sample(slot: Slot, total: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices of the parameters of an array to check: all in a small network, a random sample in a large one."""
    if total <= CHECK_ALL_UP_TO or slot.size <= SAMPLES:
        return slot.offset + np.arange(slot.size)
    return slot.offset + np.sort(rng.choice(slot.size, SAMPLES, replace=False))


def _distance(checks: Sequence[ParameterCheck]) -> float:
    return sqrt(sum((check.gradient - check.numerical) ** 2 for check in checks))


def _length(checks: Sequence[ParameterCheck]) -> float:
    """‖g‖ + ‖ĝ‖"""
    return sqrt(sum(check.gradient**2 for check in checks)) + sqrt(sum(check.numerical**2 for check in checks))


def _relative(checks: Sequence[ParameterCheck]) -> float:
    return _distance(checks) / _length(checks) if _length(checks) > 0 else 0.0


def _name(slot: Slot, index: int) -> str:
    indices = np.unravel_index(int(index) - slot.offset, slot.shape)
    return f"{slot.name}[{', '.join(str(int(i)) for i in indices)}]"


def rows(check: GradientCheck) -> list[tuple[str, ...]]:
    """Name, value, gradient by backpropagation, numerical gradient and their difference, for each parameter."""
    return [
        (entry.name, f"{entry.value:+.6f}", f"{entry.gradient:+.10f}", f"{entry.numerical:+.10f}", f"{entry.error:.1e}")
        for entry in check.parameters
    ]


def table(check: GradientCheck) -> str:
    """The rows as text, with a header."""
    return "\n".join(f"  {line}" for line in terminal.table([tuple(map(tr, COLUMNS)), *rows(check)]))


class GradientTable(Callback):
    """Prints the table before the first epoch and after some of the epochs."""

    def __init__(self, data: Dataset) -> None:
        self._data = data

    def _print(self, progress: Progress, heading: str) -> None:
        assert isinstance(progress.network, Network)
        print_line(f"{heading}\n{table(check_gradients(progress.network, self._data))}")

    def on_train_begin(self, progress: Progress) -> None:
        self._print(progress, tr("At the start"))

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        every = max(1, progress.epochs // TABLES)
        if epoch.epoch % every == 0 or epoch.epoch == progress.epochs:
            self._print(progress, tr("After epoch {epoch}: loss {cost:.6g}", epoch=epoch.epoch, cost=epoch.train_cost))
