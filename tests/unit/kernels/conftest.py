"""Buffers at addresses, as the kernels take them, with traps around everything that must not be touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from glassnet.kernels.library import Library, library
from glassnet.kernels.sizes import SCRATCH_BYTES, aligned_zeros

Array = np.ndarray[Any, Any]
MARK = np.float32(-7.25e11)  # a number that no test computes
FENCE = 64  # floats before and after


class Guarded:
    """A float32 array between two fences; `check` fails where a fence was changed."""

    def __init__(self, values: Array, fence: float = float(MARK)) -> None:
        self._all = aligned_zeros(values.size + 2 * FENCE)
        self._all[...] = fence
        self.values = self._all[FENCE : FENCE + values.size].reshape(values.shape)
        self.values[...] = values
        self._before, self._after = self._all[:FENCE].copy(), self._all[FENCE + values.size :].copy()

    @property
    def at(self) -> int:
        return int(self.values.ctypes.data)

    def check(self) -> None:
        np.testing.assert_array_equal(self._all[:FENCE], self._before)
        np.testing.assert_array_equal(self._all[FENCE + self.values.size :], self._after)


@pytest.fixture(scope="session")
def kernels() -> Library:
    return library()


@pytest.fixture(scope="session")
def guarded() -> type[Guarded]:
    return Guarded


@pytest.fixture(scope="session")
def scratch() -> Callable[[], Array]:
    """One thread's scratch, full of what an earlier kernel might have left: here NaN."""

    def make() -> Array:
        room = aligned_zeros(SCRATCH_BYTES, np.uint8)
        room[...] = 0xFF
        return room

    return make
