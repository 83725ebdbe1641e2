"""Layers in a row, lowered: stages of several layers at once, all others one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

from glassnet.compiler.fused_block import lower_stage, stage_length
from glassnet.compiler.program_builder import Assembler, Back, Places, Value, cannot_lower
from glassnet.nn import Layer


@singledispatch
def lower(layer: Layer, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    """Emit the layer forward; its output, and a function that emits it backward. Layers not known here can't be lowered."""
    raise cannot_lower(layer)


@dataclass(frozen=True)
class Chain:
    """A row of layers, lowered forward: its output, and for each part the way back and what lies before its end."""

    y: Value
    parts: list[tuple[Back, bool, bool]]  # the way back; whether parameters lie before the part; before its end

    def back(self, dy: int, wanted: bool) -> int:
        """Emit the gradients of all parameters, and dx if it is asked for: where it lies."""
        for back, before, within in reversed(self.parts):
            if not (wanted or within):
                break
            dy = back(dy, wanted or before)
        return dy


def lower_chain(layers: Sequence[Layer], places: Sequence[Places], x: Value, out: Assembler) -> Chain:
    """Emit a row of layers forward; `places` are those of each layer."""
    parts: list[tuple[Back, bool, bool]] = []
    number, before = 0, False
    while number < len(layers):
        length = stage_length(layers[number:])
        end = number + max(1, length)
        if length:
            x, back = lower_stage(layers[number:end], places[number:end], x, out)
        else:
            x, back = lower(layers[number], x, places[number], out)
        within = before or any(layer.parameters for layer in layers[number:end])
        parts.append((back, before, within))
        number, before = end, within
    return Chain(x, parts)
