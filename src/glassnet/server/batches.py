"""Prediction beside the event loop: the images of all requests that wait go through the network together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, Generic, TypeVar

from glassnet.server.guard import busy
from glassnet.support.i18n import tr

Image = TypeVar("Image")
MOST = 64  # images in a batch, unless one request has more
MOST_WAITING = 2048  # images


class Batches(Generic[Image]):
    """Asks `answer` in `thread`, one batch after the other: while one is computed, the next one gathers.

    A lone request is answered at once; nothing waits for company. Answers do not depend on it: `answer` treats each image by
    itself, up to rounding.
    """

    def __init__(self, answer: Callable[[list[Image]], Sequence[Any]], thread: Executor, most: int = MOST) -> None:
        self._answer, self._thread, self._most = answer, thread, most
        self._waiting: deque[tuple[list[Image], asyncio.Future[Sequence[Any]]]] = deque()
        self._images, self._running = 0, False

    async def __call__(self, images: list[Image]) -> Sequence[Any]:
        """The answers to these images. Raises `Refused` (503) where too many wait."""
        if self._images + len(images) > MOST_WAITING:
            raise busy(tr("Too many images wait for an answer."))
        future: asyncio.Future[Sequence[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((images, future))
        self._images += len(images)
        if not self._running:
            self._start()
        return await future

    def _start(self) -> None:
        taken: list[tuple[list[Image], asyncio.Future[Sequence[Any]]]] = []
        count = 0
        while self._waiting and (not taken or count + len(self._waiting[0][0]) <= self._most):
            images, future = self._waiting.popleft()
            count += len(images)
            if future.cancelled():  # whoever asked has gone, or waited too long
                self._images -= len(images)
            else:
                taken.append((images, future))
        self._running = bool(taken)
        if taken:
            batch = [image for images, _ in taken for image in images]
            done = asyncio.get_running_loop().run_in_executor(self._thread, self._answer, batch)
            done.add_done_callback(lambda done: self._finish(taken, done))

    def _finish(
        self, taken: list[tuple[list[Image], asyncio.Future[Sequence[Any]]]], done: asyncio.Future[Sequence[Any]]
    ) -> None:
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        start = 0
        for images, future in taken:
            self._images -= len(images)
            if future.done():
                pass
            elif error is not None:
                future.set_exception(error)
            else:
                future.set_result(done.result()[start : start + len(images)])
            start += len(images)
        self._start()
