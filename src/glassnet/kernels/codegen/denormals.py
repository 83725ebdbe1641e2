"""Numbers below 1e-38 count as zero while a program runs: processors take a hundred cycles for each of them.

Saturated sigmoids make millions. x86 has two bits for it in each thread's control register; elsewhere nothing is changed.
"""

from __future__ import annotations

import platform

from llvmlite import ir
from numba.core import types

from glassnet.kernels.codegen.host import IS_WASM
from glassnet.kernels.codegen.simd import I8, I32, emitted

FLUSH_AND_IGNORE = 0x8040  # flush-to-zero and denormals-are-zero of MXCSR
IS_X86 = not IS_WASM and platform.machine().lower() in ("x86_64", "amd64")


def _call(emit, name, slot):
    emit.builder.call(emit.declare(f"llvm.x86.sse.{name}", ir.VoidType(), [I8.as_pointer()]), [slot])


@emitted(types.int32())
def ignore_denormals(emit):
    """Set the two bits of this thread; the register as it was, for `restore`."""
    if not IS_X86:
        return I32(0)
    builder, slot = emit.builder, emit.variable(I32(0))
    address = builder.bitcast(slot, I8.as_pointer())
    _call(emit, "stmxcsr", address)
    before = builder.load(slot)
    builder.store(builder.or_(before, I32(FLUSH_AND_IGNORE)), slot)
    _call(emit, "ldmxcsr", address)
    return before


@emitted(types.void(types.int32))
def restore(emit, before):
    """Set this thread's control register to what it was."""
    if IS_X86:
        _call(emit, "ldmxcsr", emit.builder.bitcast(emit.variable(before), I8.as_pointer()))
