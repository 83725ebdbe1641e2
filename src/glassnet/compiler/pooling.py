"""Average pooling, lowered; max pooling belongs to fused blocks."""

from __future__ import annotations

from glassnet.compiler.geometry import pool_shape
from glassnet.compiler.program_builder import Back, ParamOffsets, ProgramBuilder, Value, lower
from glassnet.kernels import opcodes as op
from glassnet.nn import AveragePool2D, GlobalAveragePool2D


@lower.register
def _(layer: AveragePool2D | GlobalAveragePool2D, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    x, pool = out.loaded(x), pool_shape(layer, x.shape)
    places = (int(pool["out_height"]), int(pool["out_width"])) if isinstance(layer, AveragePool2D) else ()
    shape = (*places, x.shape[2])
    y = Value(out.rows(pool["out_height"] * pool["out_width"] * x.shape[2]), shape)
    out.emit(op.AVERAGE_POOL, pool=pool, x=x.at, y=y.at)
    return y, out.back(op.AVERAGE_POOL_BACKWARD, x.width, ("y", "x"), pool=pool)
