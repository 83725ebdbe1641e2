"""Loops over the pixels of an image in NHWC that keep a register of channels at a time, however many channels there are.

LLVM's own vectors of such loops are longer than most images have channels. Registers are read whole, also past the last
channel (buffers carry `PADDING`), and written under a mask.
"""

from __future__ import annotations

from numba.core import cgutils

from glassnet.kernels.codegen.simd import I64, ZEROS, emitted
from glassnet.kernels.sizes import LANES

CHAINS = 4  # sums at a time, so that one addition need not wait for the other


def each_register(emit, channels, body):
    """Emit `body(offset in bytes, mask)` for each register that the channels fill."""
    builder = emit.builder
    count = builder.sdiv(builder.add(channels, I64(LANES - 1)), I64(LANES))
    with cgutils.for_range(builder, count, intp=I64) as loop:
        before = builder.mul(loop.index, I64(LANES))
        body(builder.mul(before, I64(4)), emit.lanes_before(builder.sub(channels, before), 0))


def scaled(emit, y, mean, gain, shift):
    """(y − mean)·gain + shift: the difference first, so that values equal to their mean leave no rounding."""
    return emit.multiply_add(emit.builder.fsub(y, mean), gain, shift)


def _each_pixel(emit, pixels, body):
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


def _add_over_pixels(emit, pixels, pixel, channels, y, mean, totals):
    """total += Σ (y − mean)·factor over the pixels for each (total, factor).

    A factor is a function of the place and of y − mean, or None for 1; mean None counts as 0.
    """
    builder = emit.builder
    step = builder.mul(pixel, I64(4))

    def register(offset, mask):
        sums = [[emit.variable(ZEROS) for _ in range(CHAINS)] for _ in totals]
        middle = None if mean is None else emit.load(builder.add(mean, offset))

        def add(number, chain):
            at = builder.add(builder.mul(number, step), offset)
            value = emit.load(builder.add(y, at))
            away = value if middle is None else builder.fsub(value, middle)
            for (_, factor), chains in zip(totals, sums, strict=True):
                before = builder.load(chains[chain])
                after = builder.fadd(before, away) if factor is None else emit.multiply_add(factor(at, away), away, before)
                builder.store(after, chains[chain])

        _each_pixel(emit, pixels, add)
        for (total, _), chains in zip(totals, sums, strict=True):
            place = builder.add(total, offset)
            value = emit.load(place)
            for chain in chains:
                value = builder.fadd(value, builder.load(chain))
            emit.store_masked(value, place, mask)

    each_register(emit, channels, register)


@emitted()
def channel_sum(emit, pixels, pixel, channels, y, total):
    """total += Σ y; `pixel`: floats from one pixel to the next."""
    _add_over_pixels(emit, pixels, pixel, channels, y, None, [(total, None)])


@emitted()
def products_about(emit, pixels, channels, y, mean, g, total):
    """total += Σ g·(y − mean)"""
    totals = [(total, lambda at, _: emit.load(emit.builder.add(g, at)))]
    _add_over_pixels(emit, pixels, channels, channels, y, mean, totals)


@emitted()
def deviations(emit, pixels, channels, y, mean, rest, squares):
    """rest += Σ (y − mean), squares += Σ (y − mean)²"""
    totals = [(rest, None), (squares, lambda _, away: away)]
    _add_over_pixels(emit, pixels, channels, channels, y, mean, totals)


def _write_pixels(emit, pixels, channels, products, shift, out, out_pixel):
    """out = shift + Σ (y − mean)·gain over the products (y, mean, gain)."""
    builder = emit.builder

    def register(offset, mask):
        start = emit.load(builder.add(shift, offset))
        terms = [(y, *(emit.load(builder.add(at, offset)) for at in of_channels)) for y, *of_channels in products]

        def write(number, _chain):
            at = builder.add(builder.mul(number, builder.mul(channels, I64(4))), offset)
            value = start
            for y, mean, gain in terms:
                value = scaled(emit, emit.load(builder.add(y, at)), mean, gain, value)
            target = builder.add(out, builder.add(builder.mul(number, builder.mul(out_pixel, I64(4))), offset))
            emit.store_masked(value, target, mask)

        _each_pixel(emit, pixels, write)

    each_register(emit, channels, register)


@emitted()
def scale_shift(emit, pixels, channels, y, mean, gain, shift, out, out_pixel):
    """out = (y − mean)·gain + shift"""
    _write_pixels(emit, pixels, channels, [(y, mean, gain)], shift, out, out_pixel)


@emitted()
def blend(emit, pixels, channels, y, mean, gain, shift, out, out_pixel, g, middle, a):
    """out = (y − mean)·gain + shift + (g − middle)·a"""
    _write_pixels(emit, pixels, channels, [(y, mean, gain), (g, middle, a)], shift, out, out_pixel)
