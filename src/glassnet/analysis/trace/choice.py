"""Which unit and which weight: from what was asked for, or the most telling ones."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from glassnet.analysis.trace.document import Index
from glassnet.analysis.trace.lens import Lens, largest
from glassnet.analysis.trace.lenses.branches import BranchLens
from glassnet.analysis.trace.notation import at
from glassnet.analysis.trace.path import Hop, Route, every
from glassnet.errors import InputError
from glassnet.support.i18n import Message, tr
from glassnet.support.registry import nearest


@dataclass(frozen=True)
class Choice:
    """The traced parameter, the hop in which it acts, the whole path, and in words why these."""

    lens: Lens
    key: str
    index: Index
    path: tuple[Hop, ...]
    why: Message

    @property
    def name(self) -> str:
        return f"{self.lens.name}.{self.key}[{at(self.index)}]"

    @property
    def hop(self) -> Hop:
        return next(hop for hop in self.path if hop.lens is self.lens)


def choose(chain: list[Lens], unit: str | None, weight: str | None) -> Choice:
    """The parameter that `weight` names, or the strongest of `unit`, or the strongest of the first layer with weights."""
    lenses = [lens for lens in every(chain) if not isinstance(lens, BranchLens)]
    with_weights = [lens for lens in lenses if lens.layer.parameters]
    if not with_weights:
        raise InputError(tr("The network has no weights to trace."), where="trace")
    if weight is not None:
        lens, key, index = _weight(weight, with_weights)
        out = lens.feeds(key, index)
        why = tr("The weight that was asked for.")
        if unit is not None:
            out = _same(lens, key, index, unit, lenses, out)
        return _whole(chain, lens, key, index, out, why)
    if unit is not None:
        return _of_unit(chain, lenses, unit)
    strong = [lens for lens in with_weights if set(lens.layer.penalised) & set(lens.layer.parameters)] or with_weights
    for lens in strong:
        keys = [key for key in lens.layer.parameters if key in lens.layer.penalised] or list(lens.layer.parameters)
        key = max(keys, key=lambda key: float(np.abs(lens.array(f"d{key}")).max()))
        if np.abs(lens.array(f"d{key}")).max() > 0:
            break
    else:
        lens = strong[0]
        key = next(key for key in lens.layer.parameters if key in lens.layer.penalised or lens.layer.penalised == ())
    index = largest(lens.array(f"d{key}"))
    why = tr(
        "No weight was asked for: this one has the largest gradient of {layer}, the first layer that learns from it.",
        layer=lens.name,
    )
    return _whole(chain, lens, key, index, lens.feeds(key, index), why)


def _whole(chain: list[Lens], lens: Lens, key: str, index: Index, out: Index, why: Message) -> Choice:
    path = Route().through(chain, Hop(lens, lens.input_of(key, index, out), out))
    return Choice(lens, key, index, tuple(path), why)


def _of_unit(chain: list[Lens], lenses: list[Lens], unit: str) -> Choice:
    """The strongest weight of a unit, or, where its layer has none, of what feeds it."""
    lens, out = _unit(unit, lenses)
    route = Route()
    path = route.through(chain, Hop(lens, lens.down(out), out))
    place = next(number for number, hop in enumerate(path) if hop.lens is lens)
    for hop in reversed(path[: place + 1]):
        if isinstance(hop.lens, BranchLens) or not hop.lens.layer.parameters or hop.lens.name not in {
            one.name for one in lenses
        }:  # fmt: skip
            continue
        key, index = hop.lens.strongest(hop.out)
        above = Route(
            outs={other.lens.name: other.out for other in path[path.index(hop) + 1 :]}, branches=dict(route.branches)
        )
        hop.lens.feeds(key, index)
        whole = above.through(chain, Hop(hop.lens, hop.lens.input_of(key, index, hop.out), hop.out))
        if hop.lens is lens:
            why = tr(
                "Of the unit that was asked for, {layer} {unit}, this weight has the largest gradient.",
                layer=lens.name,
                unit=at(out),
            )
        else:
            why = tr(
                "Of the unit that was asked for, {layer} {unit}, this weight of {before} has the largest gradient on the "
                "way.",
                layer=lens.name,
                unit=at(out),
                before=hop.lens.name,
            )
        return Choice(hop.lens, key, index, tuple(whole), why)
    raise InputError(
        tr("No weight lies before this unit."),
        where=f"--unit {unit}",
        expected=tr("a unit of the first layer with weights, or of a later one"),
        received=repr(unit),
        hint=f"{next(lens.name for lens in lenses if lens.layer.parameters)}.0",
    )


def _same(lens: Lens, key: str, index: Index, unit: str, lenses: list[Lens], out: Index) -> Index:
    """The unit's place, if the weight acts there."""
    other, place = _unit(unit, lenses, settle=out if lens.name == _split(unit, lenses)[0].name else None)
    if other is not lens or not lens.belongs(key, index, place):
        raise InputError(
            tr("The weight is not one of this unit."),
            where=f"--unit {unit} --weight {lens.name}.{key}.{'.'.join(map(str, index))}",
            expected=tr("a weight that feeds {unit}", unit=unit),
            received=tr("one of {layer}, unit {unit}", layer=lens.name, unit=at(out)),
            hint=tr("leave out one of the two"),
        )
    return place


