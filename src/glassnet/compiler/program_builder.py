"""`lower`, where each layer's lowering is registered, and `ProgramBuilder`, which collects the instructions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import singledispatch
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.kernels import opcodes as op
from glassnet.kernels.records import INPUT, RECORDS
from glassnet.kernels.sizes import PADDING, SCRATCH_BYTES, aligned_zeros
from glassnet.nn import Layer, Nested, walk
from glassnet.nn.layer import Shape
from glassnet.nn.stack import Stack
from glassnet.support.arrays import Array
from glassnet.support.memory import require_activations


class Value(NamedTuple):
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
        return self.at == INPUT or self.augmented

    @property
    def width(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class Program:
    """What the interpreter runs.

    `workspace` floats, `scratch` bytes for each thread, `rows` that the longest product has, `keys` random numbers a step.
    Where images are `augmented`, the first of these keys is for that.
    """

    code: NDArray[np.int64]  # (instructions, 2): opcode, offset of its record in bytes
    records: NDArray[np.uint8]
    constants: Array
    workspace: int
    scratch: int
    rows: int
    keys: int
    capacity: int
    augmented: bool
    forward: int  # instructions before the loss
    prepared: int  # first instructions that depend on the weights alone: done once, and again when `weights` have changed
    weights: tuple[tuple[int, int], ...]  # what they read: stretches of the network's state, from … to
    seen: tuple[Seen, ...]  # of a program that shows every layer
    input_gradient: int  # where the gradient of its loss by the images lies


@dataclass
class Seen:
    """A layer's input, its output in the workspace and, −1 until it is known, where the gradient of the loss by it lies."""

    layer: Layer
    given: Value
    value: Value
    gradient: int = -1


# Instructions that depend on the weights alone.
PREPARING = frozenset({
    op.DENSE_TRANSPOSE, op.DENSE_PANELS, op.ROTATE_WEIGHTS, op.WINOGRAD_WEIGHTS, op.WINOGRAD_ROTATED, op.BATCH_NORM_RUNNING,
    op.RECURRENT_PANELS, op.RECURRENT_PAIRS, op.PAIR_WEIGHTS, op.PAIR_ROTATED, op.PAIR_PANELS, op.QUAD_WEIGHTS,
})  # fmt: skip
STATE_FIELDS = frozenset({"weight", "bias", "gamma", "beta", "running_mean", "running_variance"})  # of their records
Range = tuple[float, float]  # the least and the largest number
Back = Callable[[int, bool], int]  # from where dy lies, and whether dx is needed, to where dx lies
ParamOffsets = dict[str, int]  # where a layer's parameters and running statistics lie in the network's state


