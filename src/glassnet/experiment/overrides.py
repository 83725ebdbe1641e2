"""Overrides of the keys of a recipe, as in `--set`."""

from __future__ import annotations

import copy
import inspect
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, get_args

from pydantic import BaseModel

from glassnet.errors import RecipeError
from glassnet.nn.architectures import ARCHITECTURES
from glassnet.nn.optimizers import OPTIMIZERS
from glassnet.support.checks import is_whole
from glassnet.support.i18n import tr
from glassnet.support.registry import did_you_mean, nearest, plain

NOTHING = {"regularizer": {"type": "L1L2", "l1": 0.0, "l2": 0.0}}  # the default of a key that an option is added to
EITHER = {"layers", "architecture"}
WORDS = ("title", "about", "expect")
CLAIMS = ("about", "expect")  # texts about the experiment as it stands in the recipe
NEUTRAL = ("training.seed", "training.show_every", "training.show_gradients")  # keys that they do not depend on
OUTSIDE = ("name", *WORDS, *(f"{word}_zh" for word in WORDS))  # keys in no section
KERAS = {"lr": "learning_rate", "epoch": "epochs", "batch": "batch_size"}  # and what they are called here
RATE = "learning_rate"  # alone it is the rate of the optimizer, with any schedule
HIDDEN = "hidden"  # the units of the hidden dense layers
SHORT = (HIDDEN, RATE)


def changed(values: dict[str, Any], sections: Mapping[str, type[BaseModel]], settings: dict[str, Any]) -> dict[str, Any]:
    """The values of a recipe with some replaced, by dotted keys ("training.epochs") or, if unambiguous, "epochs".

    Keys reach into descriptions ("optimizer.momentum"); a new "type" replaces a description. "learning_rate" alone changes
    the rate of a schedule; "optimizer.learning_rate" replaces the schedule by a constant rate. "hidden" is the number of
    units of each hidden dense layer, or a list, or a text such as "100-50", of one number for each.
    """
    before, values = values, copy.deepcopy(values)
    changes = [(path_to(key, sections), value) for key, value in settings.items() if key not in SHORT]
    changes.sort(key=lambda change: (len(change[0]) > 2 and change[0][-1] != "type", len(change[0])))  # options last
    whole = [["network", "layers"], ["network", "architecture"], ["network", "architecture", "type"]]
    replaced = {path[1] for path, _ in changes if path in whole}
    if len(replaced) == 1:  # one replaces the other
        values["network"] = {key: value for key, value in values["network"].items() if key not in EITHER - replaced}
    for word in set(WORDS) & settings.keys():  # the Chinese text is that of the old value
        values.pop(f"{word}_zh", None)
    for (*path, name), value in changes:
        section = values
        for part in path:
            section[part] = section = _description(section.get(part, NOTHING.get(part)))
        if name == "type" and len(path) > 1:
            section.clear()
        section[name] = value
    if HIDDEN in settings:
        values["network"] = _with_units(values["network"], settings[HIDDEN])
    if RATE in settings:
        training = values["training"]
        values["training"] = training | {"optimizer": _with_rate(training["optimizer"], settings[RATE])}
    return _without_claims(values, before, sections, settings)


def _without_claims(
    values: dict[str, Any], before: dict[str, Any], sections: Iterable[str], settings: dict[str, Any]
) -> dict[str, Any]:
    """The values without what `about` and `expect` claim of others, and with the keys that differ listed in `overridden`.

    Both texts speak of the whole experiment, so they go with any key but the `NEUTRAL` ones; those in `settings` stay.
    """
    differing = [
        f"{section}.{key}"
        for section in sections
        for key in dict.fromkeys([*before.get(section, {}), *values.get(section, {})])
        if before.get(section, {}).get(key) != values.get(section, {}).get(key)
    ]
    if claims := [key for key in differing if key not in NEUTRAL]:
        values["overridden"] = list(dict.fromkeys([*before.get("overridden", []), *claims]))
        for word in set(CLAIMS) - settings.keys():
            values.pop(word, None)
            values.pop(f"{word}_zh", None)
    return values


