"""What lowering writes to: instructions, records, constants, and room in the workspace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import DTypeLike, NDArray

from glassnet.data.augmentation import Augmentation
from glassnet.kernels import opcodes as op
from glassnet.kernels.sizes import PADDING, SCRATCH_BYTES, aligned_zeros
from glassnet.nn import Layer, Nested, walk
from glassnet.nn.layer import Shape
from glassnet.nn.stack import Stack
from glassnet.support.arrays import Array
from glassnet.support.memory import require_activations


@dataclass(frozen=True)
class Value:
    """Numbers of `shape` an image at an offset of the workspace, or the images themselves, times `scale`.

    `raw`: still the integers of the images, which `Pixels` brings to 0…1. `augmented`: images too, but in the workspace.
    """

    at: int
    shape: Shape
    scale: float = 1.0
    raw: bool = False
    augmented: bool = False

    @property
    def is_images(self) -> bool:
        """Whether `scale` is still to be applied."""
        return self.at == op.INPUT or self.augmented

    @property
    def width(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class Program:
    """What the interpreter runs.

    `workspace` floats of room, `scratch` bytes for each thread, `rows` that the longest product has, `dropouts` keys a step.
    Where images are `augmented`, the first of these keys is for that.
    """

    code: NDArray[np.int64]
    numbers: NDArray[np.float64]
    records: NDArray[np.uint8]
    constants: Array
    workspace: int
    scratch: int
    rows: int
    dropouts: int
    capacity: int
    augmented: bool


Back = Callable[[int, bool], int]  # from where dy lies, and whether dx is asked for, to where dx lies
Places = dict[str, int]  # where a layer's parameters and running statistics lie in the network's state


class Assembler:
    """Collects instructions and gives out room in the workspace for batches of up to `capacity` images."""

    def __init__(self, stack: Stack, capacity: int, training: bool) -> None:
        self.capacity, self.training = capacity, training
        self.size = self.dropouts = 0
        self.augmented = False
        self.scratch, self.longest = SCRATCH_BYTES, capacity
        shapes = [*stack.shapes, *(shape for layer in walk(stack.layers) for shape in inner_shapes(layer))]
        self._zeros = PADDING + max(*(prod(shape) for shape in shapes), *(slot.shape[-1] for slot in stack.slots), 1)
        self._constants: list[Array] = []  # behind zeros for biases that are not there
        self._code: list[tuple[int, ...]] = []
        self._numbers: list[tuple[float, float]] = []
        self._records: list[NDArray[np.uint8]] = []

    def room(self, floats: int) -> int:
        """The offset of room for so many floats, on a cache line's boundary, with padding that may be read."""
        at = self.size
        self.size += -(-(floats + PADDING) // 16) * 16
        return at

    def rows(self, width: int) -> int:
        return self.room(width * self.capacity)

    def constant(self, values: Array) -> int:
        at = self._zeros + sum(map(len, self._constants))
        self._constants.append(np.asarray(values, dtype=np.float64).ravel())
        return at

    def record(self, dtype: DTypeLike, **fields: float) -> tuple[int, NDArray[np.void]]:
        """A new record, −1 where nothing is given: its offset in bytes, and the record, which may still be changed."""
        kind = np.dtype(dtype)
        record = np.zeros(1, dtype=kind)
        for name in kind.names or ():
            record[name] = fields.pop(name, -1)
        assert not fields, fields
        at = sum(map(len, self._records))
        self._records.append(record.view(np.uint8))
        return at, record

    def scratch_rooms(self, *floats: int) -> list[int]:
        """Offsets in bytes of rooms in each thread's scratch, for one instruction at a time."""
        ends = np.cumsum([-(-(size + PADDING) // 16) * 64 for size in floats])
        self.scratch = max(self.scratch, int(ends[-1]))
        return [0, *map(int, ends[:-1])]

    def emit(
        self,
        operation: int,
        source: int = 0,
        target: int = 0,
        width: int = 0,
        width_out: int | None = None,
        a: int = 0,
        b: int = 0,
        c: int = 0,
        number: float = 1.0,
    ) -> None:
        self._code.append((operation, source, target, width, width if width_out is None else width_out, a, b, c))
        self._numbers.append((number, 0.0))

    def loaded(self, value: Value) -> Value:
        """The value in the workspace; images are brought there."""
        if not value.is_images or (value.augmented and value.scale == 1):
            return Value(value.at, value.shape)
        at = self.rows(value.width)
        self.emit(op.LOAD, value.at, at, value.width, number=value.scale)
        return Value(at, value.shape)

    def augment(self, value: Value, augmentation: Augmentation, shape: tuple[int, int, int]) -> Value:
        """The images, each under a random transform, still in their own range."""
        at, key, options = self.rows(value.width), self.dropouts, self.constant(augmentation.numbers)
        self.dropouts, self.augmented = key + 1, True
        self.scratch = max(self.scratch, augmentation.scratch(shape))
        self.emit(op.AUGMENT, value.at, at, value.width, shape[1] * shape[2], a=options, b=key, number=shape[2])
        return replace(value, at=at, augmented=True)

    def program(self) -> Program:
        size = self._zeros + sum(map(len, self._constants))
        require_activations(4 * (self.size + size) + self.scratch, self.capacity)
        constants = aligned_zeros(size)
        constants[self._zeros :] = np.concatenate([*self._constants, np.zeros(0)])
        records: NDArray[np.uint8] = aligned_zeros(sum(map(len, self._records)), np.uint8)  # type: ignore[assignment]
        records[...] = np.concatenate([*self._records, np.zeros(0, np.uint8)])
        code, numbers = np.array(self._code, dtype=np.int64), np.array(self._numbers, dtype=np.float64)
        return Program(
            code,
            numbers,
            records,
            constants,
            self.size,
            self.scratch,
            self.longest,
            self.dropouts,
            self.capacity,
            self.augmented,
        )


def inner_shapes(layer: Layer) -> list[Shape]:
    """The shapes between the layers inside a layer."""
    return [shape for shapes in layer.branch_shapes for shape in shapes] if isinstance(layer, Nested) else []


def cannot_lower(layer: Layer) -> LookupError:
    """What lowering raises for layers, or uses of them, that the kernels do not know."""
    return LookupError(type(layer).__name__)


__all__ = ["Assembler", "Back", "Places", "Program", "Value", "cannot_lower"]
