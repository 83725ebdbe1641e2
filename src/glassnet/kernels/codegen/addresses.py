"""Arrays and records at addresses: kernels take integers, so that one compiled form serves every array, read-only or not."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, from_dtype
from numba.core import types
from numba.extending import intrinsic

from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.records import Record


def make_pointer(kind: Any) -> Any:
    pointer = types.CPointer(kind)

    @intrinsic
    def as_pointer(_typing: Any, address: Any) -> Any:
        def codegen(context: Any, builder: ir.IRBuilder, _signature: Any, args: Sequence[ir.Value]) -> ir.Value:
            return builder.inttoptr(args[0], context.get_value_type(pointer))

        return pointer(types.int64), codegen

    return as_pointer


def _array_at(kind: Any) -> Any:
    """The compiled function from an address and a size to the array that lies there."""
    to_items = make_pointer(kind)

    @compiled
    def at(address, size):
        return carray(to_items(address), (size,))

    return at


floats_at, doubles_at, bytes_at = map(_array_at, (types.float32, types.float64, types.uint8))
integers_at, int32_at, keys_at = map(_array_at, (types.int64, types.int32, types.uint64))


@compiled
def clear(address, size):
    """Set so many floats to 0."""
    values = floats_at(address, size)
    for i in range(size):
        values[i] = np.float32(0)


@compiled
def copy(source_at, target_at, size):
    """Copy so many floats."""
    source, target = floats_at(source_at, size), floats_at(target_at, size)
    for i in range(size):
        target[i] = source[i]


@functools.cache
def record_at(kind: type[Record]) -> Any:
    """The compiled function from an address to the record of this kind that lies there."""
    to_record = make_pointer(from_dtype(kind.dtype))

    @compiled
    def at(address):
        return carray(to_record(address), 1)[0]

    return at
