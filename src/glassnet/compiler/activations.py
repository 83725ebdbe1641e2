"""Activations, lowered."""

from __future__ import annotations

from math import prod

from glassnet.compiler.lower import lower
from glassnet.compiler.program_builder import Back, ParamOffsets, ProgramBuilder, Value
from glassnet.kernels import kinds, opcodes as op
from glassnet.nn import GELU, LeakyReLU, ReLU, Sigmoid, Softmax, Swish, Tanh


def lower_activation(kind: int, x: Value, out: ProgramBuilder, slope: float = 0.0) -> tuple[Value, Back]:
    """Emit the kernel's activation `kind` (kernels/kinds.py) of every value."""
    x, y = out.loaded(x), out.rows(x.width)
    function = {"width": x.width, "kind": kind, "slope": slope}
    out.emit(op.ACTIVATION, x=x.at, y=y, **function)

    def back(dy: int, needs_dx: bool) -> int:
        if not needs_dx:
            return dy
        dx = out.rows(x.width)
        out.emit(op.ACTIVATION_BACKWARD, x=x.at, y=y, dy=dy, dx=dx, **function)
        return dx

    return Value(y, x.shape), back


@lower.register
def _(layer: Sigmoid, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    return lower_activation(kinds.SIGMOID, x, out)


@lower.register
def _(layer: Tanh, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    return lower_activation(kinds.TANH, x, out)


@lower.register
def _(layer: ReLU, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    return lower_activation(kinds.RELU, x, out)


@lower.register
def _(layer: LeakyReLU, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    return lower_activation(kinds.LEAKY_RELU, x, out, layer.slope)


@lower.register
def _(layer: GELU, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    return lower_activation(kinds.GELU, x, out)


@lower.register
def _(layer: Swish, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    return lower_activation(kinds.SWISH, x, out)


@lower.register
def _(layer: Softmax, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    x, y = out.loaded(x), out.rows(x.width)
    size = {"rows": prod(x.shape[:-1]), "width": x.shape[-1]}
    out.emit(op.SOFTMAX, x=x.at, y=y, **size)

    def back(dy: int, needs_dx: bool) -> int:
        if not needs_dx:
            return dy
        dx = out.rows(x.width)
        out.emit(op.SOFTMAX_BACKWARD, y=y, dy=dy, dx=dx, **size)
        return dx

    return Value(y, x.shape), back
