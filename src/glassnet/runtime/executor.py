"""The compiled interpreter with one program, and whether and on how many threads a network runs on it."""

from __future__ import annotations

import os
from functools import partial
from typing import ClassVar

import numpy as np

from glassnet.compiler import Program, can_lower
from glassnet.kernels import opcodes as op
from glassnet.kernels.codegen.host import kernels_wanted
from glassnet.kernels.job import JOB, SIGNALS, STOP
from glassnet.kernels.sizes import aligned_zeros
from glassnet.nn.stack import Stack
from glassnet.runtime.workers import Workers
from glassnet.support.arrays import Array

WORTH_A_THREAD = 4_000_000  # multiplications with additions a step and thread, below which threads wait more than they work


def use_kernels(stack: Stack) -> bool:
    """Whether this network runs on the kernels: float32, all layers known, and GLASSNET_KERNELS is not 0."""
    return kernels_wanted() and can_lower(stack)


def thread_count(wanted: int | None, work: float) -> int:
    """Threads for steps of `work` multiplications: as wanted, else as many as pay (GLASSNET_THREADS or all cores at most)."""
    if wanted is not None:
        return max(1, wanted)
    limit = os.environ.get("GLASSNET_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    most = int(limit) if limit.isdigit() and int(limit) > 0 else cores
    return max(1, min(most, int(work // WORTH_A_THREAD)))


def _address(array: Array) -> int:
    return array.ctypes.data


class Machine:
    """The interpreter with one program: its job records, and the arrays they point to, kept alive."""

    _FIELDS: ClassVar = {name: number for number, name in enumerate(JOB.names or ())}

    def __init__(self, stack: Stack, program: Program, threads: int) -> None:
        from glassnet.kernels.library import library

        kernels, operations = library(), set(program.code[:, 0].tolist())
        self._run = kernels["glassnet_run"]
        self._jobs = np.zeros(threads, dtype=JOB)
        self._numbers = self._jobs.view(np.int64).reshape(threads, -1)
        self._first = _address(self._jobs)
        self._alive: dict[str, Array] = {}
        self.threads, self.program = threads, program
        self._signals = aligned_zeros(SIGNALS, np.int64)
        self._workers: Workers | None = None
        self.bind(
            code=program.code,
            numbers=program.numbers,
            constants=program.constants,
            parameters=stack.flat,
            workspace=aligned_zeros(program.workspace),
            identity=np.arange(program.rows),
            records=program.records,
            signals=self._signals,
        )
        self.set(instructions=len(program.code), threads=threads, dropouts=program.dropouts)
        for name, members in op.UNITS.items():
            if not operations.isdisjoint(members):
                self.set(**{name: kernels.address(f"glassnet_{name}")})
        self._jobs["smoothing"], self._jobs["threshold"] = stack.loss.smoothing, stack.threshold
        scratch = [aligned_zeros(program.scratch, np.uint8) for _ in range(threads)]
        for number, room in enumerate(scratch):
            self._alive[f"scratch{number}"] = room
            self._jobs[number]["scratch"], self._jobs[number]["thread"] = _address(room), number

    def bind(self, **arrays: Array | None) -> None:
        """Point fields of the job at arrays (None: at nothing)."""
        for name, array in arrays.items():
            if array is None:
                self._alive.pop(name, None)
            else:
                self._alive[name] = array
            self._numbers[:, self._FIELDS[name]] = 0 if array is None else _address(array)

    def set(self, **numbers: int) -> None:
        for name, number in numbers.items():
            self._numbers[:, self._FIELDS[name]] = number

    def set_float(self, name: str, number: float) -> None:
        self._jobs[name] = number

    def run(self, first_step: int, last_step: int) -> None:
        """Run the steps. No thread is left inside the program when this returns or raises."""
        self.set(first_step=first_step, last_step=last_step)
        if self.threads == 1:
            self._run(self._first)  # KeyboardInterrupt is raised only after it returns
            return
        if self._workers is None or not self._workers.usable:
            self._workers = Workers(self.threads)
        self._signals[...] = 0
        self._workers.run([partial(self._share, number) for number in range(self.threads)], self._stop)

    def _share(self, thread: int) -> None:
        self._run(self._first + JOB.itemsize * thread)

    def _stop(self) -> None:
        self._signals[STOP] = 1

    def close(self) -> None:
        """End the threads; `run` starts others."""
        if self._workers is not None:
            self._workers.close()
