"""The job at an address."""

from __future__ import annotations

from numba import carray, from_dtype

from glassnet.kernels.jit import compiled
from glassnet.kernels.job import JOB
from glassnet.kernels.memory import make_pointer

_to_job = make_pointer(from_dtype(JOB))


@compiled
def job_at_address(address):
    return carray(_to_job(address), 1)[0]
