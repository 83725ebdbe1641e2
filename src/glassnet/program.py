"""Lower a network to the interpreter's instructions: each layer forward, the cost, each layer backward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from glassnet.augmentation import Augmentation
from glassnet.kernels import operations as op
from glassnet.kernels.sizes import DOT_OUTPUTS, NARROW_INPUTS, NARROW_WIDTH, PADDING, aligned_zeros, dot_row
from glassnet.layers import (
    GELU,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    Pixels,
    ReLU,
    Scale,
    Sigmoid,
    Softmax,
    Standardize,
    Tanh,
)
from glassnet.reference import Array
from glassnet.stack import Stack


@dataclass(frozen=True)
class Value:
    """`width` numbers a picture at an offset of the workspace, or the pictures themselves times `scale`.

    `raw`: still the integers of the pictures, which `Pixels` brings to 0…1. `augmented`: pictures too, but in the workspace.
    """

    at: int
    width: int
    scale: float = 1.0
    raw: bool = False
    augmented: bool = False

    @property
    def is_pictures(self) -> bool:
        """Whether `scale` is still to be applied."""
        return self.at == op.INPUT or self.augmented


@dataclass(frozen=True)
class Program:
    """What the interpreter runs; `workspace` floats of room, `scratch` bytes a thread, `dropouts` keys a step.

    Where pictures are `augmented`, the first of these keys is for that.
    """

    code: NDArray[np.int64]
    numbers: NDArray[np.float64]
    constants: Array
    workspace: int
    dropouts: int
    capacity: int
    scratch: int = 0
    augmented: bool = False


NARROW_BATCH = 64  # pictures for which the transposition of the weights pays

Back = Callable[[int, bool], int]  # from where dy lies, and whether dx is asked for, to where dx lies


class Assembler:
    """Collects instructions and gives out room in the workspace for batches of up to `capacity` pictures."""

    def __init__(self, stack: Stack, capacity: int, training: bool) -> None:
        self.stack, self.capacity, self.training = stack, capacity, training
        self.size = self.dropouts = self.scratch = 0
        self.augmented = False
        widest = max(int(np.prod(shape)) for shape in stack.shapes)
        self._constants: list[Array] = [np.zeros(widest + PADDING)]
        self._code: list[tuple[int, ...]] = []
        self._numbers: list[tuple[float, float]] = []

    def room(self, floats: int) -> int:
        """The offset of room for so many floats, on a cache line's boundary, with padding that may be read."""
        at = self.size
        self.size += -(-(floats + PADDING) // 16) * 16
        return at

    def rows(self, width: int) -> int:
        return self.room(width * self.capacity)

    def constant(self, values: Array) -> int:
        at = sum(map(len, self._constants))
        self._constants.append(np.asarray(values, dtype=np.float64).ravel())
        return at

    def emit(
        self,
        operation: int,
        source: int,
        target: int,
        width: int,
        width_out: int | None = None,
        a: int = 0,
        b: int = 0,
        c: int = 0,
        number: float = 1.0,
    ) -> None:
        self._code.append((operation, source, target, width, width if width_out is None else width_out, a, b, c))
        self._numbers.append((number, 0.0))

    def loaded(self, value: Value) -> Value:
        """The value in the workspace; pictures are brought there."""
        if not value.is_pictures or (value.augmented and value.scale == 1):
            return Value(value.at, value.width)
        at = self.rows(value.width)
        self.emit(op.LOAD, value.at, at, value.width, number=value.scale)
        return Value(at, value.width)

    def augment(self, value: Value, augmentation: Augmentation, shape: tuple[int, int, int]) -> Value:
        """The pictures, each under a random transform, still in their own range."""
        at, key, options = self.rows(value.width), self.dropouts, self.constant(augmentation.numbers)
        self.dropouts, self.augmented, self.scratch = key + 1, True, augmentation.scratch(shape)
        self.emit(op.AUGMENT, value.at, at, value.width, shape[1] * shape[2], a=options, b=key, number=shape[2])
        return replace(value, at=at, augmented=True)

    def program(self) -> Program:
        constants = aligned_zeros(sum(map(len, self._constants)))
        constants[...] = np.concatenate(self._constants)
        code = np.array(self._code, dtype=np.int64)
        numbers = np.array(self._numbers, dtype=np.float64)
        return Program(code, numbers, constants, self.size, self.dropouts, self.capacity, self.scratch, self.augmented)


@singledispatch
def lower(layer: Layer, x: Value, offsets: dict[str, int], out: Assembler) -> tuple[Value, Back]:
    """Emit the layer forward; its output, and a function that emits it backward. Layers not known here can't be lowered."""
    raise LookupError(type(layer).__name__)


@lower.register
def _(layer: Flatten, x: Value, offsets: dict[str, int], out: Assembler) -> tuple[Value, Back]:
    return x, lambda dy, wanted: dy


@lower.register
def _(layer: Pixels, x: Value, offsets: dict[str, int], out: Assembler) -> tuple[Value, Back]:
    if x.raw:
        return replace(x, scale=x.scale / 255, raw=False), lambda dy, wanted: dy
    return x, lambda dy, wanted: dy


def _affine(x: Value, scale: Array, shift: Array, out: Assembler) -> tuple[Value, Back]:
    x = out.loaded(x)
    scale_at, shift_at, y = out.constant(scale), out.constant(shift), out.rows(x.width)
    out.emit(op.AFFINE, x.at, y, x.width, a=scale_at, b=shift_at)

    def back(dy: int, wanted: bool) -> int:
        if wanted:
            out.emit(op.AFFINE, dy, dy, x.width, a=scale_at, b=0)  # the constants begin with zeros
        return dy

    return Value(y, x.width), back


@lower.register
def _(layer: Scale, x: Value, offsets: dict[str, int], out: Assembler) -> tuple[Value, Back]:
    if x.is_pictures and layer.offset == 0:
        return replace(x, scale=x.scale * layer.factor, raw=False), lambda dy, wanted: dy
    return _affine(x, np.full(x.width, layer.factor), np.full(x.width, layer.offset), out)


@lower.register
def _(layer: Standardize, x: Value, offsets: dict[str, int], out: Assembler) -> tuple[Value, Back]:
    mean, std = layer.statistics["mean"], layer.statistics["std"]
    return _affine(x, 1 / std, -mean / std, out)


@lower.register
def _(layer: Dense, x: Value, offsets: dict[str, int], out: Assembler) -> tuple[Value, Back]:
    y = Value(out.rows(layer.units), layer.units)
    weight, bias = offsets["weight"], offsets.get("bias", -1)
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

    return Value(y, x.width), back


@lower.register
def _(layer: Sigmoid, x: Value, offsets: dict[str, int], out: Assembler) -> tuple[Value, Back]:
    return _activation(op.SIGMOID, x, out)


@lower.register
def _(layer: Tanh, x: Value, offsets: dict[str, int], out: Assembler) -> tuple[Value, Back]:
    return _activation(op.TANH, x, out)


@lower.register
def _(layer: ReLU, x: Value, offsets: dict[str, int], out: Assembler) -> tuple[Value, Back]:
    return _activation(op.RELU, x, out)


@lower.register
def _(layer: LeakyReLU, x: Value, offsets: dict[str, int], out: Assembler) -> tuple[Value, Back]:
    return _activation(op.LEAKY_RELU, x, out, layer.slope)


@lower.register
def _(layer: GELU, x: Value, offsets: dict[str, int], out: Assembler) -> tuple[Value, Back]:
    return _activation(op.GELU, x, out)


@lower.register
def _(layer: Softmax, x: Value, offsets: dict[str, int], out: Assembler) -> tuple[Value, Back]:
    x = out.loaded(x)
    y = out.rows(x.width)
    out.emit(op.SOFTMAX, x.at, y, x.width)

    def back(dy: int, wanted: bool) -> int:
        if not wanted:
            return dy
        dx = out.rows(x.width)
        out.emit(op.SOFTMAX_BACK, x.at, dx, x.width, b=y, c=dy)
        return dx

    return Value(y, x.width), back


@lower.register
def _(layer: Dropout, x: Value, offsets: dict[str, int], out: Assembler) -> tuple[Value, Back]:
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

    return Value(y, x.width), back


def can_lower(stack: Stack) -> bool:
    """Whether the kernels know every layer of a float32 network of flat outputs."""
    known = all(lower.dispatch(type(layer)) is not lower.dispatch(object) for layer in stack.layers)
    softmax_flat = all(
        len(shape) == 1 for layer, shape in zip(stack.layers, stack.shapes, strict=False) if isinstance(layer, Softmax)
    )
    return known and softmax_flat and stack.dtype == np.float32 and len(stack.shapes[-1]) == 1


def assemble(
    stack: Stack,
    capacity: int,
    *,
    is_bytes: bool,
    purpose: str,
    augmentation: Augmentation | None = None,
    shape: tuple[int, int, int] = (0, 0, 0),
) -> Program:
    """The program of a network that is to "train", to find "costs", "raw" outputs before the cost, or last "outputs".

    With an `augmentation`, the pictures, of `shape` (H, W, C), go through it first.
    """
    out = Assembler(stack, capacity, purpose == "train")
    offsets: list[dict[str, int]] = [{} for _ in stack.layers]
    for slot in stack.slots:
        offsets[slot.layer][slot.key] = slot.offset
    x = Value(op.INPUT, stack.features, raw=is_bytes)
    if augmentation is not None:
        x = out.augment(x, augmentation, shape)
    backs: list[Back] = []
    for layer, places in zip(stack.layers[: None if purpose == "outputs" else stack.raw], offsets, strict=False):
        x, back = lower(layer, x, places, out)
        backs.append(back)
    x = out.loaded(x)
    if purpose in ("raw", "outputs"):
        out.emit(op.OUTPUT, x.at, 0, x.width)
        return out.program()
    dy = out.rows(x.width)
    out.emit(op.COST, x.at, dy, x.width, a=stack.loss.code, b=out.rows(x.width))
    if purpose == "train":
        first = min((slot.layer for slot in stack.slots), default=len(backs))
        for number in range(len(backs) - 1, first - 1, -1):
            dy = backs[number](dy, number > first)
    return out.program()


__all__ = ["Program", "assemble", "can_lower", "lower"]
