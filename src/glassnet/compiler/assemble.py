"""The program of a whole network: layers forward, the cost, layers backward."""

from __future__ import annotations

import numpy as np

import glassnet.compiler.branches
import glassnet.compiler.dense
import glassnet.compiler.norm
import glassnet.compiler.recurrent  # noqa: F401  these fill `lower`
from glassnet.compiler.chain import lower_chain
from glassnet.compiler.program_builder import Assembler, Places, Program, Value
from glassnet.data.augmentation import Augmentation
from glassnet.kernels import opcodes as op
from glassnet.nn.stack import Stack


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

    With an `augmentation`, the images, of `shape` (H, W, C), go through it first.
    """
    return _lowered(stack, capacity, is_bytes, purpose, augmentation, shape).program()


def _lowered(
    stack: Stack, capacity: int, is_bytes: bool, purpose: str, augmentation: Augmentation | None, shape: tuple[int, int, int]
) -> Assembler:
    """All instructions of the program, before there is any room for it."""
    out = Assembler(stack, capacity, purpose == "train")
    places: list[Places] = [{} for _ in stack.layers]
    for slot in (*stack.slots, *stack.running_slots):
        places[slot.layer][slot.key] = slot.offset
    layers = stack.layers if purpose == "outputs" else stack.layers[: stack.raw]
    images = Value(op.INPUT, stack.input_shape, raw=is_bytes)
    if augmentation is not None:
        images = out.augment(images, augmentation, shape)
    chain = lower_chain(layers, places, images, out)
    x = out.loaded(chain.y)
    if purpose in ("raw", "outputs"):
        out.emit(op.OUTPUT, x.at, 0, x.width)
        return out
    dy = out.rows(x.width)
    out.emit(op.COST, x.at, dy, x.width, a=stack.loss.code, b=out.rows(x.width))
    if purpose == "train":
        chain.back(dy, False)
    return out


def can_lower(stack: Stack) -> bool:
    """Whether the kernels know every layer of a float32 network of flat outputs."""
    if stack.dtype != np.float32 or len(stack.shapes[-1]) != 1:
        return False
    try:
        for purpose in ("train", "outputs"):
            _lowered(stack, 1, False, purpose, None, (0, 0, 0))
    except LookupError:
        return False
    return True
