"""`Array`: a NumPy array of any float type; the mean of several."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


def mean_of(arrays: Iterable[Array]) -> Array:
    """The mean of arrays of one shape, of which only two are in memory at a time."""
    count, total = 0, np.zeros(())
    for array in arrays:
        total = total + array if count else array
        count += 1
    return np.asarray(total / count) if count > 1 else total
