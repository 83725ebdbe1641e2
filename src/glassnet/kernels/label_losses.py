"""Softmax and cross-entropy of labels for as many images as a register has lanes: one class of all of them at a time.

Ten outputs fill no register, and the sums and comparisons of one image wait for each other; those of many images don't. The
bits of dz are those of `losses.py`, which takes one image after the other, with targets, smoothing or more classes.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import int64

from glassnet.kernels.activations import exponentials, log
from glassnet.kernels.codegen.addresses import doubles_at, floats_at, integers_at
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.codegen.simd import I64, emitted
from glassnet.kernels.matmul.pack import transpose_square
from glassnet.kernels.sizes import LANES

F = np.float32
MOST_CLASSES = 128  # whose columns stay in the first-level cache
COLUMN = 4 * LANES  # bytes of one output of all images
_DOUBLES, _NUMBERS = ir.VectorType(ir.DoubleType(), LANES), ir.VectorType(I64, LANES)
_TOTALS_AT, _CLASSES_AT, _COLUMNS_AT = COLUMN, 3 * COLUMN, 5 * COLUMN  # in a thread's scratch, behind the factors


@emitted()
def _subtract_highest(emit, columns, width, classes):
    """Subtract from each image's outputs the highest of them; the place of the first such in `classes`."""
    builder = emit.builder
    highest, place = emit.variable(emit.load(columns)), emit.variable(ir.Constant(_NUMBERS, [0] * LANES))

    def compare(j):
        z, before = emit.load(builder.add(columns, builder.mul(j, I64(COLUMN)))), builder.load(highest)
        above = builder.fcmp_ordered(">", z, before)
        builder.store(builder.select(above, z, before), highest)
        builder.store(builder.select(above, emit.splat(j), builder.load(place)), place)

    def subtract(j):
        at = builder.add(columns, builder.mul(j, I64(COLUMN)))
        emit.store(builder.fsub(emit.load(at), builder.load(highest)), at)

    emit.each(width, compare)
    emit.each(width, subtract)
    builder.store(builder.load(place), emit.pointer(classes, _NUMBERS), align=8)


@emitted()
def _normalize(emit, columns, width, totals):
    """Divide each image's numbers by their sum, taken in double precision one after the other; the sum in `totals`."""
    builder = emit.builder
    total = emit.variable(ir.Constant(_DOUBLES, [0.0] * LANES))

    def add(j):
        y = emit.load(builder.add(columns, builder.mul(j, I64(COLUMN))))
        builder.store(builder.fadd(builder.load(total), builder.fpext(y, _DOUBLES)), total)

    emit.each(width, add)
    scale = builder.fptrunc(builder.fdiv(ir.Constant(_DOUBLES, [1.0] * LANES), builder.load(total)), emit.vector)

    def multiply(j):
        at = builder.add(columns, builder.mul(j, I64(COLUMN)))
        emit.store(builder.fmul(emit.load(at), scale), at)

    emit.each(width, multiply)
    builder.store(builder.load(total), emit.pointer(totals, _DOUBLES), align=8)


@emitted()
def _store_rows(emit, columns, factors, images, places, rows, stride):
    """The first `places` numbers of LANES columns, as rows `stride` bytes apart, each times its factor: those of `images`."""
    builder = emit.builder
    for r, row in enumerate(emit.transpose([emit.load(builder.add(columns, I64(COLUMN * k))) for k in range(LANES)])):
        with builder.if_then(builder.icmp_signed("<", I64(r), images)):
            factor = builder.load(emit.pointer(builder.add(factors, I64(4 * r)), emit.vector.element))
            target = builder.add(rows, builder.mul(stride, I64(r)))
            emit.store_masked(builder.fmul(row, emit.splat(factor)), target, emit.lanes_before(places, 0))


@compiled
def _logarithms(y):
    for i in range(y.size):
        y[i] = log(y[i])


@compiled
def label_losses(ctx, op, first, count):
    """Loss, class and dz of `count` images, LANES at most, from the image `first` of the mini-batch on."""
    width, scratch, place = op.outputs, ctx.scratch, ctx.first + first
    z_at, dz_at = ctx.workspace + 4 * (op.z + first * width), ctx.workspace + 4 * (op.dz + first * width)
    totals_at, best_at, columns = scratch + _TOTALS_AT, scratch + _CLASSES_AT, scratch + _COLUMNS_AT
    for k in range(0, width, LANES):
        transpose_square(z_at + 4 * k, 4 * width, count - 1, columns + COLUMN * k, int64(COLUMN))
    y, z = floats_at(columns, LANES * width), floats_at(z_at, count * width)
    _subtract_highest(columns, width, best_at)
    exponentials(y)
    _normalize(columns, width, totals_at)
    totals, best, factors = doubles_at(totals_at, LANES), integers_at(best_at, LANES), floats_at(scratch, LANES)
    order, found = integers_at(ctx.order + 8 * place, count), doubles_at(ctx.losses + 8 * place, count)
    classes = integers_at(ctx.classes + 8 * place, count)
    _logarithms(totals)
    for i in range(count):
        weight = doubles_at(ctx.weights + 8 * order[i], 1)[0] if ctx.weights else 1.0
        label, classes[i] = integers_at(ctx.labels + 8 * order[i], 1)[0], best[i]
        below = np.float64(z[i * width + label]) - np.float64(z[i * width + best[i]])
        found[i], factors[i] = weight * (totals[i] - below), F(weight / ctx.images_in_batch)
        y[LANES * label + i] -= F(1)
    for k in range(0, width, LANES):
        _store_rows(columns + COLUMN * k, scratch, count, width - k, dz_at + 4 * k, 4 * width)
