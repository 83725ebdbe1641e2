"""Labels that the nearest neighbours contradict, and the finding about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glassnet.analysis.inspection.findings import Finding, counted
from glassnet.analysis.inspection.neighbours import Neighbours
from glassnet.analysis.inspection.pool import Indices, Pool
from glassnet.analysis.inspection.result import Check
from glassnet.support.i18n import clauses, mark, same, tr

VOTERS = 15
MAJORITY = 9
"""Of 15. If 1 % of the labels of MNIST, numerals or digits are changed, 77 to 96 % of these are found, and nine in ten of
those found are wrong."""
LEAST_AGREEMENT = 0.5
"""Minimum agreement of neighbours and labels, corrected for guessing the largest class."""


@dataclass(frozen=True)
class Doubts:
    """`agreement`: how often the neighbours' majority is the label. `indices` of contradicted labels, worst first, with the
    `suggested` class and its `votes`; None if the neighbours agree too little. `skipped`: images in classes too small."""

    agreement: float
    indices: Indices | None
    suggested: npt.NDArray[np.intp]
    votes: npt.NDArray[np.intp]
    skipped: int


def check_labels(pool: Pool, neighbours: Neighbours) -> tuple[list[Finding], Check, Doubts | None]:
    """The finding, if any, what was checked, and the doubts; None without classes."""
    method = tr(
        "labels that none of the {voters} nearest neighbours by edge directions has, while most of them agree on another "
        "one; works for drawings, but not for most photographs",
        voters=VOTERS,
    )
    if pool.labels is None:
        return [], Check(("doubtful-labels",), method, tr("there are no classes")), None
    doubts = contradicted(neighbours, pool.labels, len(pool.classes))
    agreement = tr("neighbours agree with {share:.1f} % of the labels", share=100 * doubts.agreement)
    if doubts.indices is None:
        return [], Check(("doubtful-labels",), method, tr("not checked: {agreement}, too few", agreement=agreement)), doubts
    results = [same(f"{len(doubts.indices):,}"), agreement]
    if doubts.skipped:
        results.append(tr("{count:,} images in classes that are too small", count=doubts.skipped))
    check = Check(("doubtful-labels",), method, clauses(results))
    if not len(doubts.indices):
        return [], check, doubts
    votes = mark("{count} of {voters} neighbours have label {label}")
    images = tuple(
        (pool.reference(int(index), tr(votes, count=count, voters=VOTERS, label=repr(pool.classes[label]))),)
        for index, label, count in zip(doubts.indices, doubts.suggested, doubts.votes, strict=True)
    )
    finding = Finding(
        "doubtful-labels",
        tr(
            "{count} ({percent:.2g} %) whose label none of the {voters} most similar images has: {indices}",
            count=counted(len(images)),
            percent=100 * len(images) / len(pool),
            voters=VOTERS,
            indices=pool.count_by_part(doubts.indices),
        ),
        tr("Some of these labels are wrong; others are correct, but the image is badly drawn or unusual."),
        (tr("look at them, worst first, and correct the wrong labels"),),
        images,
    )
    return [finding], check, doubts


def contradicted(neighbours: Neighbours, labels: npt.NDArray[np.int64], classes: int) -> Doubts:
    """Labels that none of an image's 15 nearest neighbours has, while 9 or more of them agree on another one.

    Classes with 15 images or fewer are skipped. Neighbours are similar in their edges, which says little about the content
    of photographs: if neighbours and labels agree too little, no label is reported.
    """
    voters = min(VOTERS, neighbours.count)
    own = labels[neighbours.indices]
    counts = np.bincount(own, minlength=classes)
    majority, votes, agreeing = votes_of(own[neighbours.nearest[:, :voters]], own)
    agreement = float((majority == own).mean())
    largest = float(counts.max() / len(own))
    skipped = int(counts[counts <= VOTERS].sum())
    if voters < VOTERS or largest == 1 or (agreement - largest) / (1 - largest) < LEAST_AGREEMENT:
        return Doubts(agreement, None, np.empty(0, np.intp), np.empty(0, np.intp), skipped)
    wrong = np.flatnonzero((agreeing == 0) & (votes >= MAJORITY) & (counts[own] > VOTERS))
    distance = neighbours.distances[wrong, :voters].mean(axis=1)
    wrong = wrong[np.lexsort((distance, -votes[wrong]))]
    return Doubts(agreement, neighbours.indices[wrong], majority[wrong], votes[wrong], skipped)


def votes_of(voters: npt.NDArray[np.int64], own: npt.NDArray[np.int64]) -> tuple[Indices, Indices, Indices]:
    """The label that most of the `voters` (n, k) have, the first of equals; how many have it, and how many the own one."""
    same_label = sum((voters == voters[:, [rank]]).astype(np.int64) for rank in range(voters.shape[1]))
    most = np.max(same_label, axis=1)
    majority = np.where(same_label == most[:, np.newaxis], voters, np.iinfo(np.int64).max).min(axis=1)
    return majority, most, (voters == own[:, np.newaxis]).sum(axis=1)
