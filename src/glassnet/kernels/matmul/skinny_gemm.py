"""Products of very wide images with few outputs (49152 → 20), where a register tile over the outputs would be half empty.

    forward:  y[r, j] = bias[j] + sum over k of x[r, k] · Wᵀ[j, k]      registers run along k; Wᵀ was transposed before
    weights:  C[k, j] ⊕ sum over r of x[r, k] · dy[r, j]                as Cᵀ = dyᵀ · x on the register tile, along k

Bytes become floats in registers. Images are taken in small blocks and in stretches of k, so that what several of them read
stays in the cache; sums have one fixed order, whatever the number of threads.
"""

from __future__ import annotations

from numba import float32, int64, void
from numba.core import types

from glassnet.kernels.codegen.addresses import clear, floats_at, integers_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.codegen.simd import I64, emitted
from glassnet.kernels.matmul.pack import load_scaled, value_at
from glassnet.kernels.matmul.tile import ADD, SET, strided_tile
from glassnet.kernels.sizes import COLUMNS, DOT_OUTPUTS, DOT_STRETCH, LANES, ROWS, SKINNY_DEPTH, SKINNY_GROUPS, SKINNY_X_AT

DOT_BLOCK = 32  # images taken together
PAIR = 2  # images that share each load of a weight
AHEAD = 16  # images that are fetched into the cache before they are widened


@emitted(types.void(*[types.int64] * 3, types.float32, *[types.int64] * 5))
def _dot(emit, is_bytes, x0, x1, scale, w, w_row, sums, sums_row, count):
    """For two images and DOT_OUTPUTS rows of Wᵀ: add `count` products to each register-wide partial sum in memory.

    `count` is a multiple of LANES; `w_row` and `sums_row` are in floats; the next stretch of x is fetched ahead.
    """
    builder, factor = emit.builder, emit.splat(scale)
    grid = [(p, j) for p in range(PAIR) for j in range(DOT_OUTPUTS)]

    def emit_form(of_bytes):
        size = 1 if of_bytes else 4
        places = {
            (p, j): builder.add(sums, builder.add(builder.mul(sums_row, I64(4 * p)), I64(4 * LANES * j))) for p, j in grid
        }
        registers = {place: emit.variable(emit.load(address)) for place, address in places.items()}
        w_rows = [builder.add(w, builder.mul(w_row, I64(4 * j))) for j in range(DOT_OUTPUTS)]

        def emit_register(number):
            at = builder.mul(number, I64(LANES * size))
            values = [load_scaled(emit, builder.add(x, at), factor, of_bytes)[0] for x in (x0, x1)]
            for x in (x0, x1):
                emit.prefetch(builder.add(builder.add(x, at), I64(size * DOT_STRETCH)))
            offset = builder.mul(number, I64(4 * LANES))
            for j in range(DOT_OUTPUTS):
                weight = emit.load(builder.add(w_rows[j], offset))
                for p in range(PAIR):
                    builder.store(emit.multiply_add(values[p], weight, builder.load(registers[p, j])), registers[p, j])

        emit.each(builder.udiv(count, I64(LANES)), emit_register)
        for place, address in places.items():
            emit.store(builder.load(registers[place]), address)

    emit.either(is_bytes, emit_form)


@emitted(types.void(*[types.int64] * 2, types.float32, *[types.int64] * 2))
def _widen(emit, is_bytes, source, scale, target, ahead):
    """COLUMNS numbers of an image as scaled floats; `ahead` is read soon."""
    builder, factor = emit.builder, emit.splat(scale)
    emit.prefetch(ahead)

    def emit_form(of_bytes):
        for first in range(0, COLUMNS, LANES):
            at = builder.add(source, I64(first if of_bytes else 4 * first))
            emit.store(load_scaled(emit, at, factor, of_bytes)[0], builder.add(target, I64(4 * first)))

    emit.either(is_bytes, emit_form)


@compiled
def _add_tail(source, is_bytes, scale, w, sums, k0, k1):
    """The last k of an image that fill no register, for one output; into the first lane."""
    total = floats_at(sums, 1)
    for k in range(k0, k1):
        total[0] += value_at(source + (k if is_bytes else 4 * k), is_bytes) * scale * floats_at(w + 4 * k, 1)[0]