def _split(text: str, lenses: list[Lens]) -> tuple[Lens, str]:
    """The layer that a name begins with, and the rest of the name."""
    plain = text.strip().replace("[", ".").replace("]", "").replace(",", ".").replace(" ", "")
    for lens in sorted(lenses, key=lambda lens: -len(lens.name)):
        if plain == lens.name or plain.startswith(f"{lens.name}."):
            return lens, plain.removeprefix(lens.name).removeprefix(".")
    names = [lens.name for lens in lenses]
    head = re.split(r"\.\d+(?:\.|$)", plain)[0] if not any("." in name for name in names) else plain
    close = nearest(head, names)
    raise InputError(
        tr("There is no such layer."),
        where=repr(text),
        expected=" | ".join(names),
        received=repr(head),
        hint=tr("did you mean {close}?", close=repr(close)) if close else None,
    )


def _numbers(rest: str, text: str, names: str) -> Index:
    parts = [part for part in rest.split(".") if part]
    if not parts or not all(part.isdigit() for part in parts):
        raise InputError(tr("This is not a place in a layer."), where=repr(text), expected=names, received=repr(rest))
    return tuple(map(int, parts))


def _unit(text: str, lenses: list[Lens], settle: Index | None = None) -> tuple[Lens, Index]:
    """The layer and the place of its output; a channel alone, or a unit of a sequence, means its strongest place."""
    lens, rest = _split(text, lenses)
    y = lens.array("y")
    axes = ", ".join(f"0…{size - 1}" for size in y.shape)
    index = _numbers(
        rest,
        text,
        tr("{layer} and {count} numbers ({axes}), or the last of them alone", layer=lens.name, count=y.ndim, axes=axes),
    )
    if len(index) == 1 and y.ndim > 1 and index[0] < y.shape[-1]:
        strength = np.abs(lens.array("dy")[..., index[0]]) if lens.array("dy").size else np.abs(y[..., index[0]])
        return lens, (*(settle[:-1] if settle else largest(strength)), index[0])
    if len(index) != y.ndim or any(i >= size for i, size in zip(index, y.shape, strict=False)):
        raise InputError(
            tr("There is no such unit."),
            where=f"--unit {text}",
            expected=tr("{count} numbers: {axes}", count=y.ndim, axes=axes),
            received=at(index),
            hint=f"{lens.name}.{'.'.join(str(min(i, size - 1)) for i, size in zip(index, y.shape, strict=False))}",
        )
    return lens, index


def _weight(text: str, lenses: list[Lens]) -> tuple[Lens, str, Index]:
    """The layer, the parameter array and the place in it; "weight" need not be said."""
    lens, rest = _split(text, lenses)
    known = list(lens.layer.parameters)
    key = next((key for key in sorted(known, key=len, reverse=True) if rest == key or rest.startswith(f"{key}.")), None)
    if key is None:
        head = rest.split(".")[0]
        if head and not head.isdigit():
            close = nearest(head, known)
            raise InputError(
                tr("{layer} has no such parameter.", layer=lens.name),
                where=f"--weight {text}",
                expected=" | ".join(known),
                received=repr(head),
                hint=tr("did you mean {close}?", close=repr(close)) if close else None,
            )
        key = known[0]
    else:
        rest = rest.removeprefix(key).removeprefix(".")
    shape = lens.layer.parameters[key].shape
    axes = ", ".join(f"0…{size - 1}" for size in shape)
    index = _numbers(
        rest, text, tr("{layer} and {count} numbers ({axes})", layer=f"{lens.name}.{key}", count=len(shape), axes=axes)
    )
    if len(index) != len(shape) or any(i >= size for i, size in zip(index, shape, strict=False)):
        near = [str(min(i, size - 1)) for i, size in zip((*index, *(0,) * len(shape)), shape, strict=False)]
        raise InputError(
            tr("There is no such weight."),
            where=f"--weight {text}",
            expected=tr("{count} numbers: {axes}", count=len(shape), axes=axes),
            received=at(index),
            hint=f"{lens.name}.{key}.{'.'.join(near)}",
        )
    return lens, key, index
