"""Which classes are taken for which: the confusion matrix, sparse where there are many classes; and top-k hits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

DENSE = 1_000
"""Classes up to which a confusion matrix is an array, of 8 MB; for more it is a `scipy.sparse.csr_array`."""
DRAWN = 60
"""Classes up to which a confusion matrix is drawn, and written to JSON; for more there are its entries off the diagonal."""
LISTED = 10
"""The most probable classes that an answer in JSON has where there are more than `DRAWN`."""
TOP_K, MANY = 5, 20
"""The k of top-k accuracy, which is measured by default where there are more than `MANY` classes."""

Matrix: TypeAlias = "NDArray[np.int64] | csr_array"
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Confused:
    """`count` images of the class `truth` were classified as `predicted`; `index`: the numbers of both classes."""

    truth: str
    predicted: str
    count: int
    index: tuple[int, int]


def confusion_matrix(labels: Indices, found: Indices, classes: int) -> Matrix:
    """Counts (classes, classes): rows are the true classes, columns the predicted ones; sparse above `DENSE` classes."""
    if classes <= DENSE:
        return np.bincount(labels * classes + found, minlength=classes * classes).reshape(classes, classes)
    from scipy.sparse import csr_array

    places, counts = np.unique(labels * classes + found, return_counts=True)
    return csr_array((counts.astype(np.int64), np.divmod(places, classes)), shape=(classes, classes))


def mistakes(confusion: Matrix) -> tuple[Indices, Indices, Indices]:
    """True classes, predicted classes and counts of what is off the diagonal and not 0, the most frequent first."""
    rows, columns = map(np.asarray, confusion.nonzero())
    counts = np.asarray(confusion[rows, columns]).ravel()
    wrong = rows != columns
    rows, columns, counts = rows[wrong].astype(np.int64), columns[wrong].astype(np.int64), counts[wrong]
    order = np.lexsort((columns, rows, -counts))
    return rows[order], columns[order], counts[order]


def default_k(classes: int) -> int | None:
    """The k of top-k accuracy where none is chosen; None for few classes."""
    return TOP_K if classes > MANY else None


def leading(probabilities: dict[str, float], top: int | None = None) -> dict[str, float]:
    """The `top` largest, the largest first, of equals the first; by default all, but above `DRAWN` classes 10."""
    count = len(probabilities)
    chosen = top if top is not None else LISTED if count > DRAWN else count
    if chosen >= count:
        return probabilities
    return dict(sorted(probabilities.items(), key=lambda pair: -pair[1])[:chosen])


def top_k_hits(scores: NDArray[np.floating], labels: Indices, k: int) -> int:
    """Of how many images, with scores (N, classes), the true class is among the k with the largest scores.

    Of equal scores the one of the higher class counts as larger, as in scikit-learn's `top_k_accuracy_score`; NaN as largest.
    """
    own = scores[np.arange(len(labels)), labels][:, None]
    above = np.count_nonzero(~(scores <= own), axis=1)
    above += np.count_nonzero((scores == own) & (np.arange(scores.shape[1]) > labels[:, None]), axis=1)
    return int(np.count_nonzero((above < k) & ~np.isnan(own[:, 0])))
