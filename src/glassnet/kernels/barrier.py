"""A barrier for threads that run one program in lockstep: one counter in memory, waited on without the interpreter."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from glassnet.kernels.codegen.addresses import integers_at
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.context import DECISIONS, STOP

SPINS = 4000  # reads of the counter before the processor is yielded to others (tens of microseconds)


@intrinsic
def _fetch_add(_typing: Any, address: Any) -> Any:
    """counter += 1; the value before."""

    def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        counter = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", counter, ir.IntType(64)(1), "seq_cst")

    return types.int64(types.int64), codegen


@intrinsic
def _atomic_load(_typing: Any, address: Any) -> Any:
    def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        counter = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(counter, "seq_cst", 8)

    return types.int64(types.int64), codegen


@intrinsic
def _yield_processor(_typing: Any) -> Any:
    """Yield the processor to other threads, where the system has POSIX's call for it."""

    def codegen(context: Any, builder: ir.IRBuilder, _signature: Any, _args: Sequence[ir.Value]) -> ir.Value:
        if os.name == "posix":
            function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.IntType(32), []), "sched_yield")
            builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), codegen


@compiled
def barrier_wait(address, threads):
    """Wait until all `threads` have called this; the counter at `address` only ever grows."""
    if threads == 1:
        return
    goal = (_fetch_add(address) // threads + 1) * threads
    spins = 0
    while _atomic_load(address) < goal:
        spins += 1
        if spins > SPINS:
            _yield_processor()


@compiled
def read_stop(signals, step):
    """Before a step, the first thread copies the stop flag to where `stopped` reads it after the step.

    All threads must pass a barrier in between. Even and odd steps use different places, because the first thread may begin
    the next step while others still read the decision of the last one.
    """
    integers_at(signals, DECISIONS[1] + 1)[DECISIONS[0] + step % 2] = _atomic_load(signals + 8 * STOP)


@compiled
def stopped(signals, step):
    """Whether to end the program after this step; the same in every thread."""
    return _atomic_load(signals + 8 * (DECISIONS[0] + step % 2)) != 0
