"""The products of a recurrent layer that take many steps at once, and its panels: in float32, or of pairs of bfloat16.

Pairs are rounded as they are packed, and their sums are float32 (matmul/bfloat16.py). `scale` is a factor of those sums, as
bytes are exact in bfloat16; floats have it already.
"""

from __future__ import annotations

import numpy as np

from glassnet.kernels import records
from glassnet.kernels.codegen.addresses import record_at
from glassnet.kernels.codegen.jit import called_at, compiled
from glassnet.kernels.matmul import bfloat16, pack
from glassnet.kernels.matmul.gemm import multiply_rows
from glassnet.kernels.matmul.sequence_gemm import sum_products
from glassnet.kernels.matmul.tile import SET
from glassnet.kernels.operands import share_of
from glassnet.kernels.sizes import COLUMNS

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
        pack.pack_b(weight, width, inner, transposed, 0, inner, begin, end, panels, apart)


@compiled
def multiply_all(ctx, pairs, x, scale, rows, inner, b, transposed, width, bias, c):
    """C (rows, width) = bias + x · B, B (inner, width) or `transposed`."""
    if pairs:
        _multiply_row_pairs(
            ctx.multiply_row_pairs, x, 0, inner, scale, ctx.identity, 0, rows, inner, b, transposed, width, 0, bias, c,
            ctx.scratch, 0, 1,
        )  # fmt: skip
    else:  # x is not read where it lies: zeros at the end of its rows, for which B has no rows, have to be left out
        multiply_rows(
            x, 0, inner, F(1), ctx.identity, 0, rows, inner, 0, b, transposed, width, bias, c, SET, ctx.scratch, 0, 1
        )


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
