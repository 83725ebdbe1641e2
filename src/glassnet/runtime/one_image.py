"""One image through a network with as little around it as possible."""

from __future__ import annotations

import os
import time
from collections import deque
from math import inf
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.compiler import Program, assemble
from glassnet.kernels.context import CALL, NOBODY
from glassnet.nn.stack import Stack
from glassnet.runtime.executor import Executor
from glassnet.runtime.workers import Workers
from glassnet.support.arrays import Array

SOON = 5e-4  # seconds from the end of a call to the next, below which a second thread is woken
KNOWN, AGAIN = 16, 1024  # so many calls alone tell what one takes; one in so many of those on two threads is alone
LEAST, MOST = 20, 320  # the first thread is alone for so many times what the second has cost
LONGEST = 0.1  # seconds, and no longer


class OneImage:
    """A program for one image, on one thread or two; what it reads and writes stays in one place, so a call only copies."""

    def __init__(self, stack: Stack, purpose: str, dtype: np.dtype[Any], threads: int) -> None:
        is_bytes = dtype == np.uint8
        self._image = np.zeros((1, stack.features), dtype)
        self._outputs, self._classes = np.zeros((1, stack.outputs), np.float32), np.zeros(1, np.int64)
        program = assemble(stack, 1, is_bytes=is_bytes, purpose=purpose)
        self._executor = Executor(stack, program, 1) if threads == 1 else TwoThreads(stack, program)
        self._executor.bind(images=self._image, outputs=self._outputs, classes=self._classes, order=np.zeros(1, np.int64))
        self._executor.set(is_bytes=int(is_bytes), batch_size=1, images_in_order=1, first_step=0, last_step=1)

    def __call__(self, row: Array) -> tuple[Array, NDArray[np.int64]]:
        """The outputs (1, outputs) and the class (1,) of an image (1, features) of this type."""
        self._image[...] = row
        self._executor.repeat()
        return self._outputs.copy(), self._classes.copy()

    def close(self) -> None:
        """End the second thread; a later call may start another."""
        self._executor.close()


class TwoThreads(Executor):
    """Runs a program in this thread, and in a second one where calls follow each other closely.

    The second thread then waits in compiled code, where it hears of a call within a microsecond; waking it takes longer than
    many a call. After half a millisecond without one it sleeps, and the first thread runs alone. So it does for a while once
    calls of both have cost a call's time more than it usually takes alone: another process has a core, or there is little
    to share.
    """

    def __init__(self, stack: Stack, program: Program) -> None:
        from glassnet.kernels.library import library

        super().__init__(stack, program, 2)
        self._lead, self._follow = library()["glassnet_lead"], library()["glassnet_follow"]
        self._ended, self._until = -inf, 0.0
        self._seconds_alone: deque[float] = deque(maxlen=KNOWN)
        self._alone, self._saved, self._factor = 0.0, 0.0, LEAST  # seconds; those saved by the second thread
        self._calls, self._awake, self._process = 0, False, os.getpid()

    def _run_threads(self) -> None:
        if self._process != os.getpid():  # a fork has the first thread alone
            self._process, self._awake, self.workers = os.getpid(), False, None
            self._signals[CALL] = NOBODY
        begin = time.perf_counter()
        self._calls += 1
        if begin < self._until or len(self._seconds_alone) < KNOWN or self._calls % AGAIN == 0:
            self._contexts[0]["threads"] = 1
            self._run(self._first)
        else:
            if not self._awake and begin - self._ended < SOON:
                self._wake()
            self._lead(self._first)
        self._ended = time.perf_counter()
        self._judge(self._ended - begin)

    def _judge(self, seconds: float) -> None:
        """Until when the next calls are the first thread's alone."""
        if self._contexts[0]["threads"] == 1:
            self._seconds_alone.append(seconds)
            self._alone = 0.0
            return
        alone = self._alone = self._alone or median(self._seconds_alone)
        self._saved = min(self._saved + alone - seconds, alone)
        if self._saved == alone:
            self._factor = LEAST
        elif self._saved < -alone:
            self._until = self._ended + min(self._factor * -self._saved, LONGEST)
            self._saved, self._factor = 0.0, min(2 * self._factor, MOST)

    def _wake(self) -> None:
        if self.workers is None or not self.workers.usable:
            self.workers = Workers(1)
        self._awake = True
        self.workers.start([self._run_second])

    def _run_second(self) -> None:
        self._follow(self._address_of(1))
        self._awake = False
