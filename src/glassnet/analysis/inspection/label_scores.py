"""A second opinion on labels: k-fold probabilities of a quick network, judged by cleanlab, and the finding about them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.analysis.inspection.cross_validation import FOLDS, Advance, fold_probabilities
from glassnet.analysis.inspection.findings import Finding, ImageReference, counted
from glassnet.analysis.inspection.labels import LEAST_AGREEMENT
from glassnet.analysis.inspection.pool import Indices, Pool
from glassnet.analysis.inspection.result import Check
from glassnet.data import Dataset
from glassnet.errors import InputError
from glassnet.support.extras import require_extra
from glassnet.support.i18n import Message, clauses, mark, same, tr

NAME = "likely-wrong-labels"
METHOD = "normalized_margin"
"""Of cleanlab's scores, the one with the highest average precision on labels changed to a similar class
(`python -m benchmarks.label_errors`)."""
DOUBTED_BY = {
    "both": mark("doubted by both"),
    "k-fold": mark("doubted by k-fold only"),
    "neighbours": mark("doubted by neighbours only"),
}
COLUMNS = (
    "rank", "split", "index", "file", "given", "suggested", "probability_given", "probability_suggested",
    "score", "likely_wrong", "doubted_by",
)  # fmt: skip


@dataclass(frozen=True)
class LabelScores:
    """How far each label of a pool is to be doubted.

    `probabilities`  `(N, classes)`: of each image by a network that was not trained on it
    `scores`         `(N,)`: label quality 0…1, (p(given) − max p(others) + 1) / 2; the lowest are doubted most
    `likely_wrong`   `(N,)`: the labels that confident learning takes to be wrong
    `neighbours`     `(N,)`: the labels that the nearest neighbours contradict; None if they were not asked
    """

    pool: Pool
    probabilities: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    likely_wrong: npt.NDArray[np.bool_]
    neighbours: npt.NDArray[np.bool_] | None

    @cached_property
    def given(self) -> npt.NDArray[np.int64]:
        assert self.pool.labels is not None
        return self.pool.labels

    @cached_property
    def suggested(self) -> npt.NDArray[np.int64]:
        """The most probable class other than the given one, `(N,)`."""
        others = self.probabilities.copy()
        others[np.arange(len(others)), self.given] = -1
        return np.asarray(others.argmax(axis=1))

    @cached_property
    def order(self) -> Indices:
        """Indices in the pool, the most doubtful label first."""
        return np.argsort(self.scores, kind="stable")

    @property
    def agreement(self) -> float:
        """How often the most probable class is the given one."""
        return float((self.probabilities.argmax(axis=1) == self.given).mean())

    def doubted_by(self, index: int) -> str:
        """Who doubts the label of an image: "both", "k-fold", "neighbours", or ""."""
        near = self.neighbours is not None and self.neighbours[index]
        if self.likely_wrong[index]:
            return "both" if near else "k-fold"
        return "neighbours" if near else ""

    def rows(self) -> Iterator[dict[str, Any]]:
        """One dict of `COLUMNS` for each image, the most doubtful label first."""
        for rank, index in enumerate(self.order.tolist(), 1):
            reference = self.pool.reference(index)
            given, suggested = self.given[index], self.suggested[index]
            yield {
                "rank": rank,
                "split": reference.part,
                "index": reference.index,
                "file": reference.file or "",
                "given": self.pool.classes[given],
                "suggested": self.pool.classes[suggested],
                "probability_given": f"{self.probabilities[index, given]:.4f}",
                "probability_suggested": f"{self.probabilities[index, suggested]:.4f}",
                "score": f"{self.scores[index]:.6f}",
                "likely_wrong": "yes" if self.likely_wrong[index] else "no",
                "doubted_by": self.doubted_by(index),
            }

    def csv(self) -> str:
        """`rows` as a table."""
        text = io.StringIO()
        table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(self.rows())
        return text.getvalue()


def check_cleanlab() -> None:
    """Raise `InputError` if cleanlab is not installed."""
    require_extra("labels", ("cleanlab",), tr("The second opinion on labels needs cleanlab."), "labels")


def check_checkable(pool: Pool) -> None:
    """Raise `InputError` for targets, a single class, and a class with fewer images than folds."""
    what = tr("These labels can't be checked.")
    if pool.labels is None:
        received = tr("targets of shape {shape}", shape=pool.parts["train"].labels.shape)
        raise InputError(what, where="labels", expected=tr("labels that are class indices"), received=received)
    present, counts = np.unique(pool.labels, return_counts=True)
    if len(present) < 2:
        expected = tr("images of two classes or more")
        raise InputError(what, where="labels", expected=expected, received=repr(pool.classes[present[0]]))
    if counts.min() < FOLDS:
        raise InputError(
            tr(
                "Class {name} has too few images for its labels to be checked.",
                name=repr(pool.classes[present[counts.argmin()]]),
            ),
            where="labels",
            expected=tr("at least {count} images, one for each fold", count=FOLDS),
            received=counted(int(counts.min())),
            hint=tr("add images, or leave this class out"),
        )


def score_labels(
    pool: Pool,
    *,
    copies: list[Indices],
    neighbours: npt.NDArray[np.bool_] | None = None,
    seed: int = 0,
    advance: Advance = lambda: None,
) -> tuple[LabelScores, str]:
    """The scores of all labels of a pool, and how the folds were made: "group" or "stratified".

    Raises `InputError` as `check_cleanlab`, `check_checkable` and `fold_probabilities` do.
    """
    check_cleanlab()
    check_checkable(pool)
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    assert pool.labels is not None
    present, labels = np.unique(pool.labels, return_inverse=True)
    data = Dataset(
        pool.images,
        labels,
        [pool.classes[label] for label in present],
        pool.groups,
    )
    folds = fold_probabilities(data, copies=copies, seed=seed, advance=advance)
    scores = get_label_quality_scores(labels, folds.probabilities, method=METHOD)
    wrong = find_label_issues(labels, folds.probabilities, n_jobs=1)  # a process more would compute nothing faster
    probabilities = np.zeros((len(pool), len(pool.classes)))
    probabilities[:, present] = folds.probabilities
    return LabelScores(pool, probabilities, scores, np.asarray(wrong, np.bool_), neighbours), folds.by


def check_scores(scores: LabelScores, by: str) -> tuple[list[Finding], Check]:
    """The finding, if any, and what was checked."""
    kinds = {"group": mark("no group in two folds"), "stratified": mark("stratified folds")}
    method = tr(
        "each image's class by a quick network trained on the other {count} of {folds} folds ({kind}), judged by confident "
        "learning (cleanlab)",
        count=FOLDS - 1,
        folds=FOLDS,
        kind=tr(kinds[by]),
    )
    agreement = tr("the network agrees with {share:.1f} % of the labels", share=100 * scores.agreement)
    largest = float(np.bincount(scores.given).max() / len(scores.given))
    if (scores.agreement - largest) / (1 - largest) < LEAST_AGREEMENT:
        return [], Check((NAME,), method, tr("not reported: {agreement}, too few", agreement=agreement))
    wrong = scores.order[scores.likely_wrong[scores.order]]
    check = Check((NAME,), method, clauses([same(f"{len(wrong):,}"), agreement]))
    if not len(wrong):
        return [], check
    found = tr(
        "{count} ({percent:.2g} %) whose label a network that was not trained on them contradicts: {indices}",
        count=counted(len(wrong)),
        percent=100 * len(wrong) / len(scores.given),
        indices=scores.pool.count_by_part(wrong),
    )
    if scores.neighbours is not None:
        both = int(scores.neighbours[wrong].sum())
        text = mark("; the nearest neighbours doubt {both:,} of them, too, and {others:,} others")
        found += tr(text, both=both, others=int(scores.neighbours.sum()) - both)
    images = tuple((_reference(scores, index),) for index in wrong.tolist())
    cause = tr("Most of these labels are wrong; others are correct, but the image is badly drawn or unusual.")
    look = tr("look at them, worst first, and correct the wrong labels")
    return [Finding(NAME, found, cause, (look, tr("labels.csv in --out FOLDER lists all labels by doubt")), images)], check


def _reference(scores: LabelScores, index: int) -> ImageReference:
    suggested = scores.suggested[index]
    options = {"label": repr(scores.pool.classes[suggested]), "share": 100 * scores.probabilities[index, suggested]}
    note: Message = tr("probably {label} ({share:.0f} %)", **options)
    if scores.neighbours is not None:
        near = scores.neighbours[index]
        note += tr("; the neighbours doubt it, too") if near else tr("; the neighbours do not doubt it")
    return scores.pool.reference(index, note)