def value_of(text: str) -> Any:
    """The value of a setting: TOML, or else plain text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def path_to(key: str, sections: Mapping[str, type[BaseModel]]) -> list[str]:
    """The path to a key through sections and descriptions."""
    known = {f"{section}.{name}": f for section, model in sections.items() for name, f in model.model_fields.items()}
    names = [*known, *OUTSIDE, *SHORT]
    parts = key.split(".")
    for length in range(len(parts), 0, -1):
        head, inner = ".".join(parts[:length]), parts[length:]
        found = [name for name in names if name == head or name.endswith(f".{head}")]
        described = len(found) == 1 and found[0] in known and dict[str, Any] in get_args(known[found[0]].annotation)
        if len(found) == 1 and (not inner or (described and all(inner))):
            return [*found[0].split("."), *inner]
    alone = [name.rpartition(".")[2] for name in names]
    close = nearest(key, names) or nearest(key, alone) if "." in key else nearest(key, alone) or nearest(key, names)
    close = KERAS.get(key.rpartition(".")[2], close)
    if key in {option.name for kind in OPTIMIZERS.values() for option in fields(kind)}:
        close = f"optimizer.{key}"
    raise no_such_key(f"--set {key}", key, names, close)


def no_such_key(where: str, key: str, names: Iterable[str], close: str | None) -> RecipeError:
    """The error for a key that is not among `names`; `close` is the nearest of them."""
    return RecipeError(
        tr("A recipe has no such key."), where=where, expected=", ".join(names), received=repr(key), hint=did_you_mean(close)
    )


def _description(value: Any) -> dict[str, Any]:
    """A copy of a section or description; a name alone becomes {"type": name}."""
    return {"type": value} if isinstance(value, str) else dict(value) if isinstance(value, dict) else {}


def _with_units(network: dict[str, Any], value: Any) -> dict[str, Any]:
    """The section of a network with other numbers of units in its hidden dense layers."""
    units = _units(value)
    layers, described = network.get("layers") or [], network.get("architecture")
    if described is not None:
        table = _description(described)
        make = ARCHITECTURES.get(str(table.get("type")))
        parameters = {} if make is None else dict(inspect.signature(make).parameters)
        if "units" not in parameters:
            raise _no_hidden(described)
        before = table.get("units", parameters["units"].default)
        return network | {"architecture": table | {"units": _for_each(units, len(before))}}
    if all(map(is_whole, layers)):
        if len(layers) < 3 and is_whole(units):
            raise _no_hidden(layers)
        return network | {"layers": [layers[0], *_for_each(units, len(layers) - 2), layers[-1]]}
    dense = [i for i, layer in enumerate(layers) if plain(str(_description(layer).get("type"))) == "dense"][:-1]
    if not dense:
        raise _no_hidden(layers)
    numbers = _for_each(units, len(dense))
    if len(numbers) != len(dense):
        raise RecipeError(
            tr("The network has another number of hidden dense layers."),
            where=HIDDEN,
            expected=tr("one number for all, or {count} of them", count=len(dense)),
            received=repr(value),
        )
    made = {i: _description(layers[i]) | {"units": number} for i, number in zip(dense, numbers, strict=True)}
    return network | {"layers": [made.get(i, layer) for i, layer in enumerate(layers)]}


def _units(value: Any) -> int | list[int]:
    """The units of all hidden layers, or a list or a text such as "100-50" of those of each."""
    units = [value_of(part) for part in value.split("-")] if isinstance(value, str) else value
    numbers = units if isinstance(units, list) else [units]
    if not numbers or not all(is_whole(number) and number > 0 for number in numbers):
        raise RecipeError(
            tr("The units of the hidden dense layers are whole numbers above 0."),
            where=HIDDEN,
            expected=tr("for example 100, or 100-50 for two layers"),
            received=repr(value),
        )
    return numbers if isinstance(units, list) else numbers[0]


def _for_each(units: int | list[int], count: int) -> list[int]:
    return units if isinstance(units, list) else [units] * count


def _no_hidden(received: Any) -> RecipeError:
    return RecipeError(
        tr("This network has no hidden dense layers."),
        where=HIDDEN,
        expected=tr("sizes such as [784, 30, 10], several Dense layers, or an architecture with units"),
        received=repr(received),
    )


def _with_rate(value: Any, rate: Any) -> Any:
    """The description of an optimizer or of a schedule with another rate, for a schedule its highest."""
    if not isinstance(value, (str, dict)):
        return rate
    found = _description(value)
    key = "then" if plain(str(found.get("type"))) == "warmup" else RATE
    return found | {key: _with_rate(found.get(key), rate)}
