"""Panels: slices of a matrix laid out as the packed tile reads them, [k][rows], columns that are all zero left out.

Four fifths of MNIST's pixels are zero. A panel holds a few images (or, in the gradient of the weights, a few pixels) and
keeps only those k at which one of them is not zero; `index` says which. Leaving out an exact zero changes no bit of a sum of
finite numbers; 0·∞ and 0·NaN are left out, too.
Bytes become floats here, and are scaled, so that images stay bytes in memory.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba.core import types

from glassnet.kernels.codegen.addresses import bytes_at, floats_at, integers_at
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.codegen.simd import BYTES, I1, I32, I64, NUMBERS, VECTOR, ZEROS, emitted
from glassnet.kernels.sizes import (
    COLUMN_INDEX,
    COLUMN_PANEL,
    COLUMNS,
    GROUPS,
    INDEXES_AT,
    LANES,
    ROWS,
    SPAN,
    TABLE_AT,
    TILES,
    VECTORS,
)

AHEAD = 6  # rows that are fetched into the cache before they are packed


def load_scaled(emit, address, scale, is_bytes, inside=None):
    """One register of the source as scaled floats, and the mask of its lanes that are not zero; those not `inside` are."""
    builder = emit.builder
    if is_bytes:
        raw = emit.load_bytes(address) if inside is None else emit.load_masked(address, inside, BYTES)
        ink = builder.icmp_unsigned("!=", raw, ir.Constant(BYTES, [0] * LANES))
        value = builder.uitofp(builder.zext(raw, ir.VectorType(I32, LANES)), VECTOR)
    else:
        value = emit.load(address) if inside is None else emit.load_masked(address, inside)
        ink = builder.fcmp_unordered("!=", value, ZEROS)
    return builder.fmul(value, scale), ink


def _emit_forms(emit, is_bytes, count, most, emit_form):
    """emit_form(of bytes, of whole registers) for a source of `count` numbers; fewer than `most` are read under a mask."""
    is_whole = emit.builder.icmp_signed(">=", count, I64(most))
    emit.either(is_bytes, lambda of_bytes: emit.either(is_whole, lambda whole: emit_form(of_bytes, whole)))


@emitted(types.int64(*[types.int64] * 3, types.float32, *[types.int64] * 5))
def _pack_block(emit, is_bytes, addresses, column, scale, panel, index, first, count, height):
    """Transpose `count` columns of SPAN rows, LANES at most, from `column` on, into the panel; the number of columns kept.

    `addresses` points to SPAN row addresses; column `first` + i is numbered so in `index`.
    """
    builder = emit.builder
    factor, found = emit.splat(scale), emit.variable(I64(0))

    def emit_form(of_bytes, whole):
        offset = column if of_bytes else builder.mul(column, I64(4))
        groups, ink, inside = [], None, None if whole else emit.lanes_before(count, 0)
        for group in range(GROUPS):
            rows = []
            for r in range(LANES):
                slot = builder.add(addresses, I64(8 * (group * LANES + r)))
                row = builder.add(builder.load(emit.pointer(slot, I64)), offset)
                value, marks = load_scaled(emit, row, factor, of_bytes, inside)
                rows.append(value)
                ink = marks if ink is None else builder.or_(ink, marks)
            groups.append(rows)
        with builder.if_then(emit.any(ink)):
            columns = [emit.transpose(rows) for rows in groups]
            kept = I64(0)
            for lane in range(LANES):  # each column is written; the next one overwrites it unless it is kept
                target = builder.add(panel, builder.mul(builder.mul(kept, height), I64(4)))
                for group in range(GROUPS):
                    emit.store(columns[group][lane], builder.add(target, I64(4 * LANES * group)))
                number = builder.trunc(builder.add(first, I64(lane)), I32)
                builder.store(number, emit.pointer(builder.add(index, builder.mul(kept, I64(4))), I32))
                kept = builder.add(kept, builder.zext(builder.extract_element(ink, I32(lane)), I64))
            builder.store(kept, found)

    _emit_forms(emit, is_bytes, count, LANES, emit_form)
    return builder.load(found)


@emitted(types.void(*[types.int64] * 3, types.float32, *[types.int64] * 6))
def _pack_column(emit, is_bytes, address, ahead, scale, panel, index, number, kept, height, places):
    """Append `height` neighbours from `address` on to the panel as one column, where any is not zero.

    `kept` points to the number of columns that the panel holds so far; it is counted up. `ahead` is read soon.
    Behind `address` lie as many `places` of the source.
    """
    builder = emit.builder
    factor, short = emit.splat(scale), builder.trunc(number, I32)
    counter = emit.pointer(kept, I64)
    count = builder.load(counter)
    target = builder.add(panel, builder.mul(builder.mul(count, height), I64(4)))
    emit.prefetch(ahead)

    def emit_form(of_bytes, whole):
        some = I1(0)
        for group in range(GROUPS):
            inside = None if whole else emit.lanes_before(height, LANES * group)
            source = builder.add(address, I64((1 if of_bytes else 4) * LANES * group))
            value, ink = load_scaled(emit, source, factor, of_bytes, inside)
            emit.store(value, builder.add(target, I64(4 * LANES * group)))
            some = builder.or_(some, emit.any(ink))
        builder.store(short, emit.pointer(builder.add(index, builder.mul(count, I64(4))), I32))
        builder.store(builder.add(count, builder.zext(some, I64)), counter)

    _emit_forms(emit, is_bytes, places, SPAN, emit_form)


@emitted()
def transpose_square(emit, source, stride, last, target, apart):
    """LANES rows of LANES floats, `stride` bytes apart, as columns `apart` bytes apart: rows behind row `last` repeat it."""
    builder = emit.builder
    rows = []
    for r in range(LANES):
        number = builder.select(builder.icmp_signed("<", last, I64(r)), last, I64(r))
        rows.append(emit.load(builder.add(source, builder.mul(number, stride))))
    for k, column in enumerate(emit.transpose(rows)):
        emit.store(column, builder.add(target, builder.mul(apart, I64(k))))


@emitted(types.int64(*[types.int64] * 2, types.float32, *[types.int64] * 4))
def _pack_lanes(emit, is_bytes, address, scale, panel, index, first, count):
    """Append those of `count` neighbours, numbered from `first`, that are not zero to the panel of one row; how many."""
    builder = emit.builder
    factor = emit.splat(scale)
    found = emit.variable(I64(0))

    def emit_form(of_bytes, whole):
        values, ink = load_scaled(emit, address, factor, of_bytes, None if whole else emit.lanes_before(count, 0))
        with builder.if_then(emit.any(ink)):
            numbers = builder.add(emit.splat(builder.trunc(first, I32)), ir.Constant(NUMBERS, list(range(LANES))))
            kept = emit.store_compressed(values, panel, ink)
            emit.store_compressed(numbers, index, ink)
            builder.store(kept, found)

    _emit_forms(emit, is_bytes, count, LANES, emit_form)
    return builder.load(found)


def _emit_copy(emit, registers, source, target):
    for register in range(registers):
        at = I64(4 * LANES * register)
        emit.store(emit.load(emit.builder.add(source, at)), emit.builder.add(target, at))


@emitted()
def copy_columns(emit, source, target):
    """COLUMNS floats, of any alignment."""
    _emit_copy(emit, VECTORS, source, target)


@emitted()
def copy_rows(emit, source, target):
    """SPAN floats, of any alignment."""
    _emit_copy(emit, GROUPS, source, target)


@compiled
def value_at(address, is_bytes):
    """The one byte or float at an address, as a float."""
    if is_bytes:
        return np.float32(bytes_at(address, 1)[0])
    return floats_at(address, 1)[0]


@compiled
def pack_rows(source, is_bytes, stride, order, first, height, k0, k1, scale, scratch):
    """A[r, k] = scale · source[order[first + r], k] for k0 ≤ k < k1, in the first panel; the number of k kept."""
    size = 1 if is_bytes else 4
    panel, index, table = scratch, scratch + INDEXES_AT, scratch + TABLE_AT
    rows, addresses = integers_at(order + 8 * first, height), integers_at(table, SPAN)
    for r in range(SPAN):  # rows beyond the panel's height repeat its first: they are overwritten, or never read
        addresses[r] = source + size * stride * rows[r if r < height else 0]
    kept = 0
    for k in range(k0, k1, LANES):
        target, numbers, count = panel + 4 * kept * height, index + 4 * kept, min(LANES, k1 - k)
        if height == 1:
            kept += _pack_lanes(is_bytes, addresses[0] + size * k, scale, target, numbers, k, count)
        else:
            kept += _pack_block(is_bytes, table, k, scale, target, numbers, k, count, height)
    return kept


@compiled
def pack_columns(source, is_bytes, stride, order, first, k0, k1, column, tiles, width, scale, panels, indexes, kept):
    """A_t[r, k] = scale · source[order[first + k], column + ROWS·t + r] for k0 ≤ k < k1, t < tiles; counts in kept[t]."""
    size = 1 if is_bytes else 4
    rows, counts = integers_at(order + 8 * first, k1), integers_at(kept, TILES)
    for t in range(TILES):
        counts[t] = 0
    for k in range(k0, k1):
        address = source + size * (stride * rows[k] + column)
        ahead = source + size * (stride * rows[min(k + AHEAD, k1 - 1)] + column)
        for t in range(tiles):
            at, height = ROWS * t, min(ROWS, width - column - ROWS * t)
            _pack_column(
                is_bytes, address + size * at, ahead + size * at, scale, panels + 4 * t * COLUMN_PANEL,
                indexes + 4 * t * COLUMN_INDEX, k, kept + 8 * t, height, stride - column - at,
            )  # fmt: skip


@compiled
def pack_b(b, width, inner, transposed, k0, k1, first, last, panels, apart):
    """B[k0:k1, first:last] in panels [k][COLUMNS], so many bytes apart; B is (inner, width), or its transpose is."""
    for j in range(first, last, COLUMNS):
        panel = panels + apart * ((j - first) // COLUMNS)
        if transposed:
            for column in range(j, min(j + COLUMNS, last), LANES):
                target = panel + 4 * (column - j)
                for k in range(k0, k1, LANES):
                    row, square = b + 4 * (column * inner + k), target + 4 * COLUMNS * (k - k0)
                    transpose_square(row, 4 * inner, width - 1 - column, square, 4 * COLUMNS)
        else:
            for k in range(k0, k1):
                copy_columns(b + 4 * (k * width + j), panel + 4 * COLUMNS * (k - k0))
