"""Layers in a row, lowered: fused blocks of several layers at once, all others one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from glassnet.compiler.conv import lower_block
from glassnet.compiler.fusion import find_block, starts_block
from glassnet.compiler.lower import lower
from glassnet.compiler.program_builder import Back, ParamOffsets, ProgramBuilder, Value
from glassnet.nn import Layer


def is_known(layer: Layer) -> bool:
    """Whether the layer has a lowering, by itself or in a fused block. A subclass needs one of its own."""
    return starts_block(layer) or type(layer) in lower.registry


@dataclass(frozen=True)
class Chain:
    """A row of layers, lowered forward: its output, and the backward function of each part of it."""

    y: Value
    parts: list[tuple[Back, bool, bool]]  # backward; whether parameters lie before the part; before its end

    def back(self, dy: int, needs_dx: bool) -> int:
        """Emit the gradients of all parameters, and dx if it is needed: where it lies."""
        for back, before, within in reversed(self.parts):
            if not (needs_dx or within):
                break
            dy = back(dy, needs_dx or before)
        return dy


def lower_chain(layers: Sequence[Layer], offsets: Sequence[ParamOffsets], x: Value, out: ProgramBuilder) -> Chain:
    """Emit a row of layers forward; `offsets` are those of each layer."""
    parts: list[tuple[Back, bool, bool]] = []
    number, before = 0, False
    while number < len(layers):
        block = find_block(layers[number:], offsets[number:])
        end = number + max(1, block.length)
        if block.length:
            x, back = lower_block(block, x, out)
        else:
            x, back = lower(layers[number], x, offsets[number], out)
        within = before or any(layer.parameters for layer in layers[number:end])
        parts.append((back, before, within))
        number, before = end, within
    return Chain(x, parts)
