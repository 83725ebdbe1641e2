"""Loops over the pixels of an image in NHWC that keep a register of channels at a time, however many channels there are.

LLVM's own vectors of such loops are longer than most images have channels. Registers are read whole, also past the last
channel (buffers carry `PADDING`), and written under a mask.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from glassnet.kernels.codegen.simd import I64, ZEROS, Emitter
from glassnet.kernels.sizes import LANES

CHAINS = 4  # sums at a time, so that one addition need not wait for the other


def each_register(emit: Emitter, channels: ir.Value, body: Callable[[ir.Value, ir.Value], None]) -> None:
    """Emit `body(offset in bytes, mask)` for each register that the channels fill."""
    builder = emit.builder
    count = builder.sdiv(builder.add(channels, I64(LANES - 1)), I64(LANES))
    with cgutils.for_range(builder, count, intp=I64) as loop:
        before = builder.mul(loop.index, I64(LANES))
        body(builder.mul(before, I64(4)), emit.lanes_before(builder.sub(channels, before), 0))


def variable(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
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

    call.__signature__ = inspect.signature(emit_body)  # type: ignore[attr-defined]  # Numba reads the parameters from it
    return intrinsic(call)


def scaled(emit: Emitter, y: ir.Value, mean: ir.Value, gain: ir.Value, shift: ir.Value) -> ir.Value:
    """(y − mean)·gain + shift: the difference first, so that values equal to their mean leave no rounding."""
    return emit.multiply_add(emit.builder.fsub(y, mean), gain, shift)


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


def _make_sum(weighted: bool) -> Any:
    """total += Σ y; `weighted`: Σ g·(y − mean)."""

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
            sums = [variable(builder, ZEROS) for _ in range(CHAINS)]
            middle = emit.load(builder.add(mean, offset)) if weighted else None

            def add(number: ir.Value, chain: int) -> None:
                at = builder.add(builder.mul(number, step), offset)
                value, before = emit.load(builder.add(y, at)), builder.load(sums[chain])
                if middle is None:
                    builder.store(builder.fadd(before, value), sums[chain])
                    return
                away = builder.fsub(value, middle)
                builder.store(emit.multiply_add(emit.load(builder.add(g, at)), away, before), sums[chain])

            _each_pixel(emit, pixels, add)
            _add_chains(emit, sums, builder.add(total, offset), mask)

        each_register(emit, channels, register)

    return intrinsic_of(emit_body)


def _add_chains(emit: Emitter, chains: Sequence[ir.Value], place: ir.Value, mask: ir.Value) -> None:
    value = emit.load(place)
    for chain in chains:
        value = emit.builder.fadd(value, emit.builder.load(chain))
    emit.store_masked(value, place, mask)


def _emit_deviations(
    emit: Emitter, pixels: ir.Value, channels: ir.Value, y: ir.Value, mean: ir.Value, rest: ir.Value, squares: ir.Value
) -> None:
    builder = emit.builder
    step = builder.mul(channels, I64(4))

    def register(offset: ir.Value, mask: ir.Value) -> None:
        plain, squared = ([variable(builder, ZEROS) for _ in range(CHAINS)] for _ in range(2))
        middle = emit.load(builder.add(mean, offset))

        def add(number: ir.Value, chain: int) -> None:
            away = builder.fsub(emit.load(builder.add(y, builder.add(builder.mul(number, step), offset))), middle)
            builder.store(builder.fadd(builder.load(plain[chain]), away), plain[chain])
            builder.store(emit.multiply_add(away, away, builder.load(squared[chain])), squared[chain])

        _each_pixel(emit, pixels, add)
        _add_chains(emit, plain, builder.add(rest, offset), mask)
        _add_chains(emit, squared, builder.add(squares, offset), mask)

    each_register(emit, channels, register)


def _make_blend(two: bool) -> Any:
    """out = (y − mean)·gain + shift; `two`: (g − middle)·a is added."""

    def emit_body(
        emit: Emitter,
        pixels: ir.Value,
        channels: ir.Value,
        y: ir.Value,
        mean: ir.Value,
        gain: ir.Value,
        shift: ir.Value,
        out: ir.Value,
        out_pixel: ir.Value,
        g: ir.Value,
        middle: ir.Value,
        a: ir.Value,
    ) -> None:
        builder = emit.builder

        def register(offset: ir.Value, mask: ir.Value) -> None:
            terms = [emit.load(builder.add(at, offset)) for at in (mean, gain, shift)]
            second = [emit.load(builder.add(at, offset)) for at in (middle, a)] if two else []

            def blend(number: ir.Value, _chain: int) -> None:
                at = builder.add(builder.mul(number, builder.mul(channels, I64(4))), offset)
                value = scaled(emit, emit.load(builder.add(y, at)), *terms)
                if two:
                    value = scaled(emit, emit.load(builder.add(g, at)), second[0], second[1], value)
                target = builder.add(out, builder.add(builder.mul(number, builder.mul(out_pixel, I64(4))), offset))
                emit.store_masked(value, target, mask)

            _each_pixel(emit, pixels, blend)

        each_register(emit, channels, register)

    return intrinsic_of(emit_body)


# total += Σ y, Σ g·(y − mean): (pixels, pixel, channels, y, mean, g, total).
channel_sum, products_about = _make_sum(False), _make_sum(True)
# rest += Σ (y − mean), squares += Σ (y − mean)²: (pixels, channels, y, mean, rest, squares).
deviations = intrinsic_of(_emit_deviations)
# out = (y − mean)·gain + shift, and (g − middle)·a more:
# (pixels, channels, y, mean, gain, shift, out, out_pixel, g, middle, a).
scale_shift, blend = _make_blend(False), _make_blend(True)
