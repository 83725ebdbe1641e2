"""Records at addresses."""

from __future__ import annotations

import functools
from typing import Any

from numba import carray, from_dtype

from glassnet.kernels.codegen.addresses import make_pointer
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.records import Record


@functools.cache
def record_at(kind: type[Record]) -> Any:
    """The compiled function from an address to the record of this kind that lies there."""
    to_record = make_pointer(from_dtype(kind.dtype))

    @compiled
    def at(address):
        return carray(to_record(address), 1)[0]

    return at
