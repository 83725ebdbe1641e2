"""The products of a recurrent layer that take many steps at once, and its panels: in float32, or of pairs of bfloat16.

Pairs are rounded as they are packed, and their sums are float32 (matmul/bfloat16.py). `scale` is a factor of those sums, as
bytes are exact in bfloat16; floats have it already.
"""

from __future__ import annotations

import numpy as np
from numba import int64

from glassnet.kernels import records
from glassnet.kernels.codegen.addresses import record_at
from glassnet.kernels.codegen.jit import called_at, compiled
from glassnet.kernels.matmul import bfloat16
from glassnet.kernels.matmul.gemm import multiply_rows
from glassnet.kernels.matmul.pack import pack_b, pack_rows
from glassnet.kernels.matmul.sequence_gemm import sum_products
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.matmul.vector import vector_row
from glassnet.kernels.operands import share_of
from glassnet.kernels.sizes import COLUMN_DEPTH, COLUMNS, INDEXES_AT

F = np.float32
_panels_at = record_at(records.RecurrentPanels)
_multiply_row_pairs = called_at(bfloat16.multiply_row_pairs.sig)  # compiled when a program first needs them
_multiply_column_pairs = called_at(bfloat16.multiply_column_pairs.sig)


@compiled
def make_panels(ctx, at, pairs):
    """This thread's share of the panels of the recurrent weights."""
    matrix = _panels_at(at)
    inner, width, transposed = matrix.inner, matrix.width, matrix.transposed
    first, last = share_of(ctx, (width + COLUMNS - 1) // COLUMNS)
    weight, panels = ctx.parameters + 4 * matrix.weight, ctx.workspace + 4 * (matrix.panels + first * matrix.apart)
    begin, end, apart = COLUMNS * first, min(COLUMNS * last, width), 4 * matrix.apart
    if pairs:
        bfloat16.pack_b(weight, width, inner, transposed, 0, inner, begin, end, panels, apart)
    else:
        pack_b(weight, width, inner, transposed, 0, inner, begin, end, panels, apart)


@compiled
def multiply_all(ctx, pairs, x, scale, rows, inner, b, transposed, width, bias, c, thread, threads):
    """C (rows, width) = bias + x · B, B (inner, width) or `transposed`: this thread's share of it."""
    if pairs:
        _multiply_row_pairs(
            ctx.multiply_row_pairs, x, 0, inner, scale, ctx.identity, 0, rows, inner, b, transposed, width, 0, bias, c,
            ctx.scratch, thread, threads,
        )  # fmt: skip
    else:  # x is not read where it lies: zeros at the end of its rows, for which B has no rows, have to be left out
        multiply_rows(
            x, 0, inner, F(1), ctx.identity, 0, rows, inner, 0, b, transposed, width, bias, c, SET, ctx.scratch, thread,
            threads,
        )  # fmt: skip


@compiled
def multiply_state(ctx, units, gates, weight, h, first, last, c, mode):
    """c ⊕ h · U of one image, the units first … last of each gate: a matrix-vector product, U (units, gates · units)."""
    whole, wide = last - first == units, gates * units
    parts, size = (1, wide) if whole else (gates, last - first)
    for k in range(0, units, COLUMN_DEPTH):
        end = min(units, k + COLUMN_DEPTH)
        kept = pack_rows(h, int64(0), units, ctx.identity, int64(0), int64(1), k, end, F(1), ctx.scratch)
        for part in range(parts):
            begin = part * units + first
            vector_row(
                ctx.scratch, ctx.scratch + INDEXES_AT, kept, weight, wide, ctx.constants, c, begin, begin + size,
                mode if k == 0 else ADD, 0,
            )  # fmt: skip


@compiled
def add_up(ctx, pairs, x, scale, rows, inner, b, width, c, mode, stride):
    """C (inner, width) = xᵀ · B (mode SET) or C + xᵀ · B (ADD), rows of x `stride` floats apart."""
    if pairs:
        _multiply_column_pairs(
            ctx.multiply_column_pairs, x, 0, stride, scale, ctx.identity, 0, rows, inner, b, width, ctx.constants, c, mode,
            F(1), ctx.scratch, 0, 1,
        )  # fmt: skip
    else:
        sum_products(x, rows, inner, b, width, ctx.constants, c, mode, ctx.scratch, stride)
