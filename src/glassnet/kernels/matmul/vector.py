"""Matrix-vector products: one image through a dense layer, bound by reading B once.

    c[j] ⊕ sum over e < count of panel[e] · B[index[e], j]

B's rows are walked in order, those of zero inputs left out, with as many of their columns as the registers hold; the rows
that follow are asked for ahead, unless B is near. Every c[j] is the same chain of fused multiply-adds as on the register
tile (tile.py): an image alone gets the bits that it gets among others.
"""

from __future__ import annotations

from numba import int64, void

from glassnet.kernels.codegen.jit import outlined
from glassnet.kernels.codegen.simd import FLOAT, I32, I64, emitted
from glassnet.kernels.matmul.tile import SET
from glassnet.kernels.sizes import LANES, ROWS, VECTORS

WIDEST = ROWS * VECTORS  # registers of sums
AHEAD = 4  # rows that are asked for before they are read


def _emit_rows(emit, vectors, panel, index, count, b, b_row, bias, c, columns, mode, ahead):
    """c's part in so many registers; `b_row` in bytes."""
    builder, register = emit.builder, 4 * LANES
    sums = [emit.variable(emit.zeros) for _ in range(vectors)]

    def row_at(place):
        number = builder.sext(builder.load(emit.pointer(builder.add(index, place), I32)), I64)
        return builder.add(b, builder.mul(number, b_row))

    def emit_row(k):
        place = builder.mul(k, I64(4))
        row, following = row_at(place), row_at(builder.add(place, I64(4 * AHEAD)))
        factor = emit.splat(builder.load(emit.pointer(builder.add(panel, place), FLOAT)))
        for v in range(vectors):
            value = emit.load(builder.add(row, I64(register * v)))
            builder.store(emit.multiply_add(factor, value, builder.load(sums[v])), sums[v])
        with builder.if_then(builder.icmp_signed("!=", ahead, I64(0))):
            for at in range(0, register * vectors, 64):
                emit.prefetch(builder.add(following, I64(at)))

    emit.each(count, emit_row)
    with builder.if_else(builder.icmp_signed("==", mode, I64(SET))) as branches:
        for branch, start in zip(branches, (bias, c), strict=True):
            with branch:
                for v in range(vectors):
                    mask, address = emit.lanes_before(columns, LANES * v), builder.add(c, I64(register * v))
                    before = emit.load_masked(builder.add(start, I64(register * v)), mask)
                    emit.store_masked(builder.fadd(before, builder.load(sums[v])), address, mask)


@emitted()
def _rows(emit, vectors, panel, index, count, b, b_row, bias, c, columns, mode, ahead):
    """The form for this number of registers."""
    builder = emit.builder
    end = builder.append_basic_block("vector.end")
    switch = builder.switch(vectors, end)
    for wide in range(1, WIDEST + 1):
        block = builder.append_basic_block(f"vector.{wide}")
        switch.add_case(I64(wide), block)
        builder.position_at_end(block)
        _emit_rows(emit, wide, panel, index, count, b, b_row, bias, c, columns, mode, ahead)
        builder.branch(end)
    builder.position_at_end(end)


@outlined(void(*[int64] * 11))
def vector_row(panel, index, count, b, b_row, bias, c, first, last, mode, ahead):
    """The product above for the columns first … last of B, c and bias; `b_row` in floats.

    `ahead`: 0 if B was read a moment ago; asking for what is in the second-level cache costs up to a fifth of the time.
    """
    registers = (last - first + LANES - 1) // LANES
    blocks = (registers + WIDEST - 1) // WIDEST
    for block in range(blocks):
        low, high = registers * block // blocks, registers * (block + 1) // blocks
        at = 4 * (first + low * LANES)
        _rows(
            high - low, panel, index, count, b + at, 4 * b_row, bias + at, c + at,
            min(last - first, high * LANES) - low * LANES, mode, ahead,
        )  # fmt: skip
