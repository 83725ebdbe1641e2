"""Layers in a row, lowered: fused blocks of several layers at once, all others one by one."""

from __future__ import annotations

from collections.abc import Sequence

from glassnet.compiler.conv import lower_block
from glassnet.compiler.fusion import find_block, starts_block
from glassnet.compiler.program_builder import Back, ParamOffsets, ProgramBuilder, Seen, Value, lower
from glassnet.nn import Layer


def is_known(layer: Layer) -> bool:
    """Whether the layer has a lowering, by itself or in a fused block. A subclass needs one of its own."""
    return starts_block(layer) or type(layer) in lower.registry


def lower_chain(
    layers: Sequence[Layer], offsets: Sequence[ParamOffsets], x: Value, out: ProgramBuilder
) -> tuple[Value, Back]:
    """Emit layers forward, with the offsets of each; their output, and the function that emits them backward."""
    blocks: list[
        tuple[Back, bool, bool, Seen | None]
    ] = []  # backward; whether any layer before the block, or up to its end, has parameters
    number, before = 0, False
    while number < len(layers):
        end, given = number + 1, x
        if starts_block(layers[number]):
            last = None if out.fused else end
            block = find_block(layers[number:last], offsets[number:last])
            end = number + block.length
            x, back_block = lower_block(block, x, out)
        else:
            x, back_block = lower(layers[number], x, offsets[number], out)
        within = before or any(layer.parameters for layer in layers[number:end])
        seen = None
        if not out.fused:
            seen = Seen(layers[number], given, x)
            out.seen.append(seen)
        blocks.append((back_block, before, within, seen))
        number, before = end, within

    def back(dy: int, needs_dx: bool) -> int:
        for back_block, before, within, seen in reversed(blocks):
            if not (needs_dx or within):
                break
            if seen is not None:
                seen.gradient = dy
            dy = back_block(dy, needs_dx or before)
        return dy

    return x, back
