"""The order of the images in an epoch: of the whole set, or block by block for sets beyond memory."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

import numpy as np
from numpy.typing import NDArray

WINDOW = 1 << 26
"""Bytes of images that are shuffled together: 64 blocks of 1 MiB, and, twice over, little beside any machine's memory.

A constant, as an order that depended on the memory of a machine would give other weights on another one.
"""

Ranges = list[tuple[int, int]]  # of images, from the first to behind the last


@dataclass(frozen=True)
class EpochOrder:
    """`images` (N,) in the order of an epoch; `ends`: the place in it where each window ends; `ranges` of each window."""

    images: NDArray[np.int64]
    ends: list[int]
    ranges: list[Ranges]

    @classmethod
    def draw(cls, rng: np.random.Generator, count: int, block: int | None, image_bytes: int) -> Self:
        """All of `count` images at random; with a `block`, blocks of so many at random, and their images within windows.

        The blocks are cut into windows of `WINDOW` bytes, one block at least; the images of a window are in any order. A set
        that fits into one window is shuffled as a whole, as without a block.
        """
        per_window = 1 if block is None else max(1, WINDOW // (block * image_bytes))
        if block is None or count <= block * per_window:
            return cls(rng.permutation(count), [count], [[(0, count)]])
        blocks = rng.permutation(-(-count // block))
        images, ranges = [], []
        for start in range(0, len(blocks), per_window):
            chosen = np.sort(blocks[start : start + per_window]) * block
            ranges.append([(first, min(first + block, count)) for first in chosen.tolist()])
            images.append(rng.permutation(np.concatenate([np.arange(*bounds) for bounds in ranges[-1]])))
        return cls(np.concatenate(images), list(accumulate(map(len, images))), ranges)

    def window(self, place: int) -> int:
        """The window of the image at this place of the order."""
        return bisect_right(self.ends, place)
