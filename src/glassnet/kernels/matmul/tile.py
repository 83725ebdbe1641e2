"""The inner loop of all products: one batch-reduce register tile, as LLVM vector code.

    C[r, j] ⊕ sum over g, k of A[g·a_group + r·a_row + k·a_step] · B[g·b_group + k·b_row + j]       r < rows, j < columns

`rows` × `vectors` accumulators stay in registers while the inner dimension is walked once. Two forms come from the one
generator below:

- `packed_tile`: A is a panel [k][rows] and B's row is `index[k]`, so that columns of A which are zero for all rows of the
  panel can be left out. Dense layers use it.
- `strided_tile`: A is read where it lies; `a_row` is the distance of two rows and `g` the batch-reduce index. For a
  convolution in NHWC the groups are the kernel's rows, count = kernel width · channels, a_row = channels; for the gradient of
  its weights the groups are rows of pixels and neighbouring rows of the tile lie side by side (a_row = 1). For the last few
  columns it is one register wide, or half a register.

⊕ is `SET` (C = bias + sum) or `ADD` (C = C + alpha · sum). Whole vectors of B and bias are read, also past `columns`: the
buffers carry `PADDING` spare floats at their end. C is written under a mask. Every element of C is one chain of fused
multiply-adds in the order of k, whatever the shape of the tile, so results do not depend on how work is cut up.

Source: Georganas et al., "High-Performance Deep Learning via a Single Building Block", arXiv 1906.06440.
"""

from __future__ import annotations

from functools import partial
from itertools import product

from numba.core import cgutils, types

from glassnet.kernels.codegen.pairs import add_products
from glassnet.kernels.codegen.quads import add_quads, scaled
from glassnet.kernels.codegen.simd import FLOAT, I1, I32, I64, Emitter, emitted
from glassnet.kernels.sizes import COLUMNS, HALF, LANES, ROWS, TILES_ARE_LOW, VECTORS

SET, ADD = 0, 1
FLOATS, PAIRS, QUADS = range(3)  # what a place of 32 bits holds: a float, two of bfloat16, or four bytes
LINE = 64  # bytes of a line of the cache
LONG = 32  # inner dimensions beyond this give the memory time to bring C in the meantime


def _emit_tile(emit, rows, vectors, walk, length, bias, c, c_row, columns, alpha, mode, form=FLOATS):
    """One tile of `rows` rows. `walk(step)` emits the loops and calls `step(B's row, r → address of A, ahead, later)`.

    `length` is the inner dimension. What lies at `ahead` is brought into the first-level cache, what lies at `later` into the
    second-level one. Of PAIRS (see bfloat16.py), `alpha` is a factor of the sum in `SET`, too. Of QUADS there is no `ADD`,
    and more rows follow the bias (see quads.py).
    """
    builder = emit.builder
    multiply_add = {FLOATS: emit.multiply_add, PAIRS: partial(add_products, emit), QUADS: partial(add_quads, emit)}[form]
    grid = [(r, v) for r in range(rows) for v in range(vectors)]
    lanes = emit.lanes
    vector_bytes = 4 * lanes
    sums = {place: emit.variable(emit.zeros) for place in grid}
    c_rows = [builder.add(c, builder.mul(c_row, I64(4 * r))) for r in range(rows)]

    def c_address(r, v):
        return builder.add(c_rows[r], I64(vector_bytes * v))

    with builder.if_then(builder.icmp_signed(">", length, I64(LONG))):
        for r, line in product(range(rows), range(0, vector_bytes * vectors, LINE)):
            emit.prefetch(builder.add(c_rows[r], I64(line)), to_write=True)

    def step(b_row, a_address, ahead, later=None):
        values = [emit.load(builder.add(b_row, I64(vector_bytes * v))) for v in range(vectors)]
        for line in range(0, vector_bytes * vectors, LINE):
            emit.prefetch(builder.add(ahead, I64(line)))
            if later is not None:
                emit.prefetch(builder.add(later, I64(line)), near=False)
        for r in range(rows):
            a = emit.splat(builder.load(emit.pointer(a_address(r), FLOAT)))
            for v in range(vectors):
                builder.store(multiply_add(a, values[v], builder.load(sums[r, v])), sums[r, v])

    walk(step)
    masks = [emit.lanes_before(columns, lanes * v) for v in range(vectors)]
    if form == QUADS:
        for r, v in grid:
            row = builder.add(bias, I64(vector_bytes * v))
            emit.store_masked(scaled(emit, builder.load(sums[r, v]), row, I64(4 * COLUMNS)), c_address(r, v), masks[v])
        return
    with builder.if_else(builder.icmp_signed("==", mode, I64(SET))) as (then_set, then_add):
        with then_set:
            start = [emit.load(builder.add(bias, I64(vector_bytes * v))) for v in range(vectors)]
            for r, v in grid:
                total = builder.load(sums[r, v])
                paired = form == PAIRS
                value = emit.multiply_add(emit.splat(alpha), total, start[v]) if paired else builder.fadd(start[v], total)
                emit.store_masked(value, c_address(r, v), masks[v])
        with then_add:
            factor = emit.splat(alpha)
            new = [  # all loads before the first store: a masked store next to a load would hold it up
                emit.multiply_add(factor, builder.load(sums[r, v]), emit.load_masked(c_address(r, v), masks[v]))
                for r, v in grid
            ]
            for value, (r, v) in zip(new, grid, strict=True):
                emit.store_masked(value, c_address(r, v), masks[v])


