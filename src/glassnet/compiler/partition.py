"""Into how many parts a mini-batch is dealt for sums over its images."""

from __future__ import annotations

PARTS, FEW_PARTS = 8, 4
MANY_WEIGHTS = 1 << 16
ROWS_ENOUGH = 8  # images of a part, for products that take its images together
WITHOUT_SUMS = 64


def parts_of(images: int, weights: int) -> int:
    """Whatever the threads, so that results do not depend on them; fewer where the sums are long."""
    return min(images, FEW_PARTS if weights > MANY_WEIGHTS else PARTS)


def parts_of_sequences(images: int, weights: int, training: bool) -> int:
    """The same of recurrent layers, whose products take a part's images together; many where nothing is summed."""
    most = max(1, images // ROWS_ENOUGH)
    return min(most, parts_of(images, weights) if training else WITHOUT_SUMS)
