"""The space of a search: the values of each key, as in `--over hidden=10,30,100` or `--over learning_rate=log:0.001:10`."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, floor, isfinite, log
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.errors import GlassnetError, RecipeError
from glassnet.experiment.overrides import SHORT, path_to, value_of
from glassnet.experiment.recipe import Recipe
from glassnet.experiment.sections import SECTIONS
from glassnet.nn.architectures import as_layers
from glassnet.nn.layer import as_layer
from glassnet.support.i18n import tr

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Settings = dict[str, Any]
DIGITS = 6  # of a number from a range: enough, and the same on any machine
PROBES = (0.382, 0.107, 0.916)  # shares of a range
OPEN, CLOSE, QUOTES = "[{", "]}", "\"'"
EXAMPLE = "hidden=10,30,100 | learning_rate=0.001:10 | learning_rate=log:0.001:10 | learning_rate=log:0.001:10:5"


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A key of a recipe and its `values`; or a range from `low` to `high`, of whole numbers, or `log`arithmic."""

    key: str
    values: tuple[Any, ...] | None = None
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    @property
    def is_range(self) -> bool:
        return self.values is None

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values, or the two ends of the range."""
        if self.values is not None:
            return self.values
        return (int(self.low), int(self.high)) if self.whole else (self.low, self.high)

    def __str__(self) -> str:
        """The values as `--over` takes them, without the key."""
        if self.values is not None:
            return ",".join(shown(value) for value in self.values)
        return ("log:" if self.log else "") + ":".join(f"{end:g}" for end in self.ends)

    def at(self, place: float) -> Any:
        """The value at a `place` in [0, 1) of the range, or among the values."""
        if self.values is not None:
            return self.values[int(place * len(self.values))]
        low, high = (self.low - 0.5, self.high + 0.5) if self.whole else (self.low, self.high)
        value = exp(log(low) + place * (log(high) - log(low))) if self.log else low + place * (high - low)
        value = floor(value + 0.5) if self.whole else float(f"{value:.{DIGITS}g}")
        return min(max(value, self.ends[0]), self.ends[1])


def shown(value: Any) -> str:
    """A value as `--set` takes it."""
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def parse_parameter(text: str, recipe: Recipe) -> Parameter:
    """The parameter that `--over KEY=VALUES` says: values with commas between, `LOW:HIGH` or `log:LOW:HIGH`.

    With `:COUNT` a range becomes so many values. A range is one of whole numbers where `recipe` takes no others for the key.
    Raises `RecipeError` for a key that a recipe does not have, and for a range that is none.
    """
    key, sign, given = text.partition("=")
    key, given = key.strip(), given.strip()
    if not sign or not key or not given:
        raise _refused(tr("What to search over must be KEY=VALUES."), text)
    if key not in SHORT:
        try:
            path_to(key, SECTIONS)
        except RecipeError as error:
            raise error.at(f"--over {text}", RecipeError) from None
    parts = _split(given, ",")
    if len(parts) == 1 and len(_split(given, ":")) > 1:
        return _range(key, _split(given, ":"), text, recipe)
    if not all(parts):
        raise _refused(tr("A value is missing."), text)
    return Parameter(key=key, values=_distinct(map(value_of, parts)))


def _split(text: str, separator: str) -> list[str]:
    """The parts of a text between separators that lie outside of brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in QUOTES:
            quote = letter
        else:
            depth += (letter in OPEN) - (letter in CLOSE)
        if letter == separator and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _distinct(values: Iterator[Any]) -> tuple[Any, ...]:
    """The values without repetitions, in their order."""
    return tuple({canonical(value): value for value in values}.values())


