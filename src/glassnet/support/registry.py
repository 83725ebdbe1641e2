"""Registries: dataclasses found by name, described as {"type": name, option: value}."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

from glassnet.errors import InputError
from glassnet.support.i18n import mark, tr

Kind = TypeVar("Kind")
KINDS = {
    "Loss": mark("loss"),
    "Optimizer": mark("optimizer"),
    "Schedule": mark("schedule"),
    "Initializer": mark("initializer"),
    "Regularizer": mark("regularizer"),
}


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name most like `name`, or None where none is near; capitals do not count."""
    known = {known.lower(): known for known in names}
    found = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    return known[found[0]] if found else None


def unknown(what: str, name: object, names: Iterable[str], where: object = None) -> InputError:
    """The error for a name that is not among `names`, with the nearest one as the hint."""
    names = sorted(names)
    return InputError(
        tr("Unknown {what}.", what=what),
        where=where,
        expected=" | ".join(names),
        received=repr(name),
        hint=did_you_mean(nearest(str(name), names)),
    )


def did_you_mean(close: str | None) -> str | None:
    """The hint that names what may have been meant."""
    return tr("did you mean {close}?", close=repr(close)) if close else None


def plain(name: str) -> str:
    """A name as it is compared: "WarmUp", "warm_up" and "warm-up" are the same."""
    return name.lower().replace("_", "").replace("-", "")


def find_named(value: Kind | str | dict[str, Any], kind: type[Kind], names: Mapping[str, type[Kind]], where: str) -> Kind:
    """`value` if it is one already, else made from its name or its description."""
    return (
        value
        if isinstance(value, kind)
        else make_named(value, names, tr(KINDS.get(kind.__name__, kind.__name__.lower())), where, key=plain)
    )


def make_named(
    value: object,
    names: Mapping[str, Callable[..., Kind]],
    what: str,
    where: str,
    *,
    key: Callable[[str], str] = str,
    defaults: Mapping[str, Any] | None = None,
) -> Kind:
    """Call the entry of `names` that "name" or {"type": name, option: value} describes; names of the same `key` are equal."""
    options = dict(value) if isinstance(value, dict) else {"type": value}
    given = options.pop("type", None)
    if isinstance(given, type) and given in names.values():
        raise InputError(
            tr("This is a class, not a {what}: call it.", what=what),
            where=where,
            received=given.__name__,
            hint=f"{given.__name__}(…)",
        )
    name = {key(known): known for known in names}.get(key(given)) if isinstance(given, str) else None
    if name is None:
        raise unknown(what, given, names, where)
    signature = inspect.signature(names[name])
    known = list(signature.parameters)
    for option in options:
        if option not in known:
            raise unknown(tr("option of {name}", name=name), option, known, where)
    given = {**(defaults or {}), **options}
    try:
        signature.bind(**given)
        return names[name](**given)
    except TypeError as error:
        raise InputError(
            tr("{name} can't be created with these options.", name=name), where=where, received=options, hint=str(error)
        ) from None


def describe(thing: object) -> dict[str, Any]:
    """{"type": name, option: value, …} of a dataclass, ready for JSON and TOML, without what is None or empty."""
    described: dict[str, Any] = {"type": type(thing).__name__}
    for field in dataclasses.fields(cast("Any", thing)):
        value = getattr(thing, field.name)
        if value is not None and value != {}:
            described[field.name] = describe(value) if dataclasses.is_dataclass(value) else value
    return described
