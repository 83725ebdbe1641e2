"""The program of one of several ranks: processes that share each mini-batch and exchange what sums over it need.

Every rank has the whole workspace and computes its own images' rows of it. Where an operation needs all images, an EXCHANGE
before it brings the other ranks' rows, and each rank then does the whole operation, in the order of one process: so nothing
is summed in another order, and no bit depends on the number of ranks. What is exchanged:

- statistics of each image, for batch normalisation, forward and backward;
- nodes of the tree over partial sums, for the gradients of convolutions and recurrent layers;
- inputs and output gradients of dense layers, and of layer normalisation: for mini-batches this is less than the gradient.
  Images of the data set are there already.

Gradients wait for the end of the step, so that what they need travels during the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from glassnet.compiler.program_builder import Program, aligned_bytes
from glassnet.kernels import kinds, opcodes as op
from glassnet.kernels.records import INPUT, RECORDS

LOSSES = -1  # as a place: losses and classes of the images, which do not lie in the workspace


@dataclass(frozen=True)
class Gather:
    """Numbers that each rank has of its own images, and gets of all others."""

    at: int  # in the workspace, or LOSSES
    width: int  # floats of an image; of a partial sum
    partitions: int = 0  # of the mini-batch, each with a partial sum; 0: rows of images


@dataclass(frozen=True)
class Exchange:
    """Gathers, by number, that begin, and those that must have ended."""

    begin: tuple[int, ...] = ()
    end: tuple[int, ...] = ()


@dataclass(frozen=True)
class SharedProgram:
    """A program of a rank; EXCHANGE number i is `exchanges[i]`."""

    program: Program
    gathers: tuple[Gather, ...]
    exchanges: tuple[Exchange, ...]

    @property
    def partitions(self) -> frozenset[int]:
        """Into how many partitions layers divide the mini-batch: a rank's images must be whole partitions of each."""
        return frozenset(gather.partitions for gather in self.gathers if gather.partitions)


def _rows(*fields: tuple[str, str]) -> Callable[[Any], list[Gather]]:
    """Rows of images: the fields of an operation's record that say where they lie, and how wide they are."""
    return lambda record: [Gather(int(record[at]), int(record[width])) for at, width in fields if record[at] != INPUT]


def _statistics(place: str, count: int) -> Callable[[Any], list[Gather]]:
    return lambda record: [Gather(int(record[place]), count * int(record["channels"]))]


def _layer_norm(record: Any) -> list[Gather]:
    return [Gather(int(record[at]), int(record["rows"] * record["width"])) for at in ("dy", "normal")]


def _conv_sums(record: Any) -> list[Gather]:
    kernel = record["kernel_height"] * record["kernel_width"]
    size = int((kernel * record["channels"] + 1) * record["filters"])
    return [Gather(int(record["partial"]), size, int(record["partitions"]))]


def _recurrent_sums(record: Any) -> list[Gather]:
    units, wide = record["units"], record["gates"] * record["units"]
    size = (record["features"] + units + 1) * wide + (units if record["kind"] == kinds.GRU else 0)
    return [Gather(int(record["partial"]), int(size), int(record["partitions"]))]


# What operations need of all images: those in the middle of a step, and the gradients, which can wait for its end.
JOINTS: dict[int, Callable[[Any], list[Gather]]] = {
    op.BATCH_NORM_STATISTICS: _statistics("statistics", 3),
    op.BATCH_NORM_GRADIENTS: _statistics("sums", 2),
}
GRADIENTS: dict[int, Callable[[Any], list[Gather]]] = {
    op.DENSE_DW: _rows(("x", "inputs"), ("dy", "outputs")),
    op.DENSE_DW_SKINNY: _rows(("x", "inputs"), ("dy", "outputs")),
    op.DENSE_DW_BFLOAT16: _rows(("x", "inputs"), ("dy", "outputs")),
    op.DENSE_DB: _rows(("dy", "outputs")),
    op.LAYER_NORM_GRADIENTS: _layer_norm,
    op.CONV_GRADIENTS: _conv_sums,
    op.RECURRENT_GRADIENTS: _recurrent_sums,
}
# Those that each rank does for its own images alone, and those that do not depend on the images.
OF_IMAGES = frozenset({
    op.LOAD, op.AUGMENT, op.AFFINE, op.DENSE, op.DENSE_SKINNY, op.DENSE_DX, op.ACTIVATION, op.ACTIVATION_BACKWARD, op.SOFTMAX,
    op.SOFTMAX_BACKWARD, op.DROPOUT, op.LAYER_NORM, op.LAYER_NORM_DX, op.ADD, op.COPY_CHANNELS, op.LOSS, op.CONV,
    op.CONV_BACKWARD, op.EPILOGUE, op.EPILOGUE_BACKWARD, op.IMAGE_STATISTICS, op.BATCH_NORM_SUMS, op.AVERAGE_POOL,
    op.AVERAGE_POOL_BACKWARD, op.RECURRENT, op.RECURRENT_BACKWARD, op.DENSE_BFLOAT16, op.DENSE_DX_BFLOAT16,
})  # fmt: skip
OF_WEIGHTS = frozenset({
    op.DENSE_TRANSPOSE, op.ROTATE_WEIGHTS, op.WINOGRAD_WEIGHTS, op.WINOGRAD_ROTATED, op.RECURRENT_PANELS,
    op.RECURRENT_PAIRS, op.PAIR_WEIGHTS, op.PAIR_ROTATED,
})  # fmt: skip
KNOWN = OF_IMAGES | OF_WEIGHTS | JOINTS.keys() | GRADIENTS.keys()