class ProgramBuilder:
    """Collects instructions and hands out offsets of a workspace for batches of up to `capacity` images.

    `fused`: several layers may be computed at once; otherwise each by itself, and `seen` says where its output lies.
    `bfloat16`: products may be taken in it. `ranges`: of the inputs of layers, by their places in `walk`, whose products
    may be taken in int8. `many`: it runs over many images before the weights change.
    """

    def __init__(
        self,
        stack: Stack,
        capacity: int,
        training: bool,
        fused: bool = True,
        bfloat16: bool = False,
        ranges: Mapping[int, Range] | None = None,
        many: bool = False,
    ) -> None:
        self.capacity, self.training, self.fused, self.bfloat16, self.many = capacity, training, fused, bfloat16, many
        places = enumerate(walk(stack.layers)) if ranges else ()
        self._ranges = {id(layer): ranges[place] for place, layer in places if ranges and place in ranges}
        self.augmented, self.keys, self.forward = False, 0, 0
        self.seen: list[Seen] = []
        self.input_gradient = -1
        self.scratch_bytes, self.longest = SCRATCH_BYTES, capacity
        self._workspace = 0
        self._slots = *stack.slots, *stack.running_slots
        shapes = [*stack.shapes, *(shape for layer in walk(stack.layers) for shape in _inner_shapes(layer))]
        widest = max(*(prod(shape) for shape in shapes), *(slot.shape[-1] for slot in stack.slots), 1)
        self._constants: list[Array] = [np.zeros(widest + PADDING)]  # zeros first, for biases that are not there
        self._code: list[tuple[int, int]] = []
        self._records = bytearray()

    def bytes_of(self, layer: Layer) -> tuple[float, int] | None:
        """Of a layer that may run in int8, x ≈ scale·(byte − zero): scale and zero. The number 0 is a byte exactly."""
        if id(layer) not in self._ranges:
            return None
        low, high = min(self._ranges[id(layer)][0], 0.0), max(self._ranges[id(layer)][1], 0.0)
        scale = (high - low) / 255 or 1.0
        return scale, round(-low / scale)

    @property
    def forward_only(self) -> bool:
        """Whether a thread takes its images through all layers, and no backward pass follows."""
        return self.fused and not self.training

    def reserve(self, floats: int) -> int:
        """Reserve floats of the workspace, aligned to a cache line and padded; their offset."""
        at = self._workspace
        self._workspace += -(-(int(floats) + PADDING) // 16) * 16  # records refuse what NumPy makes of comparisons
        return at

    def rows(self, width: int) -> int:
        """The offset of a row of `width` floats for each image."""
        return self.reserve(width * self.capacity)

    def constant(self, values: Array) -> int:
        """The offset of constants."""
        at = sum(map(len, self._constants))
        self._constants.append(np.asarray(values, dtype=np.float64).ravel())
        return at

    def random_key(self) -> int:
        """A column of the step's random keys."""
        self.keys += 1
        return self.keys - 1

    def scratch(self, **floats: int) -> dict[str, int]:
        """Offsets in bytes of arrays in each thread's scratch memory, for one instruction at a time."""
        ends = [0, *map(int, np.cumsum([-(-(size + PADDING) // 16) * 64 for size in floats.values()]))]
        self.scratch_bytes = max(self.scratch_bytes, ends[-1])
        return dict(zip(floats, ends, strict=False))

    def emit(self, opcode: int, **operands: Any) -> None:
        """Add an instruction; its operands are the fields of the operation's record."""
        if opcode not in RECORDS:
            raise ValueError(f"{opcode} is the opcode of no operation")
        self._code.append((opcode, len(self._records)))
        if opcode == op.LOSS:
            self.forward = len(self._code) - 1
        self._records += RECORDS[opcode].pack(operands)

    def loaded(self, x: Value) -> Value:
        """The value in the workspace; images are brought there."""
        if not x.is_images or (x.augmented and x.scale == 1):
            return Value(x.at, x.shape)
        y = self.rows(x.width)
        self.emit(op.LOAD, x=x.at, y=y, width=x.width, scale=x.scale)
        return Value(y, x.shape)

    def _prepare(self) -> tuple[int, tuple[tuple[int, int], ...]]:
        """Move the instructions that depend on the weights alone to the front; how many, and the weights.

        Not in training, where weights change in each step, nor where layers run one by one, whose order is looked at.
        """
        if self.training or not self.fused:
            return 0, ()
        prepared = [line for line in self._code if line[0] in PREPARING]
        self._code = prepared + [line for line in self._code if line[0] not in PREPARING]
        self.forward = next((number for number, (opcode, _) in enumerate(self._code) if opcode == op.LOSS), 0)
        read: set[int] = set()
        for opcode, at in prepared:
            kind = RECORDS[opcode].dtype
            record = np.frombuffer(self._records, kind, 1, at)[0]
            read.update(int(record[name]) for name in STATE_FIELDS.intersection(kind.names or ()))
        stretches: list[tuple[int, int]] = []
        for slot in (slot for slot in self._slots if slot.offset in read):
            first, last = slot.offset, slot.offset + slot.size
            if stretches and stretches[-1][1] == first:
                first = stretches.pop()[0]
            stretches.append((first, last))
        return len(prepared), tuple(stretches)

    def program(self) -> Program:
        prepared, weights = self._prepare()
        constants = np.concatenate(self._constants)
        require_activations(4 * (self._workspace + len(constants)) + self.scratch_bytes, self.capacity)
        return Program(
            code=np.array(self._code, dtype=np.int64).reshape(-1, 2),
            records=aligned_bytes(self._records),
            constants=_aligned(constants, np.float32),
            workspace=self._workspace,
            scratch=self.scratch_bytes,
            rows=self.longest,
            keys=self.keys,
            capacity=self.capacity,
            augmented=self.augmented,
            forward=self.forward,
            prepared=prepared,
            weights=weights,
            seen=tuple(self.seen),
            input_gradient=self.input_gradient,
        )

    def back(self, opcode: int, width: int, fields: tuple[str, str] = ("dy", "dx"), /, **operands: Any) -> Back:
        """The backward function of a layer without parameters: one instruction, with dy and dx in these fields."""

        def back(dy: int, needs_dx: bool) -> int:
            if not needs_dx:
                return dy
            dx = self.rows(width)
            self.emit(opcode, **operands, **dict(zip(fields, (dy, dx), strict=True)))
            return dx

        return back


@singledispatch
def lower(layer: Layer, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    """Emit the layer forward; its output, and a function that emits it backward."""
    raise LookupError(f"The kernels do not know {type(layer).__name__}.")


def aligned_bytes(records: bytearray) -> NDArray[np.uint8]:
    return _aligned(np.frombuffer(records, np.uint8), np.uint8)


def _aligned(values: Array, dtype: type[np.generic]) -> NDArray[Any]:
    """The values on a cache line's boundary."""
    held = aligned_zeros(len(values), dtype)
    held[...] = values
    return held


def _inner_shapes(layer: object) -> list[Shape]:
    """The shapes between the layers inside a layer."""
    return [shape for shapes in layer.branch_shapes for shape in shapes] if isinstance(layer, Nested) else []
