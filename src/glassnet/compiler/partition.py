"""Into how many partitions a mini-batch is dealt for sums over its images."""

from __future__ import annotations

PARTITIONS, FEW_PARTITIONS = 8, 4
MANY_WEIGHTS = 1 << 16
ENOUGH_IMAGES = 8  # of a partition, for products that take its images together
WITHOUT_SUMS = 64


def partitions_of(images: int, weights: int) -> int:
    """Whatever the threads, so that results do not depend on them; fewer where the sums are long."""
    return min(images, FEW_PARTITIONS if weights > MANY_WEIGHTS else PARTITIONS)


def recurrent_partitions(images: int, weights: int, training: bool) -> int:
    """The same of recurrent layers, whose products take a partition's images together; many where there are no sums."""
    most = max(1, images // ENOUGH_IMAGES)
    return min(most, partitions_of(images, weights) if training else WITHOUT_SUMS)
