"""Learning-rate schedules: `rate(step, steps)` for step = 0 … steps − 1."""

from __future__ import annotations

from dataclasses import field
from math import cos, pi
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassnet.support.checks import below_one, between, not_negative, positive
from glassnet.support.habits import option_class
from glassnet.support.i18n import mark, tr
from glassnet.support.registry import find_named

LEARNING_RATE = mark("The learning rate must be positive.")
NUMBER = mark("The number must be positive.")
WARM_UP = mark("The warm-up must be a fraction of the training.")


@option_class
class Schedule:
    """A learning rate for each step."""

    stretches: ClassVar[bool] = True  # whether a step's rate depends on how long the training is

    def rate(self, step: int, steps: int) -> float:
        raise TypeError(f"{type(self).__name__} has no rate of its own: use one of its subclasses")

    def rates(self, first: int, last: int, steps: int) -> NDArray[np.float64]:
        """The rates of the steps first … last − 1 of a training of `steps`."""
        return np.array([self.rate(step, steps) for step in range(first, last)])


@option_class
class Constant(Schedule):
    """The same rate at every step."""

    learning_rate: float = 0.01

    stretches = False

    def __post_init__(self) -> None:
        positive(self.learning_rate, tr(LEARNING_RATE), "Constant(learning_rate)")

    def rate(self, step: int, steps: int) -> float:
        return self.learning_rate

    def rates(self, first: int, last: int, steps: int) -> NDArray[np.float64]:
        return np.full(last - first, self.learning_rate)


@option_class
class StepDecay(Schedule):
    """The rate is multiplied by `factor` at each of the `milestones`, which are shares of the training between 0 and 1."""

    learning_rate: float = 0.1
    milestones: tuple[float, ...] = (0.5, 0.75)
    factor: float = 0.1

    def __post_init__(self) -> None:
        positive(self.learning_rate, tr(LEARNING_RATE), "StepDecay(learning_rate)")
        positive(self.factor, tr(NUMBER), "StepDecay(factor)")
        object.__setattr__(self, "milestones", tuple(self.milestones))

    def rate(self, step: int, steps: int) -> float:
        passed = sum(step >= milestone * steps for milestone in self.milestones)
        return float(self.learning_rate * self.factor**passed)


@option_class
class CosineDecay(Schedule):
    """From the rate down to `final`·rate along half a cosine. Loshchilov and Hutter, ICLR 2017."""

    learning_rate: float = 0.1
    final: float = 0.0

    def __post_init__(self) -> None:
        positive(self.learning_rate, tr(LEARNING_RATE), "CosineDecay(learning_rate)")

    def rate(self, step: int, steps: int) -> float:
        height = 0.5 * (1 + cos(pi * step / max(1, steps)))
        return self.learning_rate * (self.final + (1 - self.final) * height)


@option_class
class OneCycle(Schedule):
    """Up from rate/`start_division` during the share `warm_up`, then down along a cosine to nearly 0. Smith, 2018."""

    learning_rate: float = 0.1
    warm_up: float = 0.3
    start_division: float = 25.0
    final_division: float = 1e4

    def __post_init__(self) -> None:
        positive(self.learning_rate, tr(LEARNING_RATE), "OneCycle(learning_rate)")
        positive(self.start_division, tr(NUMBER), "OneCycle(start_division)")
        positive(self.final_division, tr(NUMBER), "OneCycle(final_division)")
        between(self.warm_up, tr(WARM_UP), "OneCycle(warm_up)", "warm_up")

    def rate(self, step: int, steps: int) -> float:
        top, low = self.learning_rate, self.learning_rate / self.start_division
        up = self.warm_up * steps
        if step < up:
            return low + (top - low) * 0.5 * (1 - cos(pi * step / up))
        end = low / self.final_division
        return end + (top - end) * 0.5 * (1 + cos(pi * (step - up) / max(1.0, steps - up)))


@option_class
class Triangular(Schedule):
    """Linearly from `start`·rate up to the rate at the share `peak` of the training, then linearly down to `final`·rate.

    With peak = 0 it only falls.
    """

    learning_rate: float = 0.1
    start: float = 0.2
    peak: float = 0.25
    final: float = 0.0

    def __post_init__(self) -> None:
        positive(self.learning_rate, tr(LEARNING_RATE), "Triangular(learning_rate)")
        not_negative(self.start, tr("A share of the learning rate can't be negative."), "Triangular(start)")
        not_negative(self.final, tr("A share of the learning rate can't be negative."), "Triangular(final)")
        below_one(self.peak, tr("The peak must lie in [0, 1)."), "Triangular(peak)", "peak")

    def rate(self, step: int, steps: int) -> float:
        top = self.peak * steps
        if step < top:
            return self.learning_rate * (self.start + (1 - self.start) * step / top)
        return self.learning_rate * (1 + (self.final - 1) * (step - top) / max(1.0, steps - top))


@option_class
class WarmUp(Schedule):
    """Linearly up from 0 during the first `share` of the training, then the schedule `then` over what is left."""

    then: Schedule = field(default_factory=Constant)
    share: float = 0.05

    def __post_init__(self) -> None:
        object.__setattr__(self, "then", as_schedule(self.then, "WarmUp(then)"))
        between(self.share, tr(WARM_UP), "WarmUp(share)", "share")

    def rate(self, step: int, steps: int) -> float:
        up = int(self.share * steps)
        if step < up:
            return self.then.rate(0, steps - up) * (step + 1) / (up + 1)
        return self.then.rate(step - up, steps - up)


SCHEDULES: dict[str, type[Schedule]] = {
    kind.__name__: kind for kind in (Constant, StepDecay, CosineDecay, OneCycle, Triangular, WarmUp)
}


def as_schedule(value: Schedule | float | str | dict[str, Any], where: str) -> Schedule:
    """A schedule from itself, a constant rate, a name, or {"type": name, option: value}."""
    if isinstance(value, (int, float, np.integer, np.floating)):
        return Constant(positive(value, tr(LEARNING_RATE), where))
    return find_named(value, Schedule, SCHEDULES, where)
