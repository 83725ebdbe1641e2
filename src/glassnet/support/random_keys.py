"""Counter-based random numbers: independent of the order of work and the number of threads."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from glassnet.support.arrays import Array


class Draw(IntEnum):
    """Which of an image's random numbers decides what in its augmentation."""

    SHIFT_X = 0
    SHIFT_Y = 1
    ROTATION = 2
    SCALE = 3
    STRETCH = 4
    SHEAR = 5
    FLIP_X = 6
    FLIP_Y = 7
    CROP_X = 8
    CROP_Y = 9
    BRIGHTNESS = 10
    CONTRAST = 11
    ERASE = 12
    ERASE_SIZE = 13
    ERASE_SHAPE = 14
    ERASE_X = 15
    ERASE_Y = 16
    FIELD = 32  # and all that follow: the control points of the elastic field


# 1 over the standard deviation of the sum of four 16-bit numbers, and of cubic B-splines through such control points.
FIELD_SCALE = 1 / ((65536**2 - 1) / 3) ** 0.5 / (2416 / 5040)


def split_mix(key: Array | np.uint64, number: Array | np.uint64) -> NDArray[np.uint64]:
    """The (number + 1)-th number of SplitMix64 started at `key`: 64 random bits, of the shape that the two broadcast to.

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    with np.errstate(over="ignore"):
        z = np.asarray(key + (number + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
