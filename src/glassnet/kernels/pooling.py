"""Pooling of images in NHWC: the largest of each window, a register of channels at a time, and means of windows."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import int64, void
from numba.core import cgutils

from glassnet.kernels import records
from glassnet.kernels.codegen.addresses import clear, floats_at, record_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.codegen.simd import I32, I64, VECTOR, ZEROS, emitted
from glassnet.kernels.conv.channels import each_register, scaled
from glassnet.kernels.sizes import LANES

INTEGERS = ir.VectorType(I32, LANES)
F = np.float32
_pool_at, _average_at = record_at(records.PoolShape), record_at(records.AveragePool)


def _each_in_window(emit, at, line, pixel, rows, columns, width, place, body):
    """Emit `body(address, place as a register of integers)` for each pixel of a window; distances in floats.

    `place` is the number of the first pixel; it grows by 1 along a row, by `width` from row to row. The most frequent
    windows, of 2 × 2 pixels, have no loops.
    """
    builder = emit.builder

    def one(row, column):
        address = builder.add(at, builder.mul(I64(4), builder.add(builder.mul(row, line), builder.mul(column, pixel))))
        here = builder.add(place, builder.add(builder.mul(row, width), column))
        body(address, emit.splat(builder.trunc(here, I32)))

    is_square = builder.and_(*(builder.icmp_signed("==", size, I64(2)) for size in (rows, columns)))
    with builder.if_else(is_square) as (square, other):
        with square:
            for row, column in np.ndindex(2, 2):
                one(I64(row), I64(column))
        with (
            other,
            cgutils.for_range(builder, rows, intp=I64) as row,
            cgutils.for_range(builder, columns, intp=I64) as column,
        ):
            one(row.index, column.index)


@emitted()
def largest(emit, y, line, rows, columns, width, place, channels, mean, gain, shift, out, argmax):
    """The largest of a window of (y − mean)·gain + shift, or of y if `gain` is 0, and its place."""
    builder = emit.builder

    def emit_form(normalised):
        def register(offset, mask):
            terms = [emit.load(builder.add(at, offset)) for at in (mean, gain, shift)] if normalised else []

            def value_at(address):
                value = emit.load(address)
                return scaled(emit, value, *terms) if normalised else value

            first = builder.add(y, offset)
            best, where = emit.variable(value_at(first)), emit.variable(emit.splat(builder.trunc(place, I32)))

            def compare(address, here):
                value = value_at(address)
                above = builder.fcmp_ordered(">", value, builder.load(best))
                builder.store(builder.select(above, value, builder.load(best)), best)
                builder.store(builder.select(above, here, builder.load(where)), where)

            _each_in_window(emit, first, line, channels, rows, columns, width, place, compare)
            emit.store_masked(builder.load(best), builder.add(out, offset), mask)
            emit.store_masked(builder.bitcast(builder.load(where), VECTOR), builder.add(argmax, offset), mask)

        each_register(emit, channels, register)

    emit.either(gain, emit_form)


@emitted()
def unpool(emit, g, argmax, dy, line, pixel, rows, columns, width, place, channels, fresh, a):
    """dy += a·g at the argmax pixel of a window, a = 1 if its address is 0; `fresh`: dy is set, and 0 at other pixels."""
    builder = emit.builder
    is_fresh = builder.icmp_signed("!=", fresh, I64(0))

    def emit_form(normalised):
        def register(offset, mask):
            gradient = emit.load(builder.add(g, offset))
            where = builder.bitcast(emit.load(builder.add(argmax, offset)), INTEGERS)
            if normalised:
                gradient = builder.fmul(gradient, emit.load(builder.add(a, offset)))

            def share(address, here):
                value = builder.select(builder.icmp_signed("==", where, here), gradient, ZEROS)
                before = builder.select(is_fresh, ZEROS, emit.load(address))
                emit.store_masked(builder.fadd(value, before), address, mask)

            _each_in_window(emit, builder.add(dy, offset), line, pixel, rows, columns, width, place, share)

        each_register(emit, channels, register)

    emit.either(a, emit_form)


@emitted()
def argmax_product(emit, g, argmax, y, line, rows, columns, width, place, channels, mean, total):
    """total += g·(y − mean), y at the argmax pixel of a window."""
    builder = emit.builder

    def register(offset, mask):
        where = builder.bitcast(emit.load(builder.add(argmax, offset)), INTEGERS)
        there = emit.variable(ZEROS)

        def look(address, here):
            value = builder.select(builder.icmp_signed("==", where, here), emit.load(address), builder.load(there))
            builder.store(value, there)

        _each_in_window(emit, builder.add(y, offset), line, channels, rows, columns, width, place, look)
        away = builder.fsub(builder.load(there), emit.load(builder.add(mean, offset)))
        sums = builder.add(total, offset)
        emit.store_masked(emit.multiply_add(emit.load(builder.add(g, offset)), away, emit.load(sums)), sums, mask)

    each_register(emit, channels, register)


@compiled
def window_rows(pool, py):
    """Of the windows in row `py` of the pooled image: the first row of the image, the end, and how many stick out above."""
    top = py * pool.stride_y - pool.top
    first = max(0, top)
    return first, min(pool.height, top + pool.window_height), first - top


@compiled
def window_columns(pool, px):
    """The same across."""
    left = px * pool.stride_x - pool.left
    first = max(0, left)
    return first, min(pool.width, left + pool.window_width), first - left


@outlined(void(*[int64] * 4))
def average_windows(pool_at, x_at, y_at, backward):
    """y = the mean of each window of one image; `backward`: x_at is dx, set from dy at y_at."""
    pool = _pool_at(pool_at)
    channels, width = pool.channels, pool.width
    if backward:
        clear(x_at, pool.height * width * channels)
    for py in range(pool.out_height):
        y0, y1, _ = window_rows(pool, py)
        for px in range(pool.out_width):
            x0, x1, _ = window_columns(pool, px)
            share = F(1.0 / ((y1 - y0) * (x1 - x0)))
            pixel_at = y_at + 4 * (py * pool.out_width + px) * channels
            y = floats_at(pixel_at, channels)
            if not backward:
                clear(pixel_at, channels)
            for i in range(y0, y1):
                for j in range(x0, x1):
                    x = floats_at(x_at + 4 * (i * width + j) * channels, channels)
                    if backward:
                        for f in range(channels):
                            x[f] += share * y[f]
                    else:
                        for f in range(channels):
                            y[f] += x[f]
            if not backward:
                for f in range(channels):
                    y[f] *= share


@compiled
def average_pool(ctx, at, backward):
    """`backward`: `x` of the record is dx, `y` dy."""
    op = _average_at(at)
    pool = op.pool
    size, out_size = pool.height * pool.width * pool.channels, pool.out_height * pool.out_width * pool.channels
    for image in range(ctx.low, ctx.high):
        x_at, y_at = ctx.workspace + 4 * (op.x + image * size), ctx.workspace + 4 * (op.y + image * out_size)
        average_windows(at, x_at, y_at, int64(backward))
