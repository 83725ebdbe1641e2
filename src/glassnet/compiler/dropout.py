"""Dropout, lowered: nothing outside training."""

from __future__ import annotations

from glassnet.compiler.program_builder import Back, ParamOffsets, ProgramBuilder, Value, lower
from glassnet.kernels import opcodes as op
from glassnet.nn import Dropout


@lower.register
def _(layer: Dropout, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    if not out.training:
        return x._replace(raw=False), lambda dy, needs_dx: dy
    x, y = out.loaded(x), out.rows(x.width)
    mask = {"width": x.width, "key": out.random_key(), "rate": layer.rate}
    out.emit(op.DROPOUT, x=x.at, y=y, **mask)
    return Value(y, x.shape), out.back(op.DROPOUT, x.width, ("x", "y"), **mask)
