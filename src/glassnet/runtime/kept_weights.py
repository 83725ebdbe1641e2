"""Whether weights are still those that a program has prepared for its kernels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassnet.nn.stack import Stack


class KeptWeights:
    """A copy of stretches of a network's state as it was in the last run of a program.

    The state may be written at any time, through any view of it, so all its bits are compared before a run; that takes a
    fraction of the time of the transforms that a run without a change leaves out.
    """

    def __init__(self, stack: Stack, stretches: Sequence[tuple[int, int]]) -> None:
        from glassnet.kernels.library import library

        self._keep, self._valid = library()["glassnet_keep"], False
        self._state, self._changed = stack.state, np.zeros(1, dtype=np.int64)
        pairs = [(first // 2, -(-last // 2)) for first, last in stretches]  # of two floats; behind the last one are zeros
        self._kept = [np.zeros(last - first, dtype=np.int64) for first, last in pairs]
        self._calls = [
            (stack.state.ctypes.data + 8 * first, kept.ctypes.data, len(kept), self._changed.ctypes.data)
            for (first, _), kept in zip(pairs, self._kept, strict=True)
        ]

    def begin(self) -> bool:
        """Before a run: whether the weights are those of the last one that ended."""
        was_valid, self._valid = self._valid, False
        self._changed[0] = 0
        for arguments in self._calls:
            self._keep(*arguments)
        return was_valid and not self._changed[0]

    def end(self) -> None:
        """After a run that has prepared the weights."""
        self._valid = True
