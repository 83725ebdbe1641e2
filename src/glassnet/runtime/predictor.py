"""Losses, classes and outputs of many images."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.compiler import FEW_IMAGES, FLOAT32, INT8, PRECISIONS, Range, assemble
from glassnet.nn.confusion import top_k_hits
from glassnet.nn.stack import Stack
from glassnet.runtime.executor import Executor, label_arrays, thread_count, use_kernels
from glassnet.runtime.one_image import OneImage
from glassnet.runtime.precision import check_precision
from glassnet.runtime.workers import Workers
from glassnet.support.arrays import Array
from glassnet.support.memory import require_activations

BATCH_FLOATS = 1 << 22  # of the layers' outputs, at most, for the images that go through the network together
NEAR_FLOATS = 1 << 19  # of them where a thread takes few images, so that what it writes stays in its caches …
NEAR_IMAGES, FEWEST = 56, 4  # … at most so many, and at least
FAR_WEIGHTS, FAR_IMAGES = 1 << 20, 256  # more weights than these are fetched anew, for so many images of dense layers
DEALT_IMAGES = 128  # at most in a step where threads take turns, so that the one that gets on faster can take more
MANY_IMAGES = 256  # in a call, for which weights of dense layers are brought into the order in which products read them
ONE_IMAGE_WORTH = 300_000  # multiplications of one image worth a thread: reading their weights takes longer than they do
SHORT = 1 << 32  # multiplications, a tenth of a second, for which Ctrl-C waits
TOP_K_FLOATS = 1 << 22  # of the outputs of the images that are ranked together


class Predictor:
    """Losses, classes and outputs of many images; keeps its programs for the next call.

    `ranges`: of the inputs of layers whose products may be taken in int8.
    """

    def __init__(
        self,
        stack: Stack,
        threads: int | None = None,
        precision: str = FLOAT32,
        ranges: Mapping[int, Range] | None = None,
    ) -> None:
        self._stack, self._threads, self._precision, self._ranges = stack, threads, precision, ranges
        self._others: dict[str, Predictor] = {}
        self._kernels = use_kernels(stack)
        self._work = sum(stack.operations())
        widths = max(1, sum(prod(shape) for shape in stack.shapes[1:]))
        self._block = max(16, min(1024, BATCH_FLOATS // widths))
        self._together = max(FEWEST, min(NEAR_IMAGES, NEAR_FLOATS // widths))
        if stack.flat.size > FAR_WEIGHTS:
            self._together = max(self._together, min(FAR_IMAGES * stack.flat.size // max(1, self._work), self._block))
        self._capacity = max(FEW_IMAGES, self._together)
        self._executors: dict[tuple[str, bool, str, bool, int], Executor] = {}
        self._workers: Workers | None = None
        self._alone: dict[tuple[str, np.dtype[Any]], OneImage] = {}
        self._order = np.arange(self._capacity)
        self._lock = threading.Lock()  # executors have one workspace each; a server may ask from several threads

    def __reduce__(self) -> tuple[type[Predictor], tuple[Any, ...]]:
        return type(self), (self._stack, self._threads, self._precision, self._ranges)  # copies compile anew

    def at(self, precision: str, where: str) -> Predictor:
        """The same with products of another precision."""
        if precision == self._precision:
            return self
        if check_precision(precision, self._stack, where, known=(*PRECISIONS, INT8)) not in self._others:
            self._others[precision] = Predictor(self._stack, self._threads, precision)
        return self._others[precision]

    def _executor(self, purpose: str, is_bytes: bool, count: int) -> Executor:
        """With as many threads as so many images are worth."""
        threads = max(1, min(count, thread_count(self._threads, count * self._work)))
        precision = self._precision if count >= FEW_IMAGES else FLOAT32  # whether weights are the same takes longest
        many = count >= MANY_IMAGES
        key = purpose, is_bytes, precision, many, threads
        executor = self._executors.get(key)
        if executor is None:
            program = assemble(
                self._stack, self._capacity, is_bytes=is_bytes, purpose=purpose, precision=precision, ranges=self._ranges,
                many=many,
            )  # fmt: skip
            executor = Executor(self._stack, program, threads, apart=True)
            executor.set(is_bytes=int(is_bytes))
            self._executors[key] = executor
        if threads > 1 and (self._workers is None or not self._workers.usable or self._workers.count < threads):
            self._workers = Workers(threads)
        executor.workers, executor.takes_part = self._workers, count * self._work < SHORT
        return executor

    def close(self) -> None:
        """End the threads that prediction has started; the next call starts others."""
        if self._workers is not None:
            self._workers.close()
        for program in self._alone.values():
            program.close()
        for other in self._others.values():
            other.close()

    def outputs(self, rows: Array, purpose: str) -> tuple[Array, NDArray[np.int64]]:
        """The "raw" or last "outputs" (N, outputs), and the classes (N,)."""
        if not self._kernels:
            count = min(self._block, len(rows))
            require_activations(count * self._stack.bytes_per_image, count)
            stop = self._stack.layers_before_loss if purpose == "raw" else None
            blocks = [
                self._stack.forward(rows[i : i + self._block], stop=stop)[0].reshape(-1, self._stack.outputs)
                for i in range(0, max(1, len(rows)), self._block)
            ]
            found = np.concatenate(blocks)
            return found, self._stack.decide(found)
        if len(rows) == 1:
            return self._of_one(rows, purpose)
        found = np.empty((len(rows), self._stack.outputs), dtype=np.float32)
        return found, self._run(rows, purpose, outputs=found)

    def classes(self, rows: Array) -> NDArray[np.int64]:
        """The classes (N,)."""
        if not self._kernels or len(rows) == 1:
            return self.outputs(rows, "raw")[1]
        return self._run(rows, "raw")

    def _of_one(self, row: Array, purpose: str) -> tuple[Array, NDArray[np.int64]]:
        """The outputs (1, outputs) and the class (1,) of one image, by a program of its own."""
        with self._lock:
            program = self._alone.get((purpose, row.dtype))
            if program is None:
                threads = min(thread_count(limit, self._work, worth=ONE_IMAGE_WORTH) for limit in (self._threads, None))
                program = self._alone[purpose, row.dtype] = OneImage(self._stack, purpose, row.dtype, threads)
            return program(row)

    def top_k_hits(self, rows: Array, labels: NDArray[np.int64], k: int) -> int:
        """Of how many images the true class is among the k with the largest raw outputs; many images at a time."""
        if self._stack.outputs == 1:  # two classes, and k is 2
            return len(rows)
        many = max(self._block, TOP_K_FLOATS // self._stack.outputs)
        starts = range(0, len(rows), many)
        return sum(top_k_hits(self.outputs(rows[i : i + many], "raw")[0], labels[i : i + many], k) for i in starts)

    def _run(self, rows: Array, purpose: str, **arrays: Array | None) -> NDArray[np.int64]:
        """Run a program over all images; their classes. `arrays` are what else the program reads or writes.

        A thread takes some images from the first layer to the last, then the next that none has taken.
        """
        count, classes = len(rows), np.empty(len(rows), dtype=np.int64)
        if not count:
            return classes
        with self._lock:
            try:
                executor = self._executor(purpose, rows.dtype == np.uint8, count)
                if count > len(self._order):
                    self._order = np.arange(count)
                most = self._together if executor.threads == 1 else min(self._together, DEALT_IMAGES)
                rounds = -(-count // (executor.threads * most))  # of equal steps, one for each thread
                together = -(-count // (executor.threads * rounds))
                executor.set(images_in_order=count, batch_size=together)
                executor.bind(order=self._order, images=rows, classes=classes, **arrays)
                executor.begin(0, -(-count // together))
                executor.repeat()
                executor.bind(images=None, classes=None, **dict.fromkeys(arrays))
                return classes
            except BaseException:  # an interrupt may have left an executor half configured
                self._executors.clear()
                raise

    def losses(self, rows: Array, labels: Array) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Losses (N,), without penalty, and classes (N,)."""
        if not self._kernels:
            return self._losses_of(*self.outputs(rows, "raw"), labels)
        losses = np.empty(len(rows))
        return losses, self._run(rows, "losses", losses=losses, **label_arrays(labels))

    def _losses_of(
        self, raw: Array, classes: NDArray[np.int64], labels: Array
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        target = self._stack.loss.targets(labels, raw.shape[1], raw.dtype.type)
        return self._stack.loss.value_and_gradient(raw, target)[0].astype(np.float64), classes
