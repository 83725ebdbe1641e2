"""Rows of arrays in memory-mapped files: reading them before they are needed, and letting go of them afterwards."""

from __future__ import annotations

import mmap
from contextlib import suppress
from typing import Self

import numpy as np
from numpy.typing import NDArray

from glassnet.support.arrays import Array

AT_ONCE = 1 << 20  # bytes that the system is asked for in one call: of more, Linux may leave out the rest
STRIDE = 1024  # bytes between two that are touched: several in each page of memory


def is_mapped(array: Array) -> bool:
    """Whether an array is a view of a memory-mapped file, as `np.load(path, mmap_mode="r")` gives it, not a copy."""
    return MappedRows.of(array) is not None


class MappedRows:
    """The rows of an array (N, …) in a memory-mapped file. The array and its values stay what they are."""

    def __init__(self, rows: Array, mapping: mmap.mmap, *, releasable: bool) -> None:
        self._bytes: NDArray[np.uint8] = rows.reshape(-1).view(np.uint8)
        self._row = rows.nbytes // len(rows)
        self._mapping, self._releasable = mapping, releasable
        start = np.frombuffer(mapping, np.uint8).__array_interface__["data"][0]
        self._offset = self._bytes.__array_interface__["data"][0] - start

    @classmethod
    def of(cls, rows: Array) -> Self | None:
        """None where the rows, C-contiguous, are in ordinary memory."""
        array: object = rows
        mode = None
        while isinstance(array, np.ndarray):
            mode = getattr(array, "mode", mode)  # of a np.memmap
            array = array.base
        if not isinstance(array, mmap.mmap) or not rows.size:
            return None
        # Pages that were changed in memory alone (mode "c"), or may have been, must be kept.
        return cls(rows, array, releasable=mode in ("r", "r+", "w+"))

    def read_only_asked(self, only: bool) -> None:
        """Whether the system is to read what it is asked for alone, not what lies around it: of random places, waste."""
        self._advise("MADV_RANDOM" if only else "MADV_NORMAL", *self._bounds(0, len(self._bytes) // self._row))

    def ask(self, first: int, last: int) -> None:
        """Ask the system to read the rows, without waiting for them."""
        start, end = self._bounds(first, last)
        for place in range(start, end, AT_ONCE):
            self._advise("MADV_WILLNEED", place, min(place + AT_ONCE, end))

    def read(self, first: int, last: int) -> None:
        """Bring the rows into memory; other threads go on meanwhile."""
        self._bytes[first * self._row : last * self._row : STRIDE].max(initial=0)

    def release(self, first: int, last: int) -> None:
        """Let go of the rows: they no longer count as this process's memory, and are read again when they are used."""
        if self._releasable:
            self._advise("MADV_DONTNEED", *self._bounds(first, last))

    def _bounds(self, first: int, last: int) -> tuple[int, int]:
        """Where the rows lie in the mapping, from the first byte to behind the last."""
        return self._offset + first * self._row, self._offset + last * self._row

    def _advise(self, name: str, start: int, end: int) -> None:
        """Call madvise, where the system has it, for the pages of these bytes."""
        option = getattr(mmap, name, None)
        if option is not None and end > start:
            start -= start % mmap.PAGESIZE
            with suppress(OSError):  # of file systems that do not take the advice
                self._mapping.madvise(option, start, end - start)
