"""Layers made of branches, lowered: each branch by itself, then the joint."""

from __future__ import annotations

from math import prod

from glassnet.compiler.chain import Chain, lower, lower_chain
from glassnet.compiler.program_builder import Assembler, Back, Places, Value
from glassnet.kernels import opcodes as op
from glassnet.nn import Concatenate, Residual
from glassnet.nn.branches import Nested
from glassnet.nn.chain import name_layers


def _lower_branches(layer: Nested, x: Value, places: Places, out: Assembler) -> list[Chain]:
    chains = []
    for number, branch in enumerate(layer.branches):
        inside = []
        for name in name_layers(branch):
            prefix = f"{number}.{name}."
            inside.append({key.removeprefix(prefix): at for key, at in places.items() if key.startswith(prefix)})
        chains.append(lower_chain(branch, inside, x, out))
    return chains


def _sum(values: list[int], width: int, out: Assembler) -> int:
    total = values[0]
    for value in values[1:]:
        target = out.rows(width)
        out.emit(op.ADD_VALUES, total, target, width, a=value)
        total = target
    return total


@lower.register
def _(layer: Residual, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    x = out.loaded(x)
    chains = _lower_branches(layer, x, places, out)
    shape = chains[0].y.shape
    y = _sum([chain.y.at for chain in chains], prod(shape), out)

    def back(dy: int, wanted: bool) -> int:
        found = [chain.back(dy, wanted) for chain in chains]
        return _sum(found, x.width, out) if wanted else dy

    return Value(y, shape), back


@lower.register
def _(layer: Concatenate, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    x = out.loaded(x)
    chains = _lower_branches(layer, x, places, out)
    parts = [chain.y.shape[-1] for chain in chains]
    rest, channels = chains[0].y.shape[:-1], sum(parts)
    spots = prod(rest)
    y, first = out.rows(spots * channels), 0
    for chain, part in zip(chains, parts, strict=True):
        out.emit(op.COPY_CHANNELS, chain.y.at, y + first, part, channels, a=spots, b=part)
        first += part

    def back(dy: int, wanted: bool) -> int:
        found, first = [], 0
        for chain, part in zip(chains, parts, strict=True):
            piece = out.rows(spots * part)
            out.emit(op.COPY_CHANNELS, dy + first, piece, channels, part, a=spots, b=part)
            found.append(chain.back(piece, wanted))
            first += part
        return _sum(found, x.width, out) if wanted else dy

    return Value(y, (*rest, channels)), back
