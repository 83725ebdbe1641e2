"""Is the gradient right? Backpropagation held against the definition of the derivative, parameter by parameter.

    g ≈ (C(w + ε) − C(w − ε)) / 2ε        relative error ‖g − ĝ‖ / (‖g‖ + ‖ĝ‖)

Everything is computed in float64, dropout off; networks with BatchNorm as in training, where its statistics are those of the
images, the same values dropped out every time. Small networks are checked in every parameter; of large ones a fixed random
choice of each array, and the whole gradient along random directions, which no wrong parameter escapes for long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data import Dataset
from glassnet.errors import InputError
from glassnet.network import Network, as_dataset
from glassnet.nn.stack import Slot
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.training.plan import check_labels

ALL_UP_TO = 2000  # parameters
CHOSEN = 40  # of each array in larger networks
DIRECTIONS = 10
TOLERANCE = 1e-7
SEED = 20


@dataclass(frozen=True)
class ParameterCheck:
    """One parameter of `array`: its gradient by backpropagation and by definition; `name` is like dense1.weight[3, 4]."""

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
    """`relative_error` over all that was checked; `arrays`: that of each array; `worst`: the parameter furthest off.

    `directions`: derivatives along random directions of all parameters together (none where every parameter is checked).
    `noise` is how far rounding alone may set one difference quotient off: a trained network's gradients can be that small.
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

    @property
    def passed(self) -> bool:
        """Whether every array agrees, and the random directions do, within the tolerance and what rounding explains."""
        by_array: dict[str, list[ParameterCheck]] = {}
        for check in self.parameters:
            by_array.setdefault(check.array, []).append(check)
        return all(
            _distance(part) <= self.tolerance * _length(part) + self.noise * sqrt(len(part))
            for part in (*by_array.values(), self.directions)
        )

    def __str__(self) -> str:
        if self.checked == self.total:
            over = tr("  relative error {error:.3g} over all {total} parameters", error=self.relative_error, total=self.total)
        else:
            over = tr(
                "  relative error {error:.3g} over {checked} of {total} parameters",
                error=self.relative_error,
                checked=self.checked,
                total=self.total,
            )
        if self.directions:
            error = _relative(self.directions)
            over += tr(", {error:.3g} along {count} random directions", error=error, count=DIRECTIONS)
        lines = [
            tr("gradient check: right") if self.passed else tr("gradient check: WRONG"),
            over,
            *(f"  {name:<16} {error:.3g}" for name, error in self.arrays.items()),
            tr(
                "  worst: {name}: backpropagation {gradient:.10g}, definition {numerical:.10g}",
                name=self.worst.name,
                gradient=self.worst.gradient,
                numerical=self.worst.numerical,
            ),
        ]
        return "\n".join(lines)


def check_gradients(
    network: Network, images: Array | Dataset, labels: Array | None = None, *, epsilon: float = 1e-5
) -> GradientCheck:
    """Hold the gradient of the network's cost on some images against central differences.

    `images` (N, …) and `labels` (N,), or a Dataset. A few images are enough; every parameter costs two forward passes.
    """
    data = images if isinstance(images, Dataset) else as_dataset((images, _given(labels)), "check_gradients")
    check_labels(network, data, "check_gradients")
    exact = network.astype("float64")
    exact.adapt(data.images)
    rows = exact.rows(data.images)

    training = bool(exact.running_slots)

    def gradient() -> NDArray[np.float64]:
        chance = np.random.default_rng(SEED)
        found = exact.costs_and_gradient(rows, data.labels, training=training, rng=chance)[2]
        return found + exact.penalty_and_gradient()[1]

    def cost() -> float:
        z, _ = exact.forward(rows, training=training, rng=np.random.default_rng(SEED), stop=exact.raw)
        z = z.reshape(len(z), -1)
        costs, _ = exact.loss.value_and_gradient(z, exact.loss.targets(data.labels, z.shape[1], np.float64))
        return float(costs.mean()) + exact.penalty_and_gradient()[0]

    return _check(exact, gradient(), cost, epsilon)


def _given(labels: Array | None) -> Array:
    if labels is None:
        raise InputError(tr("Labels are needed."), where="check_gradients(labels)", expected=tr("(N,) class indices"))
    return labels


def _check(exact: Network, g: NDArray[np.float64], cost: Callable[[], float], epsilon: float) -> GradientCheck:
    flat, rng = exact.flat, np.random.default_rng(SEED)
    noise = 8 * float(np.finfo(np.float64).eps) * max(1.0, abs(cost())) / epsilon

    def along(change: Callable[[float], Any]) -> float:
        change(epsilon)
        above = cost()
        change(-2 * epsilon)
        below = cost()
        change(epsilon)
        return (above - below) / (2 * epsilon)

    found: list[ParameterCheck] = []
    arrays: dict[str, float] = {}
    for slot in exact.slots:
        places = _places(slot, flat.size, rng)
        part = []
        for place in places:
            kept = float(flat[place])

            def change(by: float, place: int = place) -> None:
                flat[place] += by

            numerical = along(change)
            flat[place] = kept
            part.append(ParameterCheck(_name(slot, place), kept, float(g[place]), numerical, slot.name))
        found += part
        arrays[slot.name] = _relative(part)
    if not found:
        raise InputError(tr("The network has no parameters to check."), where="check_gradients(network)")
    directions: list[ParameterCheck] = []
    if len(found) < flat.size:
        kept_all = flat.copy()
        for number in range(1, DIRECTIONS + 1):
            direction = rng.standard_normal(flat.size)
            direction /= np.linalg.norm(direction)

            def shift(by: float, direction: NDArray[np.float64] = direction) -> None:
                flat.__iadd__(by * direction)

            numerical = along(shift)
            flat[...] = kept_all
            directions.append(ParameterCheck(f"direction {number}", 0.0, float(g @ direction), numerical))
    return GradientCheck(
        relative_error=_relative(found),
        arrays=arrays,
        worst=max(found, key=lambda check: check.error),
        checked=len(found),
        total=flat.size,
        parameters=tuple(found),
        directions=tuple(directions),
        noise=noise,
    )


def _places(slot: Slot, total: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Which parameters of an array to check: all of a small network, a fixed random choice of a large one."""
    if total <= ALL_UP_TO or slot.size <= CHOSEN:
        return slot.offset + np.arange(slot.size)
    return slot.offset + np.sort(rng.choice(slot.size, CHOSEN, replace=False))


def _distance(checks: Sequence[ParameterCheck]) -> float:
    return sqrt(sum((check.gradient - check.numerical) ** 2 for check in checks))


def _length(checks: Sequence[ParameterCheck]) -> float:
    """‖g‖ + ‖ĝ‖"""
    return sqrt(sum(check.gradient**2 for check in checks)) + sqrt(sum(check.numerical**2 for check in checks))


def _relative(checks: Sequence[ParameterCheck]) -> float:
    return _distance(checks) / _length(checks) if _length(checks) > 0 else 0.0


def _name(slot: Slot, place: int) -> str:
    index = np.unravel_index(int(place) - slot.offset, slot.shape)
    return f"{slot.name}[{', '.join(str(int(i)) for i in index)}]"
