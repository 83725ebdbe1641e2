"""Learning rates over the steps of a training: `rate(step, steps)` for step = 0 … steps − 1."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import cos, isfinite, pi
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError
from glassnet.support.i18n import tr
from glassnet.support.registry import find_named


@dataclass(frozen=True)
class Schedule:
    """A learning rate for each step."""

    stretches: ClassVar[bool] = True  # whether a step's rate depends on how long the training is

    def rate(self, step: int, steps: int) -> float:
        raise TypeError(f"{type(self).__name__} has no rate of its own: use one of its subclasses")

    def rates(self, first: int, last: int, steps: int) -> NDArray[np.float64]:
        """The rates of the steps first … last − 1 of a training of `steps`."""
        return np.array([self.rate(step, steps) for step in range(first, last)])


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate at every step."""

    learning_rate: float = 0.01

    stretches = False

    def __post_init__(self) -> None:
        check_rate(self.learning_rate, "Constant(learning_rate)")

    def rate(self, step: int, steps: int) -> float:
        return self.learning_rate

    def rates(self, first: int, last: int, steps: int) -> NDArray[np.float64]:
        return np.full(last - first, self.learning_rate)


@dataclass(frozen=True)
class StepDecay(Schedule):
    """The rate is multiplied by `factor` at each of the `milestones`, which are shares of the training between 0 and 1."""

    learning_rate: float = 0.1
    milestones: tuple[float, ...] = (0.5, 0.75)
    factor: float = 0.1

    def __post_init__(self) -> None:
        check_rate(self.learning_rate, "StepDecay(learning_rate)")
        check_rate(self.factor, "StepDecay(factor)", tr("number"))
        object.__setattr__(self, "milestones", tuple(self.milestones))

    def rate(self, step: int, steps: int) -> float:
        passed = sum(step >= milestone * steps for milestone in self.milestones)
        return float(self.learning_rate * self.factor**passed)


@dataclass(frozen=True)
class CosineDecay(Schedule):
    """From the rate down to `final`·rate along half a cosine. Loshchilov and Hutter, ICLR 2017."""

    learning_rate: float = 0.1
    final: float = 0.0

    def __post_init__(self) -> None:
        check_rate(self.learning_rate, "CosineDecay(learning_rate)")

    def rate(self, step: int, steps: int) -> float:
        height = 0.5 * (1 + cos(pi * step / max(1, steps)))
        return self.learning_rate * (self.final + (1 - self.final) * height)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up from rate/`start_division` during the share `warm_up`, then down along a cosine to nearly 0. Smith, 2018."""

    learning_rate: float = 0.1
    warm_up: float = 0.3
    start_division: float = 25.0
    final_division: float = 1e4

    def __post_init__(self) -> None:
        check_rate(self.learning_rate, "OneCycle(learning_rate)")
        check_rate(self.start_division, "OneCycle(start_division)", tr("number"))
        check_rate(self.final_division, "OneCycle(final_division)", tr("number"))
        if not 0 < self.warm_up < 1:
            raise InputError(
                tr("The warm-up is a share of the training."),
                where="OneCycle(warm_up)",
                expected="0 < warm_up < 1",
                received=self.warm_up,
            )

    def rate(self, step: int, steps: int) -> float:
        top, low = self.learning_rate, self.learning_rate / self.start_division
        up = self.warm_up * steps
        if step < up:
            return low + (top - low) * 0.5 * (1 - cos(pi * step / up))
        end = low / self.final_division
        return end + (top - end) * 0.5 * (1 + cos(pi * (step - up) / max(1.0, steps - up)))


@dataclass(frozen=True)
class WarmUp(Schedule):
    """Linearly up from 0 during the first `share` of the training, then the schedule `then` over what is left."""

    then: Schedule = field(default_factory=Constant)
    share: float = 0.05

    def __post_init__(self) -> None:
        object.__setattr__(self, "then", as_schedule(self.then, "WarmUp(then)"))
        if not 0 < self.share < 1:
            raise InputError(
                tr("The warm-up is a share of the training."),
                where="WarmUp(share)",
                expected="0 < share < 1",
                received=self.share,
            )

    def rate(self, step: int, steps: int) -> float:
        up = int(self.share * steps)
        if step < up:
            return self.then.rate(0, steps - up) * (step + 1) / (up + 1)
        return self.then.rate(step - up, steps - up)


SCHEDULES: dict[str, type[Schedule]] = {kind.__name__: kind for kind in (Constant, StepDecay, CosineDecay, OneCycle, WarmUp)}


def as_schedule(value: Schedule | float | str | dict[str, Any], where: str) -> Schedule:
    """A schedule from itself, a constant rate, a name, or {"type": name, option: value}."""
    if isinstance(value, (int, float, np.integer, np.floating)):
        check_rate(value, where)
        return Constant(float(value))
    return find_named(value, Schedule, SCHEDULES, where)


def check_rate(rate: float, where: str, what: str | None = None) -> None:
    """Refuse a rate that is not a positive finite number."""
    if (
        isinstance(rate, bool)
        or not isinstance(rate, (int, float, np.integer, np.floating))
        or not (isfinite(rate) and rate > 0)
    ):
        raise InputError(
            tr("The {what} must be positive.", what=what or tr("learning rate")),
            where=where,
            expected=tr("a number above 0"),
            received=rate,
        )
