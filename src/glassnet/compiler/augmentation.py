"""Augmentation, lowered: the images go through it before the first layer."""

from __future__ import annotations

from dataclasses import replace

from glassnet.compiler.program_builder import ProgramBuilder, Value
from glassnet.data.augmentation import Augmentation
from glassnet.kernels import opcodes as op


def augmented(images: Value, augmentation: Augmentation, shape: tuple[int, int, int], out: ProgramBuilder) -> Value:
    """The images (H, W, C), each under a random transform, still in their own range."""
    height, width, channels = shape
    y, out.augmented = out.rows(images.width), True
    out.scratch_bytes = max(out.scratch_bytes, augmentation.scratch(shape))
    out.emit(
        op.AUGMENT, options=augmentation.record[0], x=images.at, y=y, height=height, width=width, channels=channels,
        key=out.random_key(),
    )  # fmt: skip
    return replace(images, at=y, augmented=True)
