"""How one layer becomes instructions: each module of this package registers its layers here."""

from __future__ import annotations

from functools import singledispatch

from glassnet.compiler.program_builder import Back, ParamOffsets, ProgramBuilder, Value
from glassnet.nn import Layer


@singledispatch
def lower(layer: Layer, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    """Emit the layer forward; its output, and a function that emits it backward."""
    raise LookupError(f"The kernels do not know {type(layer).__name__}.")
