"""The unit and the weight that are traced: the user's choice, or those with the largest gradient."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from glassnet.analysis.trace.document import Index
from glassnet.analysis.trace.lens import Lens, largest
from glassnet.analysis.trace.notation import at
from glassnet.analysis.trace.path import Chain, Hop, Route, every
from glassnet.errors import InputError
from glassnet.support.i18n import Message, tr
from glassnet.support.registry import did_you_mean, nearest


@dataclass(frozen=True)
class Choice:
    """The traced parameter, the hop in which it acts, the whole path, and the reason for the choice."""

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


def choose(chain: Chain, unit: str | None, weight: str | None) -> Choice:
    """The parameter that `weight` names, or the strongest of `unit`, or the strongest of the first layer with weights."""
    lenses = every(chain)
    with_weights = [lens for lens in lenses if lens.layer.parameters]
    if not with_weights:
        raise InputError(tr("The network has no weights to trace."), where="trace")
    if weight is None and unit is not None:
        return _of_unit(chain, lenses, unit)
    if weight is not None:
        lens, key, index = _weight(weight, with_weights)
        out = lens.feeds(key, index)
        why = tr("The weight that was chosen.")
        if unit is not None:
            out = _same(lens, key, index, unit, lenses, out)
    else:
        strong = [lens for lens in with_weights if set(lens.layer.penalised) & set(lens.layer.parameters)] or with_weights
        lens = next((lens for lens in strong if any(lens.array(f"d{key}").any() for key in lens.keys)), strong[0])
        key = max(lens.keys, key=lambda key: float(np.abs(lens.array(f"d{key}")).max()))
        index = largest(lens.array(f"d{key}"))
        out = lens.feeds(key, index)
        why = tr(
            "This weight has the largest gradient of {layer}, the first layer that learns from this image.", layer=lens.name
        )
    return Choice(lens, key, index, tuple(Route().through(chain, Hop(lens, lens.input_of(key, index, out), out))), why)


def _of_unit(chain: Chain, lenses: list[Lens], unit: str) -> Choice:
    """The strongest weight of a unit, or, where its layer has none, of the layer before it."""
    lens, out = _unit(unit, lenses)
    route = Route()
    path = route.through(chain, Hop(lens, lens.down(out), out))
    place = next(number for number, hop in enumerate(path) if hop.lens is lens)
    for number, hop in reversed(list(enumerate(path[: place + 1]))):
        if hop.lens not in lenses or not hop.lens.layer.parameters:
            continue
        key, index = hop.lens.strongest(hop.out)
        above = Route({other.lens.name: other.out for other in path[number + 1 :]}, dict(route.branches))
        hop.lens.feeds(key, index)  # which sets the time step of a recurrent lens
        whole = above.through(chain, Hop(hop.lens, hop.lens.input_of(key, index, hop.out), hop.out))
        why = tr("Of the weights of {layer} {unit}, this one has the largest gradient.", layer=lens.name, unit=at(out))
        if hop.lens is not lens:
            why = tr(
                "Of the weights of {before} on the path to {layer} {unit}, this one has the largest gradient.",
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
    """The unit's index, if the weight acts on it."""
    settle = out if lens is _split(unit, lenses)[0] else None
    other, place = _unit(unit, lenses, settle)
    if other is not lens or index[-1] not in lens.columns(key, place):
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
    raise InputError(
        tr("There is no such layer."),
        where=repr(text),
        expected=" | ".join(names),
        received=repr(head),
        hint=did_you_mean(nearest(head, names)),
    )


def _index(rest: str, what: str, option: str, shape: tuple[int, ...], name: str, channel: bool = False) -> Index:
    """The numbers of `rest` as an index of an array of `shape`; `channel`: a number alone is a position in the last axis."""
    axes = ", ".join(f"0…{size - 1}" for size in shape)
    expected = tr("{count} numbers: {axes}", count=len(shape), axes=axes)
    if channel and len(shape) > 1:
        expected += tr(", or only the last of them")
    if not re.fullmatch(r"\d+(\.\d+)*", rest):
        raise InputError(tr("This is not a position in a layer."), where=option, expected=expected, received=repr(rest))
    index = tuple(map(int, rest.split(".")))
    if channel and len(index) == 1 and len(shape) > 1 and index[0] < shape[-1]:
        return index
    if len(index) != len(shape) or any(i >= size for i, size in zip(index, shape, strict=True)):
        near = (str(min(i, size - 1)) for i, size in zip((*index, *(0,) * len(shape)), shape, strict=False))
        raise InputError(what, where=option, expected=expected, received=at(index), hint=f"{name}.{'.'.join(near)}")
    return index


def _unit(text: str, lenses: list[Lens], settle: Index | None = None) -> tuple[Lens, Index]:
    """The layer and the index of its output; a channel alone, or a unit of a sequence, means its strongest position."""
    lens, rest = _split(text, lenses)
    y, dy = lens.array("y"), lens.array("dy")
    index = _index(rest, tr("There is no such unit."), f"--unit {text}", y.shape, lens.name, channel=True)
    if len(index) < y.ndim:
        strength = (dy if dy.size else y)[..., index[0]]
        index = (*(settle[:-1] if settle else largest(strength)), index[0])
    return lens, index


def _weight(text: str, lenses: list[Lens]) -> tuple[Lens, str, Index]:
    """The layer, the parameter array and the index in it; "weight" may be left out."""
    lens, rest = _split(text, lenses)
    known = list(lens.layer.parameters)
    head = rest.split(".")[0]
    if head in known:
        key, rest = head, rest.removeprefix(head).removeprefix(".")
    elif head and not head.isdigit():
        raise InputError(
            tr("{layer} has no such parameter.", layer=lens.name),
            where=f"--weight {text}",
            expected=" | ".join(known),
            received=repr(head),
            hint=did_you_mean(nearest(head, known)),
        )
    else:
        key = known[0]
    shape = lens.layer.parameters[key].shape
    return lens, key, _index(rest, tr("There is no such weight."), f"--weight {text}", shape, f"{lens.name}.{key}")
