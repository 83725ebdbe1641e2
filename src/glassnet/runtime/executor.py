"""A program on the compiled interpreter, and whether and on how many threads a network runs on it."""

from __future__ import annotations

from functools import partial

import numpy as np

from glassnet.compiler import Program, can_lower
from glassnet.kernels import opcodes as op
from glassnet.kernels.codegen.host import kernels_enabled
from glassnet.kernels.context import SIGNALS, STOP, Context
from glassnet.kernels.sizes import address, aligned_empty, aligned_zeros
from glassnet.nn.stack import Stack
from glassnet.runtime.kept_weights import KeptWeights
from glassnet.runtime.workers import Workers
from glassnet.support.arrays import Array
from glassnet.support.environment import available_cores, check_variable

WORTH_A_THREAD = 4_000_000  # multiplications with additions a step and thread, below which threads would mostly wait


def use_kernels(stack: Stack) -> bool:
    """Whether this network runs on the kernels: float32, all layers known, and GLASSNET_KERNELS is not 0."""
    return kernels_enabled() and can_lower(stack)


def thread_count(threads: int | None, work: float, processes: int = 1, worth: int = WORTH_A_THREAD) -> int:
    """Threads for steps of `work` multiplications: as given, else one for each `worth`.

    At most GLASSNET_THREADS, or all cores, which are divided between `processes` of this machine.
    """
    if threads is not None:
        return max(1, threads)
    return max(1, min(most_threads(processes), int(work // worth)))


def most_threads(processes: int = 1) -> int:
    """GLASSNET_THREADS, else a process's share of the cores."""
    limit = check_variable("GLASSNET_THREADS")
    return int(limit) if limit else max(1, available_cores() // processes)


def label_arrays(labels: Array) -> dict[str, Array | None]:
    """What to bind for labels: class indices, or rows of floats as targets."""
    floating = labels.dtype.kind == "f"
    return {
        "labels": None if floating else np.ascontiguousarray(labels, dtype=np.int64),
        "targets": np.ascontiguousarray(labels, dtype=np.float32) if floating else None,
    }


class Executor:
    """Runs one program: the interpreter's contexts, one for each thread, and the arrays they point to, kept alive.

    The threads share each step, and one workspace; or, `apart`, each has its own, and takes the next step that none has.
    """

    def __init__(self, stack: Stack, program: Program, threads: int, *, apart: bool = False) -> None:
        from glassnet.kernels.library import library

        kernels, opcodes = library(), set(program.code[:, 0].tolist())
        self._run = kernels["glassnet_run"]
        self._contexts = np.zeros(threads, dtype=Context.dtype)
        self._first = self._contexts.ctypes.data
        self._alive: dict[str, Array] = {}
        self.threads, self.program, self._apart = threads, program, apart
        self._signals = aligned_zeros(SIGNALS, np.int64)
        self.workspace: Array = aligned_zeros(0 if apart else program.workspace)
        self.workers: Workers | None = None  # that others may use, too
        self.takes_part = False  # whether the caller runs a share of steps taken apart, which no interrupt ends
        self._kept = KeptWeights(stack, program.weights) if program.prepared else None
        self.bind(
            code=program.code,
            constants=program.constants,
            parameters=stack.flat,
            workspace=self.workspace,
            identity=np.arange(program.rows),
            records=program.records,
            signals=self._signals,
        )
        self.set(instructions=len(program.code), prepared=program.prepared, threads=threads, keys_per_step=program.keys)
        for name, members in op.UNITS.items():
            if not opcodes.isdisjoint(members):
                self.set(**{name: kernels.address(f"glassnet_{name}")})
        for number, context in enumerate(self._contexts):
            scratch = self._alive[f"scratch{number}"] = aligned_empty(program.scratch, np.uint8)
            context["scratch"], context["thread"] = address(scratch), number
            if apart:
                own = self._alive[f"workspace{number}"] = aligned_zeros(program.workspace)
                context["workspace"], context["thread"], context["threads"], context["dealt"] = address(own), 0, 1, 1

    def bind(self, **arrays: Array | None) -> None:
        """Point fields of the contexts at arrays (None: at nothing)."""
        for name, array in arrays.items():
            if array is None:
                self._alive.pop(name, None)
            else:
                self._alive[name] = array
            self._contexts[name] = 0 if array is None else address(array)

    def set(self, **numbers: float) -> None:
        """Set fields of the contexts."""
        for name, number in numbers.items():
            self._contexts[name] = number

    @property
    def mini_batch(self) -> tuple[int, int]:
        """Of the step that runs: the place of its first image in the order, and how many it has."""
        return int(self._contexts[0]["first"]), int(self._contexts[0]["images_in_batch"])

    def run(self, first_step: int, last_step: int) -> None:
        """Run the steps. No thread is left inside the program when this returns or raises."""
        self.begin(first_step, last_step)
        if first_step < last_step:
            self.repeat()

    def begin(self, first_step: int, last_step: int) -> None:
        """Say which steps `repeat` runs, one or more."""
        self.set(first_step=first_step, last_step=last_step)
        self._signals[...] = 0

    def repeat(self) -> None:
        """Run the steps, again; what depends on the weights alone is computed only if they have changed."""
        if self._kept is None:
            self._run_threads()
            return
        self._contexts["is_prepared"] = self._kept.begin()
        self._run_threads()
        self._kept.end()

    def _run_threads(self) -> None:
        if self.threads == 1:
            self._run(self._first)  # KeyboardInterrupt is raised only after it returns
            return
        if self.workers is None or not self.workers.usable:
            self.workers = Workers(self.threads)
        tasks = [partial(self._run_thread, number) for number in range(self.threads)]
        own = tasks.pop() if self.takes_part else None
        self.workers.run(tasks, self.stop, own)

    def _run_thread(self, thread: int) -> None:
        self._run(self._address_of(thread))

    def _address_of(self, thread: int) -> int:
        return self._first + Context.dtype.itemsize * thread

    def stop(self) -> None:
        """End the run after the step that is under way."""
        self._signals[STOP] = 1

    def close(self) -> None:
        """End the threads; `run` starts others."""
        if self.workers is not None:
            self.workers.close()
