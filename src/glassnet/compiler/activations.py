"""Activations, lowered."""

from __future__ import annotations

from math import prod

from glassnet.compiler.program_builder import Back, ParamOffsets, ProgramBuilder, Value, lower
from glassnet.kernels import kinds, opcodes as op
from glassnet.nn import GELU, Layer, LeakyReLU, ReLU, Sigmoid, Softmax, Swish, Tanh

ACTIVATION_KINDS: dict[type[Layer], int] = {
    Sigmoid: kinds.SIGMOID,
    Tanh: kinds.TANH,
    ReLU: kinds.RELU,
    LeakyReLU: kinds.LEAKY_RELU,
    GELU: kinds.GELU,
    Swish: kinds.SWISH,
}


def lower_activation(kind: int, x: Value, out: ProgramBuilder, slope: float = 0.0) -> tuple[Value, Back]:
    """Emit the kernel's activation `kind` (kernels/kinds.py) of every value."""
    x, y = out.loaded(x), out.rows(x.width)
    operands = {"x": x.at, "y": y, "width": x.width, "kind": kind, "slope": slope}
    out.emit(op.ACTIVATION, **operands)
    return Value(y, x.shape), out.back(op.ACTIVATION_BACKWARD, x.width, **operands)


@lower.register
def _(
    layer: Sigmoid | Tanh | ReLU | LeakyReLU | GELU | Swish, x: Value, offsets: ParamOffsets, out: ProgramBuilder
) -> tuple[Value, Back]:
    return lower_activation(ACTIVATION_KINDS[type(layer)], x, out, layer.slope if isinstance(layer, LeakyReLU) else 0.0)


@lower.register
def _(layer: Softmax, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    x, y = out.loaded(x), out.rows(x.width)
    size = {"rows": prod(x.shape[:-1]), "width": x.shape[-1]}
    out.emit(op.SOFTMAX, x=x.at, y=y, **size)
    return Value(y, x.shape), out.back(op.SOFTMAX_BACKWARD, x.width, y=y, **size)
