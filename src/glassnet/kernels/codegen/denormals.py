"""Numbers below 1e-38 count as zero while a program runs: processors take a hundred cycles for each of them.

Saturated sigmoids make millions. x86 has two bits for it in each thread's control register; elsewhere nothing is changed.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from glassnet.kernels.codegen.simd import I8, I32

FLUSH_AND_IGNORE = 0x8040  # flush-to-zero and denormals-are-zero of MXCSR
IS_X86 = platform.machine().lower() in ("x86_64", "amd64")


def _call(builder: ir.IRBuilder, name: str, slot: ir.Value) -> None:
    kind = ir.FunctionType(ir.VoidType(), [I8.as_pointer()])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.sse.{name}")
    builder.call(function, [builder.bitcast(slot, I8.as_pointer())])


@intrinsic
def ignore_denormals(_typing: Any) -> Any:
    """Set the two bits of this thread; the register as it was, for `restore`."""

    def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, _args: Sequence[ir.Value]) -> ir.Value:
        if not IS_X86:
            return I32(0)
        slot = cgutils.alloca_once(builder, I32)
        _call(builder, "stmxcsr", slot)
        before = builder.load(slot)
        builder.store(builder.or_(before, I32(FLUSH_AND_IGNORE)), slot)
        _call(builder, "ldmxcsr", slot)
        return before

    return types.int32(), codegen


@intrinsic
def restore(_typing: Any, before: Any) -> Any:
    """Set this thread's control register to what it was."""

    def codegen(context: Any, builder: ir.IRBuilder, _signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        if IS_X86:
            slot = cgutils.alloca_once(builder, I32)
            builder.store(args[0], slot)
            _call(builder, "ldmxcsr", slot)
        return context.get_dummy_value()

    return types.void(types.int32), codegen
