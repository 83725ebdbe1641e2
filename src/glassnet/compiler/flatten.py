"""Flatten, lowered: the same numbers under another shape."""

from __future__ import annotations

from dataclasses import replace

from glassnet.compiler.lower import lower
from glassnet.compiler.program_builder import Back, ParamOffsets, ProgramBuilder, Value
from glassnet.nn import Flatten


@lower.register
def _(layer: Flatten, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    return replace(x, shape=(x.width,)), lambda dy, needs_dx: dy
