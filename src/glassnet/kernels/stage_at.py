"""The records of stages and of recurrent layers at their addresses."""

from __future__ import annotations

from numba import carray, from_dtype

from glassnet.kernels.codegen.addresses import make_pointer
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.stage import SEQUENCE, STAGE

_to_stage, _to_sequence = make_pointer(from_dtype(STAGE)), make_pointer(from_dtype(SEQUENCE))


@compiled
def stage_at_address(address):
    return carray(_to_stage(address), 1)[0]


@compiled
def sequence_at_address(address):
    return carray(_to_sequence(address), 1)[0]
