"""Counter-based random numbers: independent of the order of work and the number of threads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glassnet.support.arrays import Array


def split_mix(key: Array | np.uint64, number: Array | np.uint64) -> NDArray[np.uint64]:
    """The (number + 1)-th number of SplitMix64 started at `key`: 64 random bits, of the shape that the two broadcast to.

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    with np.errstate(over="ignore"):
        z = np.asarray(key + (number + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
