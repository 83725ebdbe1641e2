"""A copy of numbers that tells whether they have changed since."""

from __future__ import annotations

from numba import int64, void

from glassnet.kernels.codegen.addresses import integers_at
from glassnet.kernels.codegen.jit import outlined

BLOCK = 1024  # of 8 bytes, compared together, in the first-level cache


@outlined(void(*[int64] * 4))
def keep(values_at, kept_at, size, changed_at):
    """Copy what differs, bit by bit, from the copy of the last call; set the integer at `changed_at` to 1 if anything does.

    `size` is in units of 8 bytes, at whose boundaries both lie.
    """
    for start in range(0, size, BLOCK):
        count = min(BLOCK, size - start)
        values, kept = integers_at(values_at + 8 * start, count), integers_at(kept_at + 8 * start, count)
        difference = 0
        for i in range(count):
            difference |= values[i] ^ kept[i]
        if difference != 0:
            integers_at(changed_at, 1)[0] = 1
            for i in range(count):
                kept[i] = values[i]