@outlined(void(*[int64] * 3, float32, *[int64] * 11))
def dot_rows(source, is_bytes, stride, scale, order, first, m, wt, apart, width, bias, c, sums, thread, threads):
    """y (m, width) = bias + x · W, from Wᵀ at `wt`: a multiple of DOT_OUTPUTS rows, `apart` floats apart."""
    size = 1 if is_bytes else 4
    groups = (width + DOT_OUTPUTS - 1) // DOT_OUTPUTS
    row = groups * DOT_OUTPUTS * LANES
    whole = stride // LANES * LANES
    pairs = (m + PAIR - 1) // PAIR
    low, high = PAIR * (pairs * thread // threads), min(m, PAIR * (pairs * (thread + 1) // threads))
    places = integers_at(order + 8 * first, m)
    for r0 in range(low, high, DOT_BLOCK):
        r1 = min(high, r0 + DOT_BLOCK)
        clear(sums, DOT_BLOCK * row)
        for k0 in range(0, whole, DOT_STRETCH):
            count = min(DOT_STRETCH, whole - k0)
            for r in range(r0, r1, PAIR):
                x0 = source + size * (stride * places[r] + k0)
                x1 = source + size * (stride * places[min(r + 1, m - 1)] + k0)  # an odd last image is its own partner
                for g in range(groups):
                    weights = wt + 4 * (g * DOT_OUTPUTS * apart + k0)
                    here = sums + 4 * ((r - r0) * row + g * DOT_OUTPUTS * LANES)
                    _dot(is_bytes, x0, x1, scale, weights, apart, here, row, count)
        for r in range(r0, r1):
            out, offset = floats_at(c + 4 * r * width, width), floats_at(bias, width)
            for j in range(width):
                here = sums + 4 * ((r - r0) * row + j * LANES)
                _add_tail(source + size * stride * places[r], is_bytes, scale, wt + 4 * j * apart, here, whole, stride)
                lanes = floats_at(here, LANES)
                total = float32(0)
                for lane in range(LANES):
                    total += lanes[lane]
                out[j] = offset[j] + total


@outlined(void(*[int64] * 3, float32, *[int64] * 7, float32, *[int64] * 4))
def outer_columns(
    source, is_bytes, stride, scale, order, first, m, dy, width, zeros, c, alpha, mode, scratch, thread, threads
):
    """C (stride, width) = xᵀ · dy (mode SET) or C + alpha · xᵀ · dy (mode ADD), dy of shape (m, width)."""
    size = 1 if is_bytes else 4
    tiles = (width + ROWS - 1) // ROWS
    strips = (stride + COLUMNS - 1) // COLUMNS
    my_strip, last_strip = strips * thread // threads, strips * (thread + 1) // threads
    places = integers_at(order + 8 * first, m)
    sums, xs = scratch, scratch + SKINNY_X_AT
    for s0 in range(my_strip, last_strip, SKINNY_GROUPS):
        s1 = min(last_strip, s0 + SKINNY_GROUPS)
        for r0 in range(0, m, SKINNY_DEPTH):
            r1 = min(m, r0 + SKINNY_DEPTH)
            for r in range(r0, r1):
                address = source + size * stride * places[r]
                ahead = source + size * stride * places[min(r + AHEAD, r1 - 1)]
                for s in range(s0, s1):
                    k, target = COLUMNS * s, xs + 4 * COLUMNS * ((s - s0) * SKINNY_DEPTH + r - r0)
                    if k + COLUMNS <= stride:
                        _widen(is_bytes, address + size * k, scale, target, ahead + size * k)
                    else:
                        line = floats_at(target, COLUMNS)
                        for i in range(COLUMNS):
                            inside = k + i < stride
                            line[i] = scale * value_at(address + size * (k + i), is_bytes) if inside else float32(0)
            for s in range(s0, s1):
                for t in range(tiles):
                    j0, j1 = width * t // tiles, width * (t + 1) // tiles
                    strided_tile(
                        j1 - j0, dy + 4 * (r0 * width + j0), 0, 1, width, 1, r1 - r0,
                        xs + 4 * COLUMNS * (s - s0) * SKINNY_DEPTH, 0, COLUMNS, zeros,
                        sums + 4 * COLUMNS * ((s - s0) * width + j0), COLUMNS, COLUMNS, float32(1),
                        ADD if r0 > 0 else SET, 0,
                    )  # fmt: skip
        for s in range(s0, s1):
            count = min(COLUMNS, stride - COLUMNS * s)
            for i in range(count):
                line = floats_at(c + 4 * (COLUMNS * s + i) * width, width)
                for j in range(width):
                    value = floats_at(sums + 4 * (COLUMNS * ((s - s0) * width + j) + i), 1)[0]
                    line[j] = value if mode == SET else line[j] + alpha * value
