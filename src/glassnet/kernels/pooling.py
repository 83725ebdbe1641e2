"""Pooling of images in NHWC: the largest of each window, a register of channels at a time, and means of windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import int64, void
from numba.core import cgutils

from glassnet.kernels import records
from glassnet.kernels.codegen.addresses import floats_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.codegen.record_at import record_at
from glassnet.kernels.codegen.simd import I32, I64, VECTOR, ZEROS, Emitter
from glassnet.kernels.conv.channels import each_register, intrinsic_of, scaled, variable
from glassnet.kernels.sizes import LANES

INTEGERS = ir.VectorType(I32, LANES)
F = np.float32
_pool_at, _average_at = record_at(records.PoolShape), record_at(records.AveragePool)
_average_backward_at = record_at(records.AveragePoolBackward)


def _window(
    builder: ir.IRBuilder,
    at: ir.Value,
    line: ir.Value,
    pixel: ir.Value,
    rows: ir.Value,
    columns: ir.Value,
    width: ir.Value,
    place: ir.Value,
    body: Callable[[ir.Value, ir.Value], None],
) -> None:
    """Emit `body(address, place as a register of integers)` for each pixel of a window; distances in floats.

    The most frequent windows, of 2 × 2 pixels, have no loops.
    """

    def one(row: ir.Value, column: ir.Value) -> None:
        address = builder.add(at, builder.mul(I64(4), builder.add(builder.mul(row, line), builder.mul(column, pixel))))
        here = builder.add(place, builder.add(builder.mul(row, width), column))
        body(address, Emitter(builder).splat(builder.trunc(here, I32)))

    is_square = builder.and_(*(builder.icmp_signed("==", size, I64(2)) for size in (rows, columns)))
    with builder.if_else(is_square) as (square, other):
        with square:
            for row in range(2):
                for column in range(2):
                    one(I64(row), I64(column))
        with (
            other,
            cgutils.for_range(builder, rows, intp=I64) as row,
            cgutils.for_range(builder, columns, intp=I64) as column,
        ):
            one(row.index, column.index)


def _make_largest(normalised: bool) -> Any:
    def emit_body(
        emit: Emitter,
        y: ir.Value,
        line: ir.Value,
        rows: ir.Value,
        columns: ir.Value,
        width: ir.Value,
        place: ir.Value,
        channels: ir.Value,
        mean: ir.Value,
        gain: ir.Value,
        shift: ir.Value,
        out: ir.Value,
        argmax: ir.Value,
    ) -> None:
        builder = emit.builder

        def register(offset: ir.Value, mask: ir.Value) -> None:
            terms = [emit.load(builder.add(at, offset)) for at in (mean, gain, shift)] if normalised else []

            def value_at(address: ir.Value) -> ir.Value:
                value = emit.load(address)
                return scaled(emit, value, *terms) if normalised else value

            first = builder.add(y, offset)
            best = variable(builder, value_at(first))
            where = variable(builder, emit.splat(builder.trunc(place, I32)))

            def pixel(address: ir.Value, here: ir.Value) -> None:
                value = value_at(address)
                above = builder.fcmp_ordered(">", value, builder.load(best))
                builder.store(builder.select(above, value, builder.load(best)), best)
                builder.store(builder.select(above, here, builder.load(where)), where)

            _window(builder, first, line, channels, rows, columns, width, place, pixel)
            emit.store_masked(builder.load(best), builder.add(out, offset), mask)
            emit.store_masked(builder.bitcast(builder.load(where), VECTOR), builder.add(argmax, offset), mask)

        each_register(emit, channels, register)

    return intrinsic_of(emit_body)


def _make_unpool(normalised: bool) -> Any:
    def emit_body(
        emit: Emitter,
        g: ir.Value,
        argmax: ir.Value,
        dy: ir.Value,
        line: ir.Value,
        pixel: ir.Value,
        rows: ir.Value,
        columns: ir.Value,
        width: ir.Value,
        place: ir.Value,
        channels: ir.Value,
        fresh: ir.Value,
        a: ir.Value,
    ) -> None:
        builder = emit.builder
        is_fresh = builder.icmp_signed("!=", fresh, I64(0))

        def register(offset: ir.Value, mask: ir.Value) -> None:
            gradient = emit.load(builder.add(g, offset))
            where = builder.bitcast(emit.load(builder.add(argmax, offset)), INTEGERS)
            if normalised:
                gradient = builder.fmul(gradient, emit.load(builder.add(a, offset)))

            def share(address: ir.Value, here: ir.Value) -> None:
                value = builder.select(builder.icmp_signed("==", where, here), gradient, ZEROS)
                before = builder.select(is_fresh, ZEROS, emit.load(address))
                emit.store_masked(builder.fadd(value, before), address, mask)

            _window(builder, builder.add(dy, offset), line, pixel, rows, columns, width, place, share)

        each_register(emit, channels, register)

    return intrinsic_of(emit_body)


def _emit_argmax_product(
    emit: Emitter,
    g: ir.Value,
    argmax: ir.Value,
    y: ir.Value,
    line: ir.Value,
    rows: ir.Value,
    columns: ir.Value,
    width: ir.Value,
    place: ir.Value,
    channels: ir.Value,
    mean: ir.Value,
    total: ir.Value,
) -> None:
    builder = emit.builder

    def register(offset: ir.Value, mask: ir.Value) -> None:
        where = builder.bitcast(emit.load(builder.add(argmax, offset)), INTEGERS)
        there = variable(builder, ZEROS)

        def look(address: ir.Value, here: ir.Value) -> None:
            value = builder.select(builder.icmp_signed("==", where, here), emit.load(address), builder.load(there))
            builder.store(value, there)

        _window(builder, builder.add(y, offset), line, channels, rows, columns, width, place, look)
        away = builder.fsub(builder.load(there), emit.load(builder.add(mean, offset)))
        sums = builder.add(total, offset)
        emit.store_masked(emit.multiply_add(emit.load(builder.add(g, offset)), away, emit.load(sums)), sums, mask)

    each_register(emit, channels, register)


# The largest of a window, and its place: (y, line, rows, columns, width, place, channels, mean, gain, shift, out, argmax).
# `place` is the number of the first pixel; it grows by 1 along a row, by `width` from row to row; distances in floats.
largest, largest_normalised = _make_largest(False), _make_largest(True)
# dy ⊕ g (· a) at the argmax place: (g, argmax, dy, line, pixel, rows, columns, width, place, channels, fresh, a).
unpool, unpool_scaled = _make_unpool(False), _make_unpool(True)
# total += g·(y − mean), y at the argmax place: (g, argmax, y, line, rows, columns, width, place, channels, mean, total).
argmax_product = intrinsic_of(_emit_argmax_product)


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
        dx = floats_at(x_at, pool.height * width * channels)
        for i in range(dx.size):
            dx[i] = F(0)
    for py in range(pool.out_height):
        y0, y1, _ = window_rows(pool, py)
        for px in range(pool.out_width):
            x0, x1, _ = window_columns(pool, px)
            share = F(1.0 / ((y1 - y0) * (x1 - x0)))
            y = floats_at(y_at + 4 * (py * pool.out_width + px) * channels, channels)
            if not backward:
                for f in range(channels):
                    y[f] = F(0)
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
def _average_images(ctx, at, pool, x, y, backward):
    """`at`: of a record that begins with the shape of the pooling."""
    size, out_size = pool.height * pool.width * pool.channels, pool.out_height * pool.out_width * pool.channels
    for image in range(ctx.low, ctx.high):
        x_at, y_at = ctx.workspace + 4 * (x + image * size), ctx.workspace + 4 * (y + image * out_size)
        average_windows(at, x_at, y_at, int64(backward))


@compiled
def average_pool(ctx, at):
    op = _average_at(at)
    _average_images(ctx, at, op.pool, op.x, op.y, False)


@compiled
def average_pool_backward(ctx, at):
    op = _average_backward_at(at)
    _average_images(ctx, at, op.pool, op.dx, op.dy, True)
