"""The job at an address."""

from __future__ import annotations

from numba import carray, from_dtype

from glassnet.kernels.codegen.addresses import make_pointer
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.job import JOB

_to_job = make_pointer(from_dtype(JOB))


@compiled
def job_at_address(address):
    return carray(_to_job(address), 1)[0]
