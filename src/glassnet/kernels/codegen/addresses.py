"""Arrays at addresses: kernels are handed integers, so that one compiled form serves every array, read-only or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import carray
from numba.core import types
from numba.extending import intrinsic

from glassnet.kernels.codegen.jit import compiled


def make_pointer(kind: Any) -> Any:
    pointer = types.CPointer(kind)

    @intrinsic
    def as_pointer(_typing: Any, address: Any) -> Any:
        def codegen(context: Any, builder: ir.IRBuilder, _signature: Any, args: Sequence[ir.Value]) -> ir.Value:
            return builder.inttoptr(args[0], context.get_value_type(pointer))

        return pointer(types.int64), codegen

    return as_pointer


_to_floats, _to_doubles = make_pointer(types.float32), make_pointer(types.float64)
_to_integers, _to_int32, _to_bytes = make_pointer(types.int64), make_pointer(types.int32), make_pointer(types.uint8)
_to_keys = make_pointer(types.uint64)


@compiled
def floats_at(address, size):
    return carray(_to_floats(address), (size,))


@compiled
def doubles_at(address, size):
    return carray(_to_doubles(address), (size,))


@compiled
def integers_at(address, size):
    return carray(_to_integers(address), (size,))


@compiled
def int32_at(address, size):
    return carray(_to_int32(address), (size,))


@compiled
def bytes_at(address, size):
    return carray(_to_bytes(address), (size,))


@compiled
def keys_at(address, size):
    return carray(_to_keys(address), (size,))


__all__ = ["bytes_at", "doubles_at", "floats_at", "int32_at", "integers_at", "keys_at"]
