"""A barrier for threads that run one program in lockstep: one counter in memory, waited on without the interpreter."""

from __future__ import annotations

import os

from numba import int64, void
from numba.core import types

from glassnet.kernels.codegen.addresses import integers_at
from glassnet.kernels.codegen.host import IS_WASM
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.codegen.simd import I32, I64, emitted
from glassnet.kernels.context import ANSWERED, CALL, CALLED, DECISIONS, NOBODY, STOP, TAKEN, WAITING

PATIENCE = 1_000_000  # reads of a call's place before the second thread gives up (about half a millisecond)
ANSWER = 1000  # reads of it before a call is taken back (about a microsecond)
SPINS = 4000  # reads of the counter before the processor is yielded to others (tens of microseconds)


@emitted(types.int64(types.int64))
def _fetch_add(emit, address):
    """counter += 1; the value before."""
    return emit.builder.atomic_rmw("add", emit.pointer(address, I64), I64(1), "seq_cst")


@emitted(types.int64(types.int64))
def _atomic_load(emit, address):
    return emit.builder.load_atomic(emit.pointer(address, I64), "seq_cst", 8)


@emitted(types.void(*[types.int64] * 2))
def _atomic_store(emit, value, address):
    emit.builder.store_atomic(value, emit.pointer(address, I64), "seq_cst", 8)


@emitted(types.boolean(*[types.int64] * 3))
def _replace(emit, address, old, new):
    """Whether the number there was `old`; then it is `new`."""
    found = emit.builder.cmpxchg(emit.pointer(address, I64), old, new, "seq_cst", "seq_cst")
    return emit.builder.extract_value(found, 1)


@emitted()
def _yield_processor(emit):
    """Yield the processor to other threads, where the system has POSIX's call for it."""
    if os.name == "posix" and not IS_WASM:
        emit.builder.call(emit.declare("sched_yield", I32, []), [])


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
def take_step(signals):
    """The number of the next step that none has taken."""
    return _fetch_add(signals + 8 * TAKEN)


@outlined(void(int64, int64))
def await_flag(address, reads):
    """Wait until the integer at `address` is not 0, or has been read so often; threads without a core go first."""
    while reads > 0 and _atomic_load(address) == 0:
        reads -= 1
        _yield_processor()


@compiled
def call_second(signals):
    """Call the second thread; whether it answers. If not, another process has its core, and the call is taken back."""
    place, reads = signals + 8 * CALL, 0
    if not _replace(place, WAITING, CALLED):
        return False
    while _atomic_load(place) == CALLED and reads < ANSWER:
        reads += 1
    return not _replace(place, CALLED, WAITING)


@compiled
def wait_for_call(signals):
    """As the second thread, wait for a call and answer it; whether one came before PATIENCE was at its end."""
    place, reads = signals + 8 * CALL, 0
    _atomic_store(WAITING, place)
    while reads < PATIENCE or not _replace(place, WAITING, NOBODY):
        if _atomic_load(place) == CALLED and _replace(place, CALLED, ANSWERED):
            return True
        reads += 1
        if reads % SPINS == 0:  # the first thread may be on the same processor
            _yield_processor()
    return False


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
