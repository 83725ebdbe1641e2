"""Threads that run one compiled program together while the calling thread waits or takes part."""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import os
import weakref
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any

Task = Callable[[], object]
IDLE = 1.0  # seconds between two checks, by a thread without a task, that its pool still exists
READS = 256  # of a flag by a thread that waits, before it sleeps: some 0.1 ms; to be woken takes 0.06 ms


class Workers:
    """A pool of `count` threads that run `count` tasks at the same time, again and again.

    Python raises KeyboardInterrupt in the main thread, between any two bytecodes. So the main thread runs no task that others
    wait for: it submits them all in one call and waits. `run` returns or raises only after every task has ended.
    """

    def __init__(self, count: int) -> None:
        self.count, self._process = count, os.getpid()
        self._open = True
        self._queues = [_Queue() for _ in range(count)]
        for number, queue in enumerate(self._queues):
            # Not threading.Thread: interrupted while it starts, it may keep a lock that the new thread waits for, for ever.
            _thread.start_new_thread(_work, (queue, self._queues[1:] if number == 0 else (), weakref.ref(self)))

    @property
    def usable(self) -> bool:
        """Whether the threads exist: not after `close`, and not in a forked process."""
        return self._open and self._process == os.getpid()

    def close(self) -> None:
        """End the threads. They also end within a second after the pool is garbage-collected."""
        self._open = False
        self._queues[0].put(None)

    def run(self, tasks: Sequence[Task], stop: Callable[[], None], own: Task | None = None) -> None:
        """Run the tasks, one on each thread, and wait for all. On an interrupt, call `stop`, which must make them return.

        The caller runs its `own` meanwhile, which no task waits for: it is interrupted like any Python code.
        """
        try:
            ended = self.start(tasks)
            if own is not None:
                own()
            ended.wait()
        except BaseException:
            stop()
            ended = self.start([])  # queued behind the tasks, if they were submitted at all
            while not ended.done:
                with contextlib.suppress(KeyboardInterrupt):
                    ended.wait()
            raise

    def start(self, tasks: Sequence[Task]) -> _Signal:
        """Queue the tasks; the signal is sent when all of them have ended."""
        ended, others = _Signal(), self._queues[1:]

        def lead() -> None:
            finished = [_Signal() for _ in tasks[1:]]
            for queue, task, signal in zip(others, tasks[1:], finished, strict=False):
                queue.put((task, signal))
            for task in tasks[:1]:
                task()
            for signal in finished:
                signal.wait()

        self._queues[0].put((lead, ended))
        return ended


class _Queue:
    """Its only reader watches it for a fraction of a millisecond, in compiled code, before it sleeps."""

    def __init__(self) -> None:
        from glassnet.kernels.library import library

        self._items, self._flag = SimpleQueue[Any](), ctypes.c_int64(0)
        self._watch, self._at = library()["glassnet_await_flag"], ctypes.addressof(self._flag)

    def put(self, item: object) -> None:
        self._flag.value = 1
        self._items.put(item)

    def get(self, timeout: float | None = None) -> Any:
        self._watch(self._at, READS)
        item = self._items.get(timeout=timeout)
        self._flag.value = 0
        return item


class _Signal:
    """Sent once. `wait` can be interrupted and called again, even when the interrupt came just after the queue was read."""

    def __init__(self) -> None:
        self.done, self._queue = False, _Queue()

    def send(self) -> None:
        self.done = True
        self._queue.put(None)

    def wait(self) -> None:
        while not self.done:
            self._queue.get()


def _work(queue: _Queue, others: Sequence[_Queue], pool: weakref.ref[Workers]) -> None:
    """Run tasks from the queue until None arrives or the pool is gone; the first thread then ends the others."""
    while True:
        try:
            item = queue.get(timeout=IDLE)
        except Empty:
            if pool() is None:
                break
            continue
        if item is None:
            break
        task, ended = item
        task()
        ended.send()
        del item, task, ended  # or they would stay alive until the next task
    for other in others:
        other.put(None)
