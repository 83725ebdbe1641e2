"""Threads that run one compiled program together while the calling thread waits."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any

Task = Callable[[], object]
IDLE = 1.0  # seconds after which a thread without a task looks whether its pool is still there


class Workers:
    """A pool of `count` threads that run `count` tasks at the same time, again and again.

    Ctrl-C raises KeyboardInterrupt in the main thread between any two of its bytecodes, so the main thread takes no part: it
    hands all tasks over in one call, and whatever happens to it, `run` is not left before every task has ended.
    """

    def __init__(self, count: int) -> None:
        self._process = os.getpid()
        self._open = True
        self._queues: list[SimpleQueue[Any]] = [SimpleQueue() for _ in range(count)]
        for number, queue in enumerate(self._queues):
            arguments = (queue, self._queues[1:] if number == 0 else (), weakref.ref(self))
            threading.Thread(target=_work, args=arguments, name=f"glassnet-{number}", daemon=True).start()

    @property
    def usable(self) -> bool:
        """Whether the threads are there: not after `close`, nor in a process that was forked from theirs."""
        return self._open and self._process == os.getpid()

    def close(self) -> None:
        """End the threads. They also end, within a second, when nothing refers to the pool any more."""
        self._open = False
        self._queues[0].put(None)

    def run(self, tasks: Sequence[Task], stop: Callable[[], None]) -> None:
        """Run the tasks, one on each thread, to their end; on an interrupt, call `stop`, which shall end them soon."""
        try:
            self._submit(tasks).wait()
        except BaseException:
            stop()
            ended = self._submit([])  # behind the tasks, if they were submitted at all
            while not ended.done:
                with contextlib.suppress(KeyboardInterrupt):
                    ended.wait()
            raise

    def _submit(self, tasks: Sequence[Task]) -> _Signal:
        """Hand over the tasks; the signal is sent when all have ended."""
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


class _Signal:
    """Sent once; `wait` may be interrupted and called again, also where the interrupt came after its queue was read."""

    def __init__(self) -> None:
        self.done, self._queue = False, SimpleQueue[None]()

    def send(self) -> None:
        self.done = True
        self._queue.put(None)

    def wait(self) -> None:
        while not self.done:
            self._queue.get()


def _work(queue: SimpleQueue[Any], others: Sequence[SimpleQueue[Any]], pool: weakref.ref[Workers]) -> None:
    """Run what comes through `queue`, until that is None or the pool has gone; the first thread then ends the others."""
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
        del item, task, ended  # or what they refer to would live until the next task
    for other in others:
        other.put(None)
