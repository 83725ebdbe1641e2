"""Windows of images in NHWC, a register of channels at a time: the largest of each window, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from glassnet.kernels.codegen.simd import I32, I64, VECTOR, ZEROS, Emitter
from glassnet.kernels.conv.channels import each_register, intrinsic_of, scaled, variable
from glassnet.kernels.sizes import LANES

INTEGERS = ir.VectorType(I32, LANES)


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

    Windows of 2 × 2 pixels, of which most networks are made, have no loops.
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
        chosen: ir.Value,
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
            emit.store_masked(builder.bitcast(builder.load(where), VECTOR), builder.add(chosen, offset), mask)

        each_register(emit, channels, register)

    return intrinsic_of(emit_body)


def _make_unpool(normalised: bool) -> Any:
    def emit_body(
        emit: Emitter,
        g: ir.Value,
        chosen: ir.Value,
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
            where = builder.bitcast(emit.load(builder.add(chosen, offset)), INTEGERS)
            if normalised:
                gradient = builder.fmul(gradient, emit.load(builder.add(a, offset)))

            def share(address: ir.Value, here: ir.Value) -> None:
                value = builder.select(builder.icmp_signed("==", where, here), gradient, ZEROS)
                before = builder.select(is_fresh, ZEROS, emit.load(address))
                emit.store_masked(builder.fadd(value, before), address, mask)

            _window(builder, builder.add(dy, offset), line, pixel, rows, columns, width, place, share)

        each_register(emit, channels, register)

    return intrinsic_of(emit_body)


def _emit_picked(
    emit: Emitter,
    g: ir.Value,
    chosen: ir.Value,
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
        where = builder.bitcast(emit.load(builder.add(chosen, offset)), INTEGERS)
        picked = variable(builder, ZEROS)

        def look(address: ir.Value, here: ir.Value) -> None:
            value = builder.select(builder.icmp_signed("==", where, here), emit.load(address), builder.load(picked))
            builder.store(value, picked)

        _window(builder, builder.add(y, offset), line, channels, rows, columns, width, place, look)
        away = builder.fsub(builder.load(picked), emit.load(builder.add(mean, offset)))
        sums = builder.add(total, offset)
        emit.store_masked(emit.multiply_add(emit.load(builder.add(g, offset)), away, emit.load(sums)), sums, mask)

    each_register(emit, channels, register)


# The largest of a window, and its place: (y, line, rows, columns, width, place, channels, mean, gain, shift, out, chosen).
# `place` is the number of the first pixel; it grows by 1 along a row, by `width` from row to row; distances in floats.
largest, largest_normalised = _make_largest(False), _make_largest(True)
# dy ⊕ g (· a) at the chosen place: (g, chosen, dy, line, pixel, rows, columns, width, place, channels, fresh, a).
unpool, unpool_scaled = _make_unpool(False), _make_unpool(True)
# total += g·(y − mean), y at the chosen place: (g, chosen, y, line, rows, columns, width, place, channels, mean, total).
picked_product = intrinsic_of(_emit_picked)
