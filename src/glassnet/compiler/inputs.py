"""Flatten, Pixels, Scale and Standardize, lowered. The operation that reads the images applies their factor."""

from __future__ import annotations

import numpy as np

from glassnet.compiler.program_builder import Back, ParamOffsets, ProgramBuilder, Value, lower
from glassnet.kernels import opcodes as op
from glassnet.nn import Flatten, Pixels, Scale, Standardize
from glassnet.support.arrays import Array


@lower.register
def _(layer: Flatten, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    return x._replace(shape=(x.width,)), lambda dy, needs_dx: dy


@lower.register
def _(layer: Pixels, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    if x.raw:
        return x._replace(scale=x.scale / 255, raw=False), lambda dy, needs_dx: dy
    return x, lambda dy, needs_dx: dy


def _affine(x: Value, mean: Array, scale: Array, shift: Array, out: ProgramBuilder) -> tuple[Value, Back]:
    """(x − mean)·scale + shift"""
    x, y = out.loaded(x), out.rows(x.width)
    factor = out.constant(scale)
    out.emit(op.AFFINE, x=x.at, y=y, width=x.width, mean=out.constant(mean), scale=factor, shift=out.constant(shift))
    # The constants begin with zeros.
    return Value(y, x.shape), out.back(op.AFFINE, x.width, ("x", "y"), width=x.width, mean=0, scale=factor, shift=0)


@lower.register
def _(layer: Scale, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    if x.is_images and layer.offset == 0:
        return x._replace(scale=x.scale * layer.factor, raw=False), lambda dy, needs_dx: dy
    return _affine(x, np.zeros(x.width), np.full(x.width, layer.factor), np.full(x.width, layer.offset), out)


@lower.register
def _(layer: Standardize, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    mean, std = layer.statistics["mean"], layer.statistics["std"]
    rounded = mean.astype(np.float32)  # what it lacks of the mean goes into the shift
    return _affine(x, rounded, 1 / std, (rounded - mean) / std, out)
