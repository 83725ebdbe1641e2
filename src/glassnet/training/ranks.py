"""What the ranks of a training do together around its steps: begin alike, and validate."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from glassnet.runtime import Predictor, Ranks
from glassnet.support.arrays import Array
from glassnet.support.strict_json import plain
from glassnet.training.history import History


def begin_alike(ranks: Ranks, arrays: Mapping[str, Array], history: History) -> None:
    """Give all ranks the state that rank 0 begins with, or goes on from, and its history."""
    for array in arrays.values():
        ranks.broadcast(array)
    rows = ranks.texts(plain(history.rows()) if ranks.writes else [])[0]
    if not ranks.writes:
        history.epochs[:] = History.from_rows(rows, seed=history.seed).epochs
    ranks.begin()


def losses_together(
    ranks: Ranks, predictor: Predictor, rows: Array, labels: Array
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """`Predictor.losses`, of which each rank finds a share."""
    bounds = [len(rows) * rank // ranks.size for rank in range(ranks.size + 1)]
    low, high = bounds[ranks.rank : ranks.rank + 2]
    found = np.empty((len(rows), 2))
    if low < high:
        found[low:high, 0], found[low:high, 1] = predictor.losses(rows[low:high], labels[low:high])
    counts = [2 * (end - begin) for begin, end in pairwise(bounds)]
    request = ranks.gatherer(found, counts, [2 * bound for bound in bounds[:-1]])
    request.Start()
    ranks.wait([request])
    request.Free()
    return found[:, 0].copy(), found[:, 1].astype(np.int64)