def canonical(value: Any) -> str:
    """A value as JSON text, the same for equal values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def _range(key: str, parts: Sequence[str], text: str, recipe: Recipe) -> Parameter:
    is_log = parts[0] == "log"
    numbers = [_number(part, text) for part in parts[is_log:]]
    if len(numbers) not in (2, 3):
        raise _refused(tr("A range has two ends, and perhaps a number of points."), text)
    low, high = numbers[:2]
    if low >= high:
        raise _refused(tr("The low end of a range must be below the high one."), text)
    if is_log and low <= 0:
        raise _refused(tr("A logarithmic range must lie above 0."), text)
    whole = _takes_only_whole(key, low, high, recipe)
    if whole and not (low.is_integer() and high.is_integer()):
        raise _refused(tr("{key} takes whole numbers.", key=key), text)
    found = Parameter(key=key, low=low, high=high, log=is_log, whole=whole)
    if len(numbers) == 2:
        return found
    count = numbers[2]
    if not count.is_integer() or count < 2:
        raise _refused(tr("The number of points in a range must be a whole number of at least 2."), text)
    points = np.geomspace(low, high, int(count)) if is_log else np.linspace(low, high, int(count))
    values = (round(point) if whole else float(f"{point:.{DIGITS}g}") for point in points.tolist())
    return Parameter(key=key, values=_distinct(values))


def _number(part: str, text: str) -> float:
    try:
        number = float(part)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise _refused(tr("The ends of a range must be numbers."), text, hint=tr("put a text with a colon in quotes"))
    return number


def _takes_only_whole(key: str, low: float, high: float, recipe: Recipe) -> bool:
    """Whether the recipe refuses what lies between whole numbers in a range, but not these."""
    between = [value for share in PROBES if not (value := low + share * (high - low)).is_integer()]
    return not any(_accepts(recipe, {key: value}) for value in between) and _accepts(recipe, {key: floor(low + 0.5)})


def _accepts(recipe: Recipe, settings: Settings) -> bool:
    try:
        changed = recipe.changed(settings)
        if changed.network.architecture is not None:
            as_layers(changed.network.architecture, 10, "network.architecture")
        for layer in changed.network.layers or ():
            if not isinstance(layer, int):
                as_layer(layer, "network.layers")
    except GlassnetError:
        return False
    return True


def _refused(what: str, text: str, hint: str | None = None) -> RecipeError:
    return RecipeError(what, where="--over", expected=EXAMPLE, received=repr(text), hint=hint)


def grid(space: Sequence[Parameter]) -> list[Settings]:
    """All combinations of the values, the last key's changing first. Raises `RecipeError` for a range."""
    columns = []
    for parameter in space:
        if parameter.values is None:
            example = f"{parameter.key}={parameter}:5"
            raise RecipeError(
                tr("A grid needs values, and this is a range."),
                where=f"--over {parameter.key}={parameter}",
                expected=tr("values, or a range with a number of points"),
                hint=f"--over {example}",
            )
        columns.append(parameter.values)
    keys = [parameter.key for parameter in space]
    return [dict(zip(keys, point, strict=True)) for point in itertools.product(*columns)]


def draw(space: Sequence[Parameter], seed: int, index: int) -> Settings:
    """The random point number `index` of a `seed`, which depends on nothing else."""
    places = np.random.default_rng([seed, index]).random(len(space)).tolist()
    return {parameter.key: parameter.at(place) for parameter, place in zip(space, places, strict=True)}


def draws(space: Sequence[Parameter], count: int, seed: int) -> list[Settings]:
    """The first `count` random points of a seed."""
    return [draw(space, seed, index) for index in range(count)]


def distributions(space: Sequence[Parameter]) -> dict[str, BaseDistribution]:
    """The space as Optuna has it; lists and tables stand as JSON: see `settings_of`."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {}
    for parameter in space:
        if parameter.values is not None:
            found[parameter.key] = CategoricalDistribution(tuple(map(stand_in, parameter.values)))
        elif parameter.whole:
            found[parameter.key] = IntDistribution(int(parameter.low), int(parameter.high), log=parameter.log)
        else:
            found[parameter.key] = FloatDistribution(parameter.low, parameter.high, log=parameter.log)
    return found


def settings_of(space: Sequence[Parameter], suggested: Settings) -> Settings:
    """The settings of a point that Optuna suggested: the values themselves, and numbers with `DIGITS` digits."""
    settings: Settings = {}
    for parameter in space:
        value = suggested[parameter.key]
        if parameter.values is not None:
            value = next(own for own in parameter.values if _same(stand_in(own), value))
        elif not parameter.whole:
            value = min(max(float(f"{value:.{DIGITS}g}"), parameter.low), parameter.high)
        settings[parameter.key] = value
    return settings


def stand_in(value: Any) -> Any:
    """What a categorical distribution can hold."""
    return value if isinstance(value, (bool, int, float, str)) or value is None else canonical(value)


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)
