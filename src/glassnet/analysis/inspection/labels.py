"""Labels that the nearest neighbours contradict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glassnet.analysis.inspection.neighbours import Neighbours
from glassnet.analysis.inspection.pool import Indices

VOTERS = 15
MAJORITY = 9
"""Of 15. With it and no voice for the label, 1 % of labels changed on purpose are found at 77 to 96 % on MNIST, numerals and
digits, and nine in ten of those named are wrong."""
LEAST_AGREEMENT = 0.5
"""Of neighbours and labels, beyond what guessing the largest class gives: below it the neighbours know too little."""


@dataclass(frozen=True)
class Doubts:
    """`agreement`: how often the neighbours' majority is the label. `places` of contradicted labels, worst first, with
    what the neighbours say; None where they can't judge. `unjudged`: images in classes too small to be judged."""

    agreement: float
    places: Indices | None
    said: npt.NDArray[np.intp]
    votes: npt.NDArray[np.intp]
    unjudged: int


def contradicted(neighbours: Neighbours, labels: npt.NDArray[np.int64], classes: int) -> Doubts:
    """Labels that none of an image's 15 nearest neighbours has, while 9 or more of them agree on another one.

    Classes with no more images than voters are not judged. Neighbours are near by the shape of edges, so this knows
    nothing of what photographs show: where neighbours and labels agree too little, nothing is said.
    """
    voters = min(VOTERS, neighbours.count)
    own = labels[neighbours.places]
    counts = np.bincount(own, minlength=classes)
    votes = np.zeros((len(own), classes), np.intp)
    rows = np.arange(len(own))
    for rank in range(voters):
        votes[rows, own[neighbours.nearest[:, rank]]] += 1
    said = votes.argmax(axis=1)
    agreement = float((said == own).mean())
    largest = float(counts.max() / len(own))
    unjudged = int(counts[counts <= VOTERS].sum())
    nobody = np.empty(0, np.intp)
    if voters < VOTERS or largest == 1 or (agreement - largest) / (1 - largest) < LEAST_AGREEMENT:
        return Doubts(agreement, None, nobody, nobody, unjudged)
    wrong = np.flatnonzero((votes[rows, own] == 0) & (votes[rows, said] >= MAJORITY) & (counts[own] > VOTERS))
    near = neighbours.distances[wrong, :voters].mean(axis=1)
    wrong = wrong[np.lexsort((near, -votes[wrong, said[wrong]]))]
    return Doubts(agreement, neighbours.places[wrong], said[wrong], votes[wrong, said[wrong]], unjudged)
