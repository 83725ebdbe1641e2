"""Layers made of branches, lowered: each branch by itself, then their sum or concatenation."""

from __future__ import annotations

from math import prod

from glassnet.compiler.chain import lower_chain
from glassnet.compiler.program_builder import Back, ParamOffsets, ProgramBuilder, Value, lower
from glassnet.kernels import opcodes as op
from glassnet.nn import Concatenate, Residual
from glassnet.nn.branches import Nested
from glassnet.nn.chain import name_layers


def _lower_branches(
    layer: Nested, x: Value, offsets: ParamOffsets, out: ProgramBuilder
) -> tuple[tuple[Value, ...], tuple[Back, ...]]:
    """The output and the backward function of each branch."""
    lowered = []
    for number, branch in enumerate(layer.branches):
        inside = []
        for name in name_layers(branch):
            prefix = f"{number}.{name}."
            inside.append({key.removeprefix(prefix): at for key, at in offsets.items() if key.startswith(prefix)})
        lowered.append(lower_chain(branch, inside, x, out))
    values, backs = zip(*lowered, strict=True)
    return values, backs


def _sum(values: list[int], width: int, out: ProgramBuilder) -> int:
    total = values[0]
    for value in values[1:]:
        target = out.rows(width)
        out.emit(op.ADD, a=total, b=value, y=target, width=width)
        total = target
    return total


@lower.register
def _(layer: Residual, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    x = out.loaded(x)
    values, backs = _lower_branches(layer, x, offsets, out)
    y = Value(_sum([value.at for value in values], values[0].width, out), values[0].shape)

    def back(dy: int, needs_dx: bool) -> int:
        found = [back_branch(dy, needs_dx) for back_branch in backs]
        return _sum(found, x.width, out) if needs_dx else dy

    return y, back


@lower.register
def _(layer: Concatenate, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    x = out.loaded(x)
    values, backs = _lower_branches(layer, x, offsets, out)
    widths = [value.shape[-1] for value in values]
    rest, channels = values[0].shape[:-1], sum(widths)
    pixels = prod(rest)
    y, first = out.rows(pixels * channels), 0
    for value, width in zip(values, widths, strict=True):
        size = {"pixels": pixels, "channels": width, "x_channels": width, "y_channels": channels}
        out.emit(op.COPY_CHANNELS, x=value.at, y=y + first, **size)
        first += width

    def back(dy: int, needs_dx: bool) -> int:
        found, first = [], 0
        for back_branch, width in zip(backs, widths, strict=True):
            part = out.rows(pixels * width)
            size = {"pixels": pixels, "channels": width, "x_channels": channels, "y_channels": width}
            out.emit(op.COPY_CHANNELS, x=dy + first, y=part, **size)
            found.append(back_branch(part, needs_dx))
            first += width
        return _sum(found, x.width, out) if needs_dx else dy

    return Value(y, (*rest, channels)), back
