"""What the ranks of a data-parallel training do besides their share of the images (see compiler/ranks.py)."""

from __future__ import annotations

from numba import int64, void

from glassnet.kernels import records
from glassnet.kernels.codegen.addresses import record_at
from glassnet.kernels.codegen.jit import called_at, compiled
from glassnet.kernels.operands import share_of
from glassnet.kernels.reduce import add_part, rank_of_node

_parts_at, _exchange_at = record_at(records.SumOwnParts), record_at(records.Exchange)
_call_exchange = called_at(void(int64))


@compiled
def sum_own_parts(ctx, at):
    """The nodes of the tree over a mini-batch's partial sums whose parts all are this rank's; `sum_parts` does the others."""
    op = _parts_at(at)
    partial, parts = ctx.workspace + 4 * op.partial, op.partitions
    low, high = share_of(ctx, op.size)
    stride = 1
    while stride < parts:
        for part in range(0, parts - stride, 2 * stride):
            if rank_of_node(ctx, part, min(part + 2 * stride, parts), parts) == ctx.rank:
                add_part(partial, op.size, part, stride, low, high)
        stride *= 2


@compiled
def exchange(ctx, at):
    """One thread calls the function; the others wait at the barrier behind the instruction."""
    if ctx.thread == 0:
        _call_exchange(ctx.exchange, _exchange_at(at).number)