@dataclass
class _Builder:
    """Collects the instructions of a rank."""

    records: bytearray
    code: list[tuple[int, int]] = field(default_factory=list)
    gathers: list[Gather] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)

    def emit(self, opcode: int, **operands: int) -> None:
        self.code.append((opcode, len(self.records)))
        self.records += RECORDS[opcode].pack(operands)

    def begin(self, wanted: Sequence[Gather], *, at_once: bool = False) -> None:
        """Begin those gathers that have not begun; `at_once`: and wait for them."""
        new = [gather for gather in wanted if gather not in self.gathers]
        for gather in new:
            self.gathers.append(gather)
            if gather.partitions:
                self.emit(op.SUM_OWN_PARTS, partial=gather.at, size=gather.width, partitions=gather.partitions)
        numbers = tuple(map(self.gathers.index, new))
        if numbers:
            self.exchange(Exchange(numbers, numbers if at_once else ()))

    def exchange(self, exchange: Exchange) -> None:
        self.emit(op.EXCHANGE, number=len(self.exchanges))
        self.exchanges.append(exchange)


def share(program: Program) -> SharedProgram:
    """A program that trains, as the ranks run it together."""
    out = _Builder(bytearray(program.records))
    gradients: list[tuple[int, int]] = []
    loaded: set[int] = set()  # where each rank brings all images by itself
    for opcode, at in program.code.tolist():
        if opcode not in KNOWN:
            raise LookupError(f"how ranks share the operation {opcode} is not known")
        kind = RECORDS[opcode].dtype
        record = program.records[at : at + kind.itemsize].view(kind)[0]
        if opcode == op.LOAD and record["x"] == INPUT:
            loaded.add(int(record["y"]))
        needs = {**JOINTS, **GRADIENTS}.get(opcode)
        if needs is not None:
            wanted = [gather for gather in needs(record) if gather.at not in loaded]
            out.begin(wanted, at_once=opcode in JOINTS)
        (gradients if opcode in GRADIENTS else out.code).append((opcode, at))
        if opcode == op.LOSS:
            out.begin([Gather(LOSSES, 2)])
    ended = {number for exchange in out.exchanges for number in exchange.end}
    out.exchange(Exchange(end=tuple(number for number in range(len(out.gathers)) if number not in ended)))
    records = aligned_bytes(out.records)
    code = np.array(out.code + gradients, dtype=np.int64)
    return SharedProgram(replace(program, code=code, records=records), tuple(out.gathers), tuple(out.exchanges))


def cuts(images: int, ranks: int, partitions: frozenset[int]) -> list[int]:
    """Where each rank's images begin in a mini-batch, and the end: near equal shares, of whole partitions of every layer.

    Where there are fewer partitions than ranks, some ranks have no images.
    """
    possible = set(range(images + 1))
    for count in partitions:
        possible &= {images * part // count for part in range(count + 1)}
    return [min(possible, key=lambda cut: (abs(cut * ranks - images * rank), cut)) for rank in range(ranks + 1)]


def nodes(gather: Gather, images: int, low: int, high: int) -> tuple[int, int]:
    """Of the images low … high of a rank: the first float that it sends, counted from `at`, and how many.

    Of partial sums: from the first to the last node of the tree that lies in its parts and in no larger such node.
    """
    if not gather.partitions:
        return low * gather.width, (high - low) * gather.width
    first, end = (-(-image * gather.partitions // images) for image in (low, high))
    last = part = first
    while part < end:
        last, size = part, 1
        while part % (2 * size) == 0 and min(part + 2 * size, gather.partitions) <= end and part + size < gather.partitions:
            size *= 2
        part += size
    return first * gather.width, (last + 1 - first) * gather.width if end > first else 0
