"""Whether weights are still those that a program has prepared for its kernels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassnet.kernels.sizes import KEPT_WORDS
from glassnet.nn.stack import Stack


class KeptWeights:
    """A fingerprint of stretches of a network's state as it was in the last run of a program.

    The state may be written at any time, through any view of it, so all its bits are read before a run; that takes a
    fraction of the time of the transforms that a run without a change leaves out.
    """

    def __init__(self, stack: Stack, stretches: Sequence[tuple[int, int]]) -> None:
        from glassnet.kernels.library import library

        self._keep, self._valid = library()["glassnet_keep"], False
        pairs = [(first // 2, -(-last // 2)) for first, last in stretches]  # of two floats; behind the last one are zeros
        self._state, self._kept = stack.state, np.zeros(2 * KEPT_WORDS + 1, dtype=np.int64)
        self._table = np.array([(self._state.ctypes.data + 8 * first, last - first) for first, last in pairs], dtype=np.int64)
        self._call = self._table.ctypes.data, len(pairs), self._kept.ctypes.data

    def begin(self) -> bool:
        """Before a run: whether the weights are those of the last one that ended."""
        was_valid, self._valid = self._valid, False
        self._keep(*self._call)
        return was_valid and not self._kept[-1]

    def end(self) -> None:
        """After a run that has prepared the weights."""
        self._valid = True
