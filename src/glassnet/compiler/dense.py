"""Dense layers, pointwise ones, scaling and dropout, lowered to instructions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glassnet.compiler.chain import lower
from glassnet.compiler.program_builder import Assembler, Back, Places, Value, cannot_lower
from glassnet.kernels import opcodes as op
from glassnet.kernels.sizes import DOT_OUTPUTS, NARROW_INPUTS, NARROW_WIDTH, dot_row
from glassnet.nn import (
    GELU,
    Dense,
    Dropout,
    Flatten,
    LeakyReLU,
    Pixels,
    ReLU,
    Scale,
    Sigmoid,
    Softmax,
    Standardize,
    Swish,
    Tanh,
)
from glassnet.support.arrays import Array

NARROW_BATCH = 64  # images for which the transposition of the weights pays


@lower.register
def _(layer: Flatten, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    return replace(x, shape=(x.width,)), lambda dy, wanted: dy


@lower.register
def _(layer: Pixels, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    if x.raw:
        return replace(x, scale=x.scale / 255, raw=False), lambda dy, wanted: dy
    return x, lambda dy, wanted: dy


def _affine(x: Value, scale: Array, shift: Array | None, middle: Array | None, out: Assembler) -> tuple[Value, Back]:
    """(x − middle)·scale + shift; the constants begin with zeros."""
    x = out.loaded(x)
    scale_at, y = out.constant(scale), out.rows(x.width)
    shift_at, middle_at = (0 if values is None else out.constant(values) for values in (shift, middle))
    out.emit(op.AFFINE, x.at, y, x.width, a=scale_at, b=shift_at, c=middle_at)

    def back(dy: int, wanted: bool) -> int:
        if not wanted:
            return dy
        dx = out.rows(x.width)
        out.emit(op.AFFINE, dy, dx, x.width, a=scale_at)
        return dx

    return Value(y, x.shape), back


@lower.register
def _(layer: Scale, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    if x.is_images and layer.offset == 0:
        return replace(x, scale=x.scale * layer.factor, raw=False), lambda dy, wanted: dy
    return _affine(x, np.full(x.width, layer.factor), np.full(x.width, layer.offset), None, out)


@lower.register
def _(layer: Standardize, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    mean, std = layer.statistics["mean"], layer.statistics["std"]
    middle = mean.astype(np.float32)  # what it lacks of the mean goes into the shift
    return _affine(x, 1 / std, (middle - mean) / std, middle, out)


@lower.register
def _(layer: Dense, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    y = Value(out.rows(layer.units), (layer.units,))
    weight, bias = places["weight"], places.get("bias", -1)
    narrow = out.training and y.width <= NARROW_WIDTH and x.width >= NARROW_INPUTS and out.capacity >= NARROW_BATCH
    if narrow:
        apart = dot_row(x.width)
        wt = out.room(-(-y.width // DOT_OUTPUTS) * DOT_OUTPUTS * apart)
        out.emit(op.DENSE_TRANSPOSE, 0, wt, x.width, y.width, a=weight, b=apart)
        out.emit(op.DENSE_NARROW, x.at, y.at, x.width, y.width, a=bias, b=wt, c=apart, number=x.scale)
    else:
        out.emit(op.DENSE, x.at, y.at, x.width, y.width, a=weight, b=bias, number=x.scale)

    def back(dy: int, wanted: bool) -> int:
        dx = dy
        if wanted:  # before the weights change
            transposed, dx = out.room(x.width * y.width), out.rows(x.width)
            out.emit(op.DENSE_TRANSPOSE, 0, transposed, x.width, y.width, a=weight, b=x.width)
            out.emit(op.DENSE_INPUT, dy, dx, y.width, x.width, a=transposed)
        operation = op.DENSE_NARROW_WEIGHT if narrow else op.DENSE_WEIGHT
        out.emit(operation, x.at, 0, x.width, y.width, a=dy, b=weight, number=x.scale)
        if bias >= 0:
            out.emit(op.DENSE_BIAS, dy, out.room(y.width), y.width, a=bias)
        return dx

    return y, back


def _activation(kind: int, x: Value, out: Assembler, slope: float = 0.0) -> tuple[Value, Back]:
    x = out.loaded(x)
    y = out.rows(x.width)
    out.emit(op.ACTIVATE, x.at, y, x.width, a=kind, number=slope)

    def back(dy: int, wanted: bool) -> int:
        if not wanted:
            return dy
        dx = out.rows(x.width)
        out.emit(op.ACTIVATE_BACK, x.at, dx, x.width, a=kind, b=y, c=dy, number=slope)
        return dx

    return Value(y, x.shape), back


@lower.register
def _(layer: Sigmoid, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    return _activation(op.SIGMOID, x, out)


@lower.register
def _(layer: Tanh, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    return _activation(op.TANH, x, out)


@lower.register
def _(layer: ReLU, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    return _activation(op.RELU, x, out)


@lower.register
def _(layer: LeakyReLU, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    return _activation(op.LEAKY_RELU, x, out, layer.slope)


@lower.register
def _(layer: GELU, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    return _activation(op.GELU, x, out)


@lower.register
def _(layer: Swish, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    return _activation(op.SWISH, x, out)


@lower.register
def _(layer: Softmax, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    if len(x.shape) != 1:
        raise cannot_lower(layer)
    x = out.loaded(x)
    y = out.rows(x.width)
    out.emit(op.SOFTMAX, x.at, y, x.width)

    def back(dy: int, wanted: bool) -> int:
        if not wanted:
            return dy
        dx = out.rows(x.width)
        out.emit(op.SOFTMAX_BACK, x.at, dx, x.width, b=y, c=dy)
        return dx

    return Value(y, x.shape), back


@lower.register
def _(layer: Dropout, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    if not out.training:
        return replace(x, raw=False), lambda dy, wanted: dy
    x, number = out.loaded(x), out.dropouts
    out.dropouts += 1
    y = out.rows(x.width)
    out.emit(op.DROPOUT, x.at, y, x.width, a=number, number=layer.rate)

    def back(dy: int, wanted: bool) -> int:
        if not wanted:
            return dy
        dx = out.rows(x.width)
        out.emit(op.DROPOUT, dy, dx, x.width, a=number, number=layer.rate)
        return dx

    return Value(y, x.shape), back
