"""Dropout, lowered: nothing outside training."""

from __future__ import annotations

from dataclasses import replace

from glassnet.compiler.lower import lower
from glassnet.compiler.program_builder import Back, ParamOffsets, ProgramBuilder, Value
from glassnet.kernels import opcodes as op
from glassnet.nn import Dropout


@lower.register
def _(layer: Dropout, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    if not out.training:
        return replace(x, raw=False), lambda dy, needs_dx: dy
    x, y = out.loaded(x), out.rows(x.width)
    mask = {"width": x.width, "key": out.random_key(), "rate": layer.rate}
    out.emit(op.DROPOUT, x=x.at, y=y, **mask)

    def back(dy: int, needs_dx: bool) -> int:
        if not needs_dx:
            return dy
        dx = out.rows(x.width)
        out.emit(op.DROPOUT, x=dy, y=dx, **mask)
        return dx

    return Value(y, x.shape), back
