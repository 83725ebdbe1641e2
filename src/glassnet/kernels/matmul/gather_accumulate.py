"""Sums over lists: rows of a matrix that a list names, each times a factor, added to one row while it lies in registers.

    C[l, r, j] += sum over e of factor[e] · A[place[e]·step + r·a_line + j]         e in list l, r < rows, j < columns

The register tile (tile.py) multiplies whatever it is given, zeros too; a list leaves them out. Rows of A lie on no boundary
of the cache's lines, so registers of at most eight floats are used, which cross one less often.
"""

from __future__ import annotations

from numba import int64, void
from numba.core import cgutils

from glassnet.kernels.codegen.jit import outlined
from glassnet.kernels.codegen.simd import FLOAT, I32, I64, Emitter, emitted
from glassnet.kernels.sizes import ROWS, SHORT, VECTORS

WIDEST = min(14, ROWS * VECTORS)  # registers of one row
CHAINS = min(6, WIDEST)  # registers over several rows where one row has fewer: sums that need not wait for one another


def _emit_list(emit, rows, width, begin, end, c, args):
    """C's part of one list, whose entries are begin … end."""
    builder = emit.builder
    places, factors, step, a, a_line, columns, c_line = args
    grid, register = [(r, v) for r in range(rows) for v in range(width)], 4 * SHORT
    sums = {place: emit.variable(emit.zeros) for place in grid}
    lines = [builder.mul(a_line, I64(4 * r)) for r in range(rows)]
    with cgutils.for_range_slice(builder, begin, end, I64(1), intp=I64) as (entry, _):
        beside = builder.mul(entry, I64(4))
        place = builder.sext(builder.load(emit.pointer(builder.add(places, beside), I32)), I64)
        factor = emit.splat(builder.load(emit.pointer(builder.add(factors, beside), FLOAT)))
        start = builder.add(a, builder.mul(place, builder.mul(step, I64(4))))
        for r, v in grid:
            value = emit.load(builder.add(builder.add(start, lines[r]), I64(register * v)))
            builder.store(emit.multiply_add(factor, value, builder.load(sums[r, v])), sums[r, v])
    mask = emit.lanes_before(columns, SHORT * (width - 1))
    for r, v in grid:
        address = builder.add(builder.add(c, builder.mul(c_line, I64(4 * r))), I64(register * v))
        if v < width - 1:
            emit.store(builder.fadd(emit.load(address), builder.load(sums[r, v])), address)
        else:
            emit.store_masked(builder.fadd(emit.load_masked(address, mask), builder.load(sums[r, v])), address, mask)


@emitted()
def _gather_tile(emit, rows, width, lists, begins, places, factors, step, a, a_line, columns, c, c_step, c_line):
    """Addresses and lengths as integers, distances in floats; see `gather_accumulate`."""
    builder, short = emit.builder, Emitter(emit.builder, SHORT)
    end = builder.append_basic_block("gather.end")
    switch = builder.switch(builder.add(builder.mul(rows, I64(WIDEST + 1)), width), end)
    for high, wide in ((r, v) for v in range(1, WIDEST + 1) for r in range(1, max(1, CHAINS // v) + 1)):
        block = builder.append_basic_block(f"gather.{high}.{wide}")
        switch.add_case(I64(high * (WIDEST + 1) + wide), block)
        builder.position_at_end(block)
        with cgutils.for_range(builder, lists, intp=I64) as loop:
            here = builder.add(begins, builder.mul(loop.index, I64(4)))
            first, last = (
                builder.sext(builder.load(emit.pointer(builder.add(here, I64(offset)), I32)), I64) for offset in (0, 4)
            )
            with builder.if_then(builder.icmp_signed("<", first, last)):
                target = builder.add(c, builder.mul(builder.mul(loop.index, c_step), I64(4)))
                _emit_list(short, high, wide, first, last, target, (places, factors, step, a, a_line, columns, c_line))
        builder.branch(end)
    builder.position_at_end(end)


@outlined(void(*[int64] * 12))
def gather_accumulate(lists, begins, places, factors, step, a, a_line, rows, columns, c, c_step, c_line):
    """The sum above. List l: the entries from begins[l] to begins[l + 1] of `places` and `factors`.

    begins and places int32, factors float32; distances in floats; whole registers of A are read.
    """
    registers = (columns + SHORT - 1) // SHORT
    blocks = (registers + WIDEST - 1) // WIDEST
    for block in range(blocks):
        first, last = registers * block // blocks, registers * (block + 1) // blocks
        together = max(1, CHAINS // (last - first))
        for r in range(0, rows, together):
            _gather_tile(
                min(together, rows - r), last - first, lists, begins, places, factors, step,
                a + 4 * (r * a_line + first * SHORT), a_line, min(columns, last * SHORT) - first * SHORT,
                c + 4 * (r * c_line + first * SHORT), c_step, c_line,
            )  # fmt: skip
