"""Reads memory-mapped images from the disk before the steps that are trained on them."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from glassnet.data import Dataset
from glassnet.support.arrays import Array
from glassnet.support.mapped import MappedRows
from glassnet.training.order import EpochOrder


class ReadAhead:
    """While the images of one window of an epoch are trained on, those of the next are read, and checked by `Dataset.verify`.

    Those of past windows are let go of: they stay in the system's cache as long as there is room.
    """

    def __init__(self, data: Dataset, rows: MappedRows) -> None:
        self._data, self._rows = data, rows
        self._rows.read_only_asked(True)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="glassnet-read-ahead")
        self._stopping = threading.Event()
        self._read: list[Future[None]] = []  # one for each window so far
        self._released = 0  # windows
        self._order: EpochOrder | None = None

    @classmethod
    def of(cls, data: Dataset, rows: Array) -> Self | None:
        """None where the rows that are trained on are in ordinary memory."""
        mapped = MappedRows.of(rows)
        return None if mapped is None else cls(data, mapped)

    def begin(self, order: EpochOrder) -> None:
        """Start reading for an epoch."""
        self._end_epoch()
        self._order = order
        self._ask(0)

    def need(self, first: int, last: int) -> None:
        """Wait for the images of these windows, ask for those of the next, and let go of those before.

        Raises what `Dataset.verify` raised for them.
        """
        self._ask(last)
        for future in self._read[first : last + 1]:
            future.result()
        self._ask(last + 1)
        self._release(first)

    def close(self) -> None:
        """End the thread."""
        self._end_epoch()
        self._pool.shutdown()
        self._rows.read_only_asked(False)

    def _end_epoch(self) -> None:
        self._stopping.set()
        for future in self._read:
            if not future.cancel():
                future.exception()  # waits for it
        self._stopping.clear()
        self._release(len(self._read))
        self._read, self._released = [], 0

    def _ask(self, window: int) -> None:
        assert self._order is not None
        while len(self._read) <= min(window, len(self._order.ranges) - 1):
            self._read.append(self._pool.submit(self._bring, self._order, len(self._read)))

    def _bring(self, order: EpochOrder, window: int) -> None:
        ranges = order.ranges[window]
        for bounds in ranges:
            self._rows.ask(*bounds)
        for bounds in ranges:
            if self._stopping.is_set():
                return
            if self._data.verify is not None:
                self._data.verify(*bounds)
            self._rows.read(*bounds)

    def _release(self, until: int) -> None:
        """Let go of the windows before `until`."""
        while self._released < until and self._order is not None:
            for bounds in self._order.ranges[self._released]:
                self._rows.release(*bounds)
            self._released += 1
