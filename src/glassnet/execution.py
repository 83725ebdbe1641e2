"""Networks at work: training steps, costs and outputs over many pictures; on the kernels where they can, else in NumPy.

Both forms have the same face, so that neither training nor prediction asks which one it has.
"""

from __future__ import annotations

import os
import threading
from math import prod
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from glassnet.augmentation import Augmentation
from glassnet.kernels import operations as op
from glassnet.kernels.host import kernels_wanted
from glassnet.kernels.job import JOB
from glassnet.kernels.sizes import UPDATE_BLOCK, aligned_zeros
from glassnet.optimizers import Optimizer, average
from glassnet.program import Program, assemble, can_lower
from glassnet.reference import Array, augment
from glassnet.stack import Stack

WORTH_A_THREAD = 4_000_000  # multiplications with additions a step and thread, below which threads wait more than they work
FORWARD_FLOATS = 1 << 21  # room for the values of one block of pictures in prediction


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
        self.bind(
            code=program.code,
            numbers=program.numbers,
            constants=program.constants,
            parameters=stack.flat,
            workspace=aligned_zeros(program.workspace),
            identity=np.arange(program.rows),
            records=program.records,
            counter=np.zeros(8, dtype=np.int64),
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
        """Run the steps; the calling thread takes part."""
        self.set(first_step=first_step, last_step=last_step)
        if self.threads == 1:
            self._run(self._first)
            return
        others = [
            threading.Thread(target=self._run, args=(self._first + JOB.itemsize * number,), daemon=True)
            for number in range(1, self.threads)
        ]
        for thread in others:
            thread.start()
        self._run(self._first)
        for thread in others:
            thread.join()


class Trainer(Protocol):
    """Runs training steps over a data set in the order of `begin_epoch`; results lie in place of that order.

    `changes` is the chance that augments the pictures of an epoch; without it, they are taken as they are.
    """

    costs: NDArray[np.float64]
    classes: NDArray[np.int64]
    gradient: Array
    moments: tuple[Array, Array]
    average: Array  # the moving average of the state; empty where there is none

    def begin_epoch(
        self,
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        rng: np.random.Generator,
        changes: np.random.Generator | None = None,
    ) -> None: ...

    def run(self, first_step: int, last_step: int, past_steps: int, *, keep_gradient: bool = False) -> None: ...


class CompiledTrainer:
    """Training steps on the kernels."""

    def __init__(
        self,
        stack: Stack,
        rows: Array,
        labels: Array,
        *,
        batch_size: int,
        optimizer: Optimizer,
        weights: NDArray[np.float64] | None,
        threads: int | None,
        averaging: float | None = None,
        augmentation: Augmentation | None = None,
        shape: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        batch, is_bytes = min(batch_size, len(rows)), rows.dtype == np.uint8
        program = assemble(stack, batch, is_bytes=is_bytes, purpose="train", augmentation=augmentation, shape=shape)
        machine = Machine(stack, program, thread_count(threads, 3 * batch * sum(stack.operations())))
        size, n = stack.flat.size, len(rows)
        segments = stack.segments(optimizer.decay)
        self.costs, self.classes = np.zeros(n), np.zeros(n, dtype=np.int64)
        self.gradient = aligned_zeros(size)
        first, second = (aligned_zeros(size if optimizer.moments > i else 0) for i in (0, 1))
        self.moments: tuple[Array, Array] = (first, second)
        self.average = aligned_zeros(0 if averaging is None else stack.state.size)
        self.average[...] = stack.state[: len(self.average)]
        floating = labels.dtype.kind == "f"
        machine.bind(
            pictures=rows,
            labels=None if floating else np.ascontiguousarray(labels, dtype=np.int64),
            targets=np.ascontiguousarray(labels, dtype=np.float32) if floating else None,
            weights=weights,
            gradient=self.gradient,
            first_moment=self.moments[0],
            second_moment=self.moments[1],
            average=self.average,
            segments=segments,
            options=np.array(optimizer.options),
            sums=np.zeros(sum(int(row[1]) // UPDATE_BLOCK + 1 for row in segments) + 1),
            costs=self.costs,
            classes=self.classes,
        )
        machine.set(
            is_bytes=int(is_bytes),
            pictures_in_order=n,
            batch_size=batch,
            segment_count=len(segments),
            optimizer=optimizer.code,
            training=1,
            averaged=len(self.average),
        )
        machine.set_float("clip", optimizer.clip_norm)
        machine.set_float("averaging", averaging or 0.0)
        self._machine = machine

    def begin_epoch(
        self,
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        rng: np.random.Generator,
        changes: np.random.Generator | None = None,
    ) -> None:
        program, steps = self._machine.program, len(rates)
        keys = np.zeros((steps, max(1, program.dropouts)), dtype=np.uint64)
        dropouts = program.dropouts - program.augmented
        if dropouts:
            keys[:, program.augmented :] = rng.integers(0, 2**64, size=(steps, dropouts), dtype=np.uint64)
        if program.augmented and changes is not None:
            keys[:, 0] = changes.integers(0, 2**64, size=steps, dtype=np.uint64)
        self._machine.set(plain=int(changes is None))
        self._machine.bind(order=np.ascontiguousarray(order), rates=np.ascontiguousarray(rates), keys=keys)

    def run(self, first_step: int, last_step: int, past_steps: int, *, keep_gradient: bool = False) -> None:
        self._machine.set(past_steps=past_steps, keep_gradient=int(keep_gradient))
        self._machine.run(first_step, last_step)


class ReferenceTrainer:
    """Training steps in NumPy, layer by layer."""

    def __init__(
        self,
        stack: Stack,
        rows: Array,
        labels: Array,
        *,
        batch_size: int,
        optimizer: Optimizer,
        weights: NDArray[np.float64] | None,
        threads: int | None,
        averaging: float | None = None,
        augmentation: Augmentation | None = None,
        shape: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        self._options, self._shape = None if augmentation is None else augmentation.numbers, shape
        self._stack, self._rows, self._labels, self._weights = stack, rows, labels, weights
        self._batch, self._optimizer = min(batch_size, len(rows)), optimizer
        self.costs, self.classes = np.zeros(len(rows)), np.zeros(len(rows), dtype=np.int64)
        self.gradient = np.zeros_like(stack.flat)
        first, second = (np.zeros(stack.flat.size if optimizer.moments > i else 0, stack.dtype) for i in (0, 1))
        self.moments: tuple[Array, Array] = (first, second)
        self._averaging, self.average = averaging, stack.state[: 0 if averaging is None else None].copy()

    def begin_epoch(
        self,
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        rng: np.random.Generator,
        changes: np.random.Generator | None = None,
    ) -> None:
        self._order, self._rates, self._rng, self._changes = order, rates, rng, changes

    @np.errstate(over="ignore", invalid="ignore")  # the training loop looks for costs that are not finite
    def run(self, first_step: int, last_step: int, past_steps: int, *, keep_gradient: bool = False) -> None:
        for step in range(first_step, last_step):
            places = slice(step * self._batch, (step + 1) * self._batch)
            chosen = self._order[places]
            costs, raw, gradient = self._stack.costs_and_gradient(
                self._pictures(chosen),
                self._labels[chosen],
                None if self._weights is None else self._weights[chosen],
                training=True,
                rng=self._rng,
            )
            self.costs[places], self.classes[places] = costs, self._stack.decide(raw)
            gradient += self._stack.penalty_and_gradient()[1]
            norm = float(np.linalg.norm(gradient.astype(np.float64)))
            scale = self._optimizer.clip_norm / norm if 0 < self._optimizer.clip_norm < norm else 1.0
            self.gradient[...] = gradient  # as it is before clipping
            self._update(float(self._rates[step]), scale, past_steps + step + 1)
            if self._averaging is not None:
                average(self.average, self._stack.state, self._averaging, past_steps + step)

    def _pictures(self, chosen: NDArray[np.int64]) -> Array:
        """The rows of a mini-batch, augmented in an epoch that is not plain."""
        rows = self._rows[chosen]
        if self._options is None or self._changes is None:
            return rows
        key = self._changes.integers(0, 2**64, dtype=np.uint64)
        found = augment(rows.reshape(-1, *self._shape), self._options, key, self._stack.dtype).reshape(rows.shape)
        return found / found.dtype.type(255) if rows.dtype == np.uint8 and self._stack.takes_pixels else found

    def _update(self, rate: float, scale: float, number: int) -> None:
        w, (first, second) = self._stack.flat, self.moments
        for slot in self._stack.slots:
            part = slice(slot.offset, slot.offset + slot.size)
            decay = self._optimizer.decay if slot.penalised else 0.0
            g = self.gradient[part] * self.gradient.dtype.type(scale)
            self._optimizer.step(w[part], g, first[part], second[part], rate, number, decay)


def make_trainer(stack: Stack, rows: Array, labels: Array, **options: Any) -> Trainer:
    """A trainer on the kernels where they know the network, else in NumPy."""
    if use_kernels(stack):
        return CompiledTrainer(stack, rows, labels, **options)
    return ReferenceTrainer(stack, rows, labels, **options)


class Forward:
    """Costs, classes and outputs of many pictures; keeps its programs for the next call."""

    def __init__(self, stack: Stack, threads: int | None = None) -> None:
        self._stack, self._threads = stack, threads
        self._kernels = use_kernels(stack)
        widths = sum(prod(shape) for shape in stack.shapes[1:])
        self._capacity = max(16, min(1024, FORWARD_FLOATS // max(1, widths)))
        self._work = sum(stack.operations())
        self._machines: dict[tuple[str, bool, int], Machine] = {}
        self._order, self._classes = np.arange(self._capacity), np.empty(self._capacity, dtype=np.int64)
        self._lock = threading.Lock()  # machines have one workspace each; a server may ask from several threads

    def _machine(self, purpose: str, is_bytes: bool, count: int) -> Machine:
        threads = 1 if count == 1 else thread_count(self._threads, min(count, self._capacity) * self._work)
        key = (purpose, is_bytes, threads)
        machine = self._machines.get(key)
        if machine is None:
            program = assemble(self._stack, self._capacity, is_bytes=is_bytes, purpose=purpose)
            machine = self._machines[key] = Machine(self._stack, program, threads)
            machine.set(is_bytes=int(is_bytes), batch_size=self._capacity)
            machine.bind(order=self._order, classes=self._classes)
        if count > len(self._order):
            self._order, self._classes = np.arange(count), np.empty(count, dtype=np.int64)
            for known in self._machines.values():
                known.bind(order=self._order, classes=self._classes)
        machine.set(pictures_in_order=count)
        return machine

    def outputs(self, rows: Array, purpose: str) -> tuple[Array, NDArray[np.int64]]:
        """The "raw" or last "outputs" (N, outputs), and the classes (N,)."""
        if not self._kernels:
            stop = self._stack.raw if purpose == "raw" else None
            blocks = [
                self._stack.forward(rows[i : i + self._capacity], stop=stop)[0].reshape(-1, self._stack.outputs)
                for i in range(0, max(1, len(rows)), self._capacity)
            ]
            found = np.concatenate(blocks)
            return found, self._stack.decide(found)
        found = np.empty((len(rows), self._stack.outputs), dtype=np.float32)
        return found, self._run(rows, purpose, outputs=found)

    def classes(self, rows: Array) -> NDArray[np.int64]:
        """The classes (N,)."""
        return self._run(rows, "raw") if self._kernels else self.outputs(rows, "raw")[1]

    def _run(self, rows: Array, purpose: str, **arrays: Array | None) -> NDArray[np.int64]:
        """Run a program over all pictures; their classes. `arrays` are what else the program reads or writes."""
        with self._lock:
            machine = self._machine(purpose, rows.dtype == np.uint8, len(rows))
            machine.bind(pictures=rows, **arrays)
            machine.run(0, -(-len(rows) // self._capacity))
            machine.bind(**dict.fromkeys(arrays))
            return self._classes[: len(rows)].copy()

    def costs(self, rows: Array, labels: Array) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Costs (N,), without penalty, and classes (N,)."""
        if not self._kernels:
            raw, classes = self.outputs(rows, "raw")
            target = self._stack.loss.targets(labels, raw.shape[1], raw.dtype.type)
            return self._stack.loss.value_and_gradient(raw, target)[0].astype(np.float64), classes
        costs = np.empty(len(rows))
        floating = labels.dtype.kind == "f"
        classes = self._run(
            rows,
            "costs",
            labels=None if floating else np.ascontiguousarray(labels, dtype=np.int64),
            targets=np.ascontiguousarray(labels, dtype=np.float32) if floating else None,
            costs=costs,
        )
        return costs, classes


__all__ = ["Forward", "Trainer", "make_trainer", "thread_count", "use_kernels"]