def _switch(builder, rows, emit_case):
    """Emit the tile for each number of rows up to `ROWS`, and the jump to the right one."""
    end = builder.append_basic_block("tile.end")
    switch = builder.switch(rows, end)
    for count in range(1, ROWS + 1):
        block = builder.append_basic_block(f"tile.{count}")
        switch.add_case(I64(count), block)
        builder.position_at_end(block)
        emit_case(count)
        builder.branch(end)
    builder.position_at_end(end)


def _packed(
    form, emit, rows, panel, step, index, count, b, b_row, bias, c, c_row, columns, alpha, mode, ahead, ahead_row,
    ahead_shift,
):  # fmt: skip
    builder = emit.builder
    mask = builder.sub(builder.shl(I64(1), ahead_shift), I64(1))
    row_bytes, in_panels, in_runs = I64(4 * COLUMNS), I1(1), builder.icmp_signed("!=", ahead_shift, I64(0))
    whole = builder.mul(rows, I64(4))
    for given, known in ((ahead_shift, I64(0)), (ahead_row, row_bytes), (b_row, I64(COLUMNS)), (step, whole)):
        in_panels = builder.and_(in_panels, builder.icmp_signed("==", given, known))

    def emit_case(vectors, height):
        def walk(add):
            def emit_loop(of_panels):
                def emit_column(k):
                    row = builder.sext(builder.load(emit.pointer(builder.add(index, builder.mul(k, I64(4))), I32)), I64)
                    a = builder.add(panel, builder.mul(k, I64(4 * height) if of_panels else step))
                    if of_panels:
                        offset, near, far = builder.mul(row, row_bytes), builder.mul(k, row_bytes), ahead
                    else:
                        offset = builder.mul(builder.mul(row, b_row), I64(4))
                        near = builder.mul(builder.and_(k, mask), row_bytes)
                        far = builder.add(ahead, builder.mul(builder.ashr(k, ahead_shift), ahead_row))
                    asked = [builder.add(near, far)]
                    if not of_panels:  # of the two, one asks for what is there already
                        asked = [builder.select(in_runs, a, asked[0]), builder.select(in_runs, asked[0], a)]
                    add(builder.add(b, offset), lambda r: builder.add(a, I64(4 * r)), *asked)

                emit.each(count, emit_column)

            if TILES_ARE_LOW:  # a row has few products, beside which the arithmetic of addresses counts
                emit.either(in_panels, emit_loop)
            else:
                emit_loop(False)

        _emit_tile(emit, height, vectors, walk, count, bias, c, c_row, columns, alpha, mode, form)

    with builder.if_else(builder.icmp_signed(">", columns, I64(LANES))) as (wide, slim):
        with wide:
            _switch(builder, rows, partial(emit_case, VECTORS))
        with slim:
            _switch(builder, rows, partial(emit_case, 1))


@emitted(types.void(*[types.int64] * 11, types.float32, *[types.int64] * 4))
def packed_tile(
    emit, rows, panel, step, index, count, b, b_row, bias, c, c_row, columns, alpha, mode, ahead, ahead_row, ahead_shift
):  # fmt: skip
    """Addresses and lengths as integers, `alpha` float32; `index` holds int32 row numbers of B; see the module.

    The panel's columns are `step` bytes apart.
    With column k, COLUMNS floats at ahead + (k >> ahead_shift)·ahead_row + (k mod 2^ahead_shift)·COLUMNS are asked for: where
    `ahead_shift` is not 0, and they are runs of memory, into the second-level cache, which loses fewer of these requests.
    """
    _packed(
        FLOATS, emit, rows, panel, step, index, count, b, b_row, bias, c, c_row, columns, alpha, mode, ahead, ahead_row,
        ahead_shift,
    )  # fmt: skip


