"""The parameters of a search on an axis: the place of each value, in names, or on a linear or logarithmic scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, log10, nan
from typing import Any, Literal

import numpy as np

from glassnet.experiment.search.records import SearchPlan, SearchResult, Trial
from glassnet.experiment.search.space import Parameter

MOST_NAMES = 12  # values of a list that have a place each; more numbers are on a continuous axis


def scored(result: SearchResult) -> tuple[Trial, ...]:
    """The complete trials with a finite value, the best first."""
    return tuple(trial for trial in result.ranked if trial.value is not None and isfinite(trial.value))


def spelled(value: Any, digits: int = 12) -> str:
    """A setting as text: 0.1, "relu", [64, 32], {"type": "SGD", "learning_rate": 0.1} as SGD(learning_rate=0.1)."""
    if isinstance(value, Mapping):
        options = ", ".join(f"{key}={spelled(each, digits)}" for key, each in value.items() if key != "type")
        return f"{value['type']}({options})" if "type" in value else f"({options})"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(spelled(each, digits) for each in value)}]"
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return str(value)


@dataclass(frozen=True)
class Scale:
    """The axis of one parameter: `names` at 0, 1, 2, …, or numbers, by their logarithm to base 10 where `kind` is "log".

    `name`: the last part of the key, or as much of it as tells it from the others. `low`, `high`: the ends of the axis.
    """

    key: str
    name: str
    kind: Literal["names", "linear", "log"]
    names: tuple[str, ...]
    low: float
    high: float

    def place(self, settings: Mapping[str, Any]) -> float:
        """Where the value of a trial stands; NaN if it has none."""
        if self.key not in settings:
            return nan
        value = settings[self.key]
        if self.kind == "names":
            text = spelled(value)
            return float(self.names.index(text)) if text in self.names else nan
        if not _is_number(value) or (self.kind == "log" and value <= 0):
            return nan
        return log10(value) if self.kind == "log" else float(value)

    def text(self, settings: Mapping[str, Any]) -> str:
        """The value of a trial; of a range with four digits."""
        return spelled(settings[self.key], 12 if self.kind == "names" else 4) if self.key in settings else "–"

    @property
    def varies(self) -> bool:
        return self.high > self.low


def scale_of(result: SearchResult, parameter: Parameter) -> Scale:
    """How the values of a parameter are placed on an axis."""
    key = parameter.key
    values = parameter.values
    if values is None:
        ends = (log10(parameter.low), log10(parameter.high)) if parameter.log else (parameter.low, parameter.high)
        return Scale(key, _name(result.plan, key), "log" if parameter.log else "linear", (), *ends)
    numbers = [float(value) for value in values if _is_number(value)]
    if len(numbers) == len(values) > MOST_NAMES:
        low, high = min(numbers), max(numbers)
        if low > 0 and high >= 50 * low:
            return Scale(key, _name(result.plan, key), "log", (), log10(low), log10(high))
        return Scale(key, _name(result.plan, key), "linear", (), low, high)
    ordered = sorted(values) if len(numbers) == len(values) else values
    names = tuple(dict.fromkeys(map(spelled, ordered)))
    return Scale(key, _name(result.plan, key), "names", names, 0.0, float(len(names) - 1))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and isfinite(value)


def _name(plan: SearchPlan, key: str) -> str:
    keys = [parameter.key.split(".") for parameter in plan.space]
    own = key.split(".")
    for length in range(2 if own[-1] == "type" else 1, len(own)):  # "optimizer.type": "type" alone says nothing
        if sum(other[-length:] == own[-length:] for other in keys) == 1:
            return ".".join(own[-length:])
    return key
