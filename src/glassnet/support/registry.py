"""Registries: dataclasses found by name, described as {"type": name, option: value}."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from glassnet.errors import InputError

Kind = TypeVar("Kind")


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name most like `name`, or None where none is near; capitals do not count."""
    known = {known.lower(): known for known in names}
    found = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    return known[found[0]] if found else None


def unknown(what: str, name: object, names: Iterable[str], where: object = None) -> InputError:
    """The error for a name that is not among `names`, with the nearest one as the hint."""
    names = sorted(names)
    return InputError(
        f"Unknown {what}.",
        where=where,
        expected=" | ".join(names),
        received=repr(name),
        hint=did_you_mean(nearest(str(name), names)),
    )


def did_you_mean(close: str | None) -> str | None:
    """The hint that names what may have been meant."""
    return f"did you mean {close!r}?" if close else None


def plain(name: str) -> str:
    """A name as it is compared: "WarmUp", "warm_up" and "warm-up" are the same."""
    return name.lower().replace("_", "").replace("-", "")


def find_named(value: Kind | str | dict[str, Any], kind: type[Kind], names: Mapping[str, type[Kind]], where: str) -> Kind:
    """`value` if it is one already, else made from its name or its description."""
    if isinstance(value, kind):
        return value
    options: dict[str, Any] = {}
    name: object = value
    if isinstance(value, dict):
        options = dict(value)
        name = options.pop("type", None)
    by_plain = {plain(known): found for known, found in names.items()}
    found = by_plain.get(plain(name)) if isinstance(name, str) else None
    if found is None:
        raise unknown(kind.__name__.lower(), name, names, where)
    fields = [field.name for field in dataclasses.fields(cast("Any", found))]
    for option in options:
        if option not in fields:
            raise unknown(f"option of {found.__name__}", option, fields, where)
    return found(**options)


def describe(thing: object) -> dict[str, Any]:
    """{"type": name, option: value, …} of a dataclass, ready for JSON and TOML."""
    described: dict[str, Any] = {"type": type(thing).__name__}
    for field in dataclasses.fields(cast("Any", thing)):
        value = getattr(thing, field.name)
        described[field.name] = describe(value) if dataclasses.is_dataclass(value) else value
    return described