@emitted(types.void(*[types.int64] * 11, types.float32, *[types.int64] * 4))
def packed_pair_tile(
    emit, rows, panel, step, index, count, b, b_row, bias, c, c_row, columns, alpha, mode, ahead, ahead_row, ahead_shift
):  # fmt: skip
    """The same of pairs of bfloat16, each as wide as a float: C = bias + alpha · sum (SET), or C + alpha · sum (ADD)."""
    _packed(
        PAIRS, emit, rows, panel, step, index, count, b, b_row, bias, c, c_row, columns, alpha, mode, ahead, ahead_row,
        ahead_shift,
    )  # fmt: skip


def _strided(
    form, emit, rows, a, a_group, a_row, a_step, groups, count, b, b_group, b_row, bias, c, c_row, columns, alpha, mode,
    ahead,
):  # fmt: skip
    builder = emit.builder

    def in_bytes(floats):
        return builder.mul(floats, I64(4))

    def of_a(distance):
        return distance if form == QUADS else in_bytes(distance)

    def emit_case(sized, vectors, height):  # distances become bytes in each case: before the switch they would be spilled
        offsets = [builder.mul(of_a(a_row), I64(r)) for r in range(height)]
        a_bytes, b_bytes = of_a(a_step), in_bytes(b_row)

        def walk(step):
            with cgutils.for_range(builder, groups, intp=I64) as outer:
                a_base = builder.add(a, builder.mul(of_a(a_group), outer.index))
                b_base = builder.add(b, builder.mul(in_bytes(b_group), outer.index))

                def emit_step(k):
                    a_k = builder.add(a_base, builder.mul(k, a_bytes))
                    b_k = builder.add(b_base, builder.mul(k, b_bytes))
                    step(b_k, lambda r: builder.add(a_k, offsets[r]), builder.add(b_k, ahead))

                sized.each(count, emit_step)

        length = builder.mul(groups, count)
        _emit_tile(sized, height, vectors, walk, length, bias, c, c_row, columns, alpha, mode, form)

    def emit_shape(vectors, lanes):
        _switch(builder, rows, partial(emit_case, Emitter(builder, lanes), vectors))

    with builder.if_else(builder.icmp_signed(">", columns, I64(LANES))) as (wide, narrow):
        with wide:
            emit_shape(VECTORS, LANES)
        with narrow, builder.if_else(builder.icmp_signed(">", columns, I64(HALF))) as (slim, half):
            with slim:
                emit_shape(1, LANES)
            with half:
                emit_shape(1, HALF)


@emitted(types.void(*[types.int64] * 14, types.float32, *[types.int64] * 2))
def strided_tile(
    emit, rows, a, a_group, a_row, a_step, groups, count, b, b_group, b_row, bias, c, c_row, columns, alpha, mode, ahead
):  # fmt: skip
    """Addresses and lengths as integers, distances in floats, `alpha` float32; see the module."""
    _strided(
        FLOATS, emit, rows, a, a_group, a_row, a_step, groups, count, b, b_group, b_row, bias, c, c_row, columns, alpha, mode,
        ahead,
    )  # fmt: skip


@emitted(types.void(*[types.int64] * 14, types.float32, *[types.int64] * 2))
def strided_pair_tile(
    emit, rows, a, a_group, a_row, a_step, groups, count, b, b_group, b_row, bias, c, c_row, columns, alpha, mode, ahead
):  # fmt: skip
    """The same of pairs of bfloat16, each as wide as a float: C = bias + alpha · sum (SET), or C + alpha · sum (ADD)."""
    _strided(
        PAIRS, emit, rows, a, a_group, a_row, a_step, groups, count, b, b_group, b_row, bias, c, c_row, columns, alpha, mode,
        ahead,
    )  # fmt: skip


@emitted()
def strided_quad_tile(emit, rows, a, a_group, a_row, groups, count, b, bias, c, c_row, columns):
    """The same of quads of bytes: C = bias + factor·(sum − correction), rows of COLUMNS that lie at `bias` in this order.

    Distances in A are bytes; of B, rows of COLUMNS quads lie one behind the other.
    """
    b_group = emit.builder.mul(count, I64(COLUMNS))
    _strided(
        QUADS, emit, rows, a, a_group, a_row, I64(4), groups, count, b, b_group, I64(COLUMNS), bias, c, c_row, columns,
        None, None, I64(0),
    )  # fmt: skip
