"""Into how many parts a mini-batch is dealt for sums over its pictures."""

from __future__ import annotations

PARTS, FEW_PARTS = 8, 4
MANY_WEIGHTS = 1 << 16


def parts_of(pictures: int, weights: int) -> int:
    """Whatever the threads, so that results do not depend on them; fewer where the sums are long."""
    return min(pictures, FEW_PARTS if weights > MANY_WEIGHTS else PARTS)
