"""Loops over the pixels of a picture in NHWC that keep a register of channels at a time, however many channels there are.

LLVM's own vectors of such loops are longer than most pictures have channels. Registers are read whole, also past the last
channel (buffers carry `PADDING`), and written under a mask.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from glassnet.kernels.simd import I32, I64, VECTOR, ZEROS, Emitter
from glassnet.kernels.sizes import LANES

INTEGERS = ir.VectorType(I32, LANES)
CHAINS = 4  # sums at a time, so that one addition need not wait for the other


def each_register(emit: Emitter, channels: ir.Value, body: Callable[[ir.Value, ir.Value], None]) -> None:
    """Emit `body(offset in bytes, mask)` for each register that the channels fill."""
    builder = emit.builder
    count = builder.sdiv(builder.add(channels, I64(LANES - 1)), I64(LANES))
    with cgutils.for_range(builder, count, intp=I64) as loop:
        before = builder.mul(loop.index, I64(LANES))
        body(builder.mul(before, I64(4)), emit.lanes_before(builder.sub(channels, before), 0))


def _variable(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    place = cgutils.alloca_once(builder, value.type)
    builder.store(value, place)
    return place


def intrinsic_of(emit_body: Callable[..., None]) -> Any:
    """An intrinsic of 64-bit integers, addresses and lengths, without a result, whose code `emit_body` emits."""

    def call(_typing: Any, *arguments: Any) -> Any:
        def codegen(context: Any, builder: ir.IRBuilder, _signature: Any, args: Sequence[ir.Value]) -> ir.Value:
            emit_body(Emitter(builder), *args)
            return context.get_dummy_value()

        return types.void(*[types.int64] * len(arguments)), codegen

    call.__signature__ = inspect.signature(emit_body)  # type: ignore[attr-defined]  # Numba wants to see them one by one
    return intrinsic(call)


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
        gain: ir.Value,
        shift: ir.Value,
        out: ir.Value,
        chosen: ir.Value,
    ) -> None:
        builder = emit.builder

        def register(offset: ir.Value, mask: ir.Value) -> None:
            factor, term = (emit.load(builder.add(at, offset)) for at in (gain, shift)) if normalised else (None, None)

            def value_at(address: ir.Value) -> ir.Value:
                value = emit.load(address)
                return emit.multiply_add(value, factor, term) if normalised else value

            first = builder.add(y, offset)
            best = _variable(builder, value_at(first))
            where = _variable(builder, emit.splat(builder.trunc(place, I32)))

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
        picked = _variable(builder, ZEROS)

        def look(address: ir.Value, here: ir.Value) -> None:
            value = builder.select(builder.icmp_signed("==", where, here), emit.load(address), builder.load(picked))
            builder.store(value, picked)

        _window(builder, builder.add(y, offset), line, channels, rows, columns, width, place, look)
        away = builder.fsub(builder.load(picked), emit.load(builder.add(mean, offset)))
        sums = builder.add(total, offset)
        emit.store_masked(emit.multiply_add(emit.load(builder.add(g, offset)), away, emit.load(sums)), sums, mask)

    each_register(emit, channels, register)


def _each_pixel(emit: Emitter, pixels: ir.Value, body: Callable[[ir.Value, int], None]) -> None:
    """Emit `body(number of the pixel, which of CHAINS)` for all pixels, CHAINS of them a turn."""
    builder = emit.builder
    turns = builder.sdiv(pixels, I64(CHAINS))
    with cgutils.for_range(builder, turns, intp=I64) as loop:
        first = builder.mul(loop.index, I64(CHAINS))
        for chain in range(CHAINS):
            body(builder.add(first, I64(chain)), chain)
    done = builder.mul(turns, I64(CHAINS))
    with cgutils.for_range(builder, builder.sub(pixels, done), intp=I64) as loop:
        body(builder.add(done, loop.index), 0)


def _make_sum(about: bool, weighted: bool) -> Any:
    """total += Σ y; `about`: Σ (y − mean)²; `weighted`: Σ g·(y − mean)."""

    def emit_body(
        emit: Emitter,
        pixels: ir.Value,
        pixel: ir.Value,
        channels: ir.Value,
        y: ir.Value,
        mean: ir.Value,
        g: ir.Value,
        total: ir.Value,
    ) -> None:
        builder = emit.builder
        step = builder.mul(pixel, I64(4))

        def register(offset: ir.Value, mask: ir.Value) -> None:
            sums = [_variable(builder, ZEROS) for _ in range(CHAINS)]
            middle = emit.load(builder.add(mean, offset)) if about or weighted else None

            def add(number: ir.Value, chain: int) -> None:
                at = builder.add(builder.mul(number, step), offset)
                value, before = emit.load(builder.add(y, at)), builder.load(sums[chain])
                if middle is None:
                    builder.store(builder.fadd(before, value), sums[chain])
                    return
                away = builder.fsub(value, middle)
                factor = emit.load(builder.add(g, at)) if weighted else away
                builder.store(emit.multiply_add(factor, away, before), sums[chain])

            _each_pixel(emit, pixels, add)
            place = builder.add(total, offset)
            value = emit.load(place)
            for chain in sums:
                value = builder.fadd(value, builder.load(chain))
            emit.store_masked(value, place, mask)

        each_register(emit, channels, register)

    return intrinsic_of(emit_body)


def _make_blend(two: bool) -> Any:
    """out = y·gain + shift; `two`: out = g·a + y·gain + shift."""

    def emit_body(
        emit: Emitter,
        pixels: ir.Value,
        channels: ir.Value,
        y: ir.Value,
        gain: ir.Value,
        shift: ir.Value,
        out: ir.Value,
        out_pixel: ir.Value,
        g: ir.Value,
        a: ir.Value,
    ) -> None:
        builder = emit.builder

        def register(offset: ir.Value, mask: ir.Value) -> None:
            factor, term = emit.load(builder.add(gain, offset)), emit.load(builder.add(shift, offset))
            share = emit.load(builder.add(a, offset)) if two else None

            def blend(number: ir.Value, _chain: int) -> None:
                at = builder.add(builder.mul(number, builder.mul(channels, I64(4))), offset)
                value = emit.multiply_add(emit.load(builder.add(y, at)), factor, term)
                if share is not None:
                    value = emit.multiply_add(emit.load(builder.add(g, at)), share, value)
                target = builder.add(out, builder.add(builder.mul(number, builder.mul(out_pixel, I64(4))), offset))
                emit.store_masked(value, target, mask)

            _each_pixel(emit, pixels, blend)

        each_register(emit, channels, register)

    return intrinsic_of(emit_body)


# The largest of a window, and its place: (y, line, rows, columns, width, place, channels, gain, shift, out, chosen).
# `place` is the number of the first pixel; it grows by 1 along a row, by `width` from row to row; distances in floats.
largest, largest_normalised = _make_largest(False), _make_largest(True)
# dy ⊕ g (· a) at the chosen place: (g, chosen, dy, line, pixel, rows, columns, width, place, channels, fresh, a).
unpool, unpool_scaled = _make_unpool(False), _make_unpool(True)
# total += g·(y − mean), y at the chosen place: (g, chosen, y, line, rows, columns, width, place, channels, mean, total).
picked_product = intrinsic_of(_emit_picked)
# total += Σ y, Σ (y − mean)², Σ g·(y − mean): (pixels, pixel, channels, y, mean, g, total).
channel_sum, squares_about, products_about = _make_sum(False, False), _make_sum(True, False), _make_sum(False, True)
# out = y·gain + shift, out = g·a + y·gain + shift: (pixels, channels, y, gain, shift, out, out_pixel, g, a).
scale_shift, blend = _make_blend(False), _make_blend(True)
