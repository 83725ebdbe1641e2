"""The program of a whole network: layers forward, the loss, layers backward."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import glassnet.compiler.activations
import glassnet.compiler.branches
import glassnet.compiler.dense
import glassnet.compiler.dropout
import glassnet.compiler.inputs
import glassnet.compiler.norm
import glassnet.compiler.pooling
import glassnet.compiler.recurrent  # noqa: F401  each module registers its lowerings
from glassnet.compiler.chain import is_known, lower_chain
from glassnet.compiler.program_builder import ParamOffsets, Program, ProgramBuilder, Range, Value
from glassnet.data.augmentation import Augmentation
from glassnet.kernels import kinds, opcodes as op
from glassnet.kernels.records import INPUT
from glassnet.nn import walk
from glassnet.nn.losses import BinaryCrossEntropy, Loss, Quadratic, SoftmaxCrossEntropy
from glassnet.nn.stack import Stack

PRECISIONS = FLOAT32, BFLOAT16 = "float32", "bfloat16"  # of products; sums, weights and all else are float32
INT8 = "int8"  # of the products of predictions
LOSS_KINDS: dict[type[Loss], int] = {
    Quadratic: kinds.QUADRATIC,
    BinaryCrossEntropy: kinds.BINARY_CROSS_ENTROPY,
    SoftmaxCrossEntropy: kinds.SOFTMAX_CROSS_ENTROPY,
}


def assemble(
    stack: Stack,
    capacity: int,
    *,
    is_bytes: bool,
    purpose: str,
    precision: str = FLOAT32,
    ranges: Mapping[int, Range] | None = None,
    many: bool = False,
    augmentation: Augmentation | None = None,
    image_shape: tuple[int, int, int] = (0, 0, 0),
) -> Program:
    """The program of a network that is to "train", to find "losses", "raw" outputs before the loss, or last "outputs".

    For "layers" each layer runs by itself up to the raw outputs, and `Program.seen` says where each one's output lies.
    For "show" each layer runs by itself: raw outputs, then loss and gradient as outside training (dropout off, running
    statistics), by the images too; `Program.seen` says where the gradient by each output lies, too.
    With an `augmentation`, the images, of `image_shape` (H, W, C), go through it first. `precision`: one of PRECISIONS.
    `ranges`: of the inputs of layers that may run in int8; `many`: images before the weights change (see ProgramBuilder).
    """
    fused = purpose not in ("show", "layers")
    halves = precision == BFLOAT16
    out = ProgramBuilder(stack, capacity, training=purpose == "train", fused=fused, bfloat16=halves, ranges=ranges, many=many)
    offsets: list[ParamOffsets] = [{} for _ in stack.layers]
    for slot in (*stack.slots, *stack.running_slots):
        offsets[slot.layer][slot.key] = slot.offset
    layers = stack.layers if purpose == "outputs" else stack.layers[: stack.layers_before_loss]
    images = Value(INPUT, stack.input_shape, raw=is_bytes)
    if augmentation is not None:
        images = _augmented(images, augmentation, image_shape, out)
    y, back = lower_chain(layers, offsets, images, out)
    z = out.loaded(y)
    if purpose in ("raw", "outputs", "show", "layers"):
        out.emit(op.OUTPUT, z=z.at, outputs=z.width, threshold=stack.threshold)
    if purpose in ("raw", "outputs", "layers"):
        return out.program()
    dz, targets = out.rows(z.width), out.rows(z.width)
    out.emit(
        op.LOSS, z=z.at, dz=dz, targets=targets, outputs=z.width, kind=LOSS_KINDS[type(stack.loss)],
        smoothing=stack.loss.smoothing, threshold=stack.threshold,
    )  # fmt: skip
    if purpose in ("train", "show"):
        out.input_gradient = back(dz, purpose == "show")
    return out.program()


def _augmented(images: Value, augmentation: Augmentation, shape: tuple[int, int, int], out: ProgramBuilder) -> Value:
    """The images (H, W, C), each under a random transform, still in their own range."""
    height, width, channels = shape
    y, out.augmented = out.rows(images.width), True
    out.scratch_bytes = max(out.scratch_bytes, augmentation.scratch(shape))
    out.emit(
        op.AUGMENT, options=augmentation.record[0], x=images.at, y=y, height=height, width=width, channels=channels,
        key=out.random_key(),
    )  # fmt: skip
    return images._replace(at=y, augmented=True)


def can_lower(stack: Stack) -> bool:
    """Whether the kernels know every layer, and the loss, of a float32 network of flat outputs."""
    return (
        stack.dtype == np.float32
        and len(stack.shapes[-1]) == 1
        and type(stack.loss) in LOSS_KINDS
        and all(map(is_known, walk(stack.layers)))
    )
