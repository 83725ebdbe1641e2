"""How well planted label errors are found: `python -m benchmarks.label_errors [DATA…] [--seeds 3]`.

5 % of the labels of 10,000 images are changed: to any other class ("uniform"), or to a similar one ("similar", as 3 ↔ 8).
Average precision of three rankings of all images: the k-fold probabilities of `glassnet inspect --labels` with each score of
cleanlab, and the votes of the 15 nearest neighbours against the label, which the rule "doubtful-labels" goes by. Beside
them, how many labels each of the two rules reports and how many of those are planted. "none" plants nothing: what is
reported there are false alarms, and the data's own errors.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import glassnet as gn
from glassnet.analysis.inspection.label_scores import METHOD, score_labels
from glassnet.analysis.inspection.labels import VOTERS, contradicted
from glassnet.analysis.inspection.neighbours import Neighbours, find_neighbours
from glassnet.analysis.inspection.pool import Pool

SIMILAR = {
    "mnist": {"0": "6", "1": "7", "2": "7", "3": "8", "4": "9", "5": "3", "6": "5", "7": "1", "8": "3", "9": "4"},
    "chinese-numerals": {
        "零": "百", "一": "二", "二": "三", "三": "二", "四": "六", "五": "三", "六": "四", "七": "九",
        "八": "六", "九": "七", "十": "千", "百": "零", "千": "十", "万": "七", "亿": "八",
    },
}  # fmt: skip
METHODS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
KINDS = ("uniform", "similar", "none")


@dataclass
class Measured:
    """Results of one kind of errors in one data set, a value for each seed."""

    kfold: dict[str, list[float]] = field(default_factory=lambda: {method: [] for method in METHODS})
    neighbours: list[float] = field(default_factory=list)
    reported: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: {"k-fold": [], "neighbours": []})
    planted: int = 0
    seconds: list[float] = field(default_factory=list)

    def lines(self) -> list[str]:
        rows = [f"  k-fold, {method}{' (used)' * (method == METHOD)}: {_spread(self.kfold[method])}" for method in METHODS]
        rows.append(f"  neighbours' votes: {_spread(self.neighbours)}")
        for name, counts in self.reported.items():
            told, right = np.mean(counts, axis=0)
            rows.append(f"  {name} reports {told:.0f} labels, {right:.0f} of the {self.planted} planted among them")
        return [*rows, f"  k-fold takes {np.median(self.seconds):.0f} s"]


def _spread(values: list[float]) -> str:
    if not values:
        return "–"
    return f"average precision {np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def subset(name: str, images: int, seed: int) -> Pool:
    """A pool of random images of all splits."""
    pool = Pool.of(gn.load_dataset(name))
    chosen = np.sort(np.random.default_rng(seed).permutation(len(pool))[:images])
    groups = [part.groups for part in pool.parts.values()]
    known = [group for group in groups if group is not None]
    assert pool.labels is not None
    data = gn.Dataset(
        pool.images[chosen],
        pool.labels[chosen],
        pool.classes,
        np.concatenate(known)[chosen] if len(known) == len(groups) else None,
    )
    return Pool.of(gn.Splits(data))


def with_errors(pool: Pool, kind: str, share: float, similar: dict[str, str], seed: int) -> tuple[Pool, NDArray[np.bool_]]:
    """The pool with a share of its labels changed, and which those are."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    assert pool.labels is not None
    labels, wrong = np.array(pool.labels), np.zeros(len(pool), np.bool_)
    if kind != "none":
        wrong[rng.choice(len(pool), round(share * len(pool)), replace=False)] = True
    if kind == "uniform":
        labels[wrong] = (labels[wrong] + rng.integers(1, len(pool.classes), wrong.sum())) % len(pool.classes)
    else:
        confused = np.array([pool.classes.index(similar[name]) for name in pool.classes])
        labels[wrong] = confused[labels[wrong]]
    train = pool.parts["train"]
    return Pool.of(gn.Splits(gn.Dataset(train.images, labels, train.classes, train.groups))), wrong


def measure(pool: Pool, wrong: NDArray[np.bool_], neighbours: Neighbours, seed: int, measured: Measured) -> None:
    from cleanlab.rank import get_label_quality_scores
    from sklearn.metrics import average_precision_score

    assert pool.labels is not None
    start = time.perf_counter()
    scores, _ = score_labels(pool, copies=[], seed=seed)
    measured.seconds.append(time.perf_counter() - start)
    measured.planted = int(wrong.sum())
    doubts = contradicted(neighbours, pool.labels, len(pool.classes)).indices
    told: dict[str, Any] = {"k-fold": np.flatnonzero(scores.likely_wrong), "neighbours": () if doubts is None else doubts}
    for name, indices in told.items():
        measured.reported[name].append((len(indices), int(wrong[np.asarray(indices, np.intp)].sum())))
    if not wrong.any():
        return
    for method in METHODS:
        quality = get_label_quality_scores(pool.labels, scores.probabilities, method=method)
        measured.kfold[method].append(float(average_precision_score(wrong, -quality)))
    rows = np.arange(len(pool.labels))
    votes = np.zeros((len(rows), len(pool.classes)), np.intp)
    for rank in range(min(VOTERS, neighbours.count)):
        votes[rows, pool.labels[neighbours.nearest[:, rank]]] += 1
    own = votes[rows, pool.labels].copy()
    votes[rows, pool.labels] = -1
    measured.neighbours.append(float(average_precision_score(wrong, votes.max(axis=1) - own)))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.label_errors", description="Planted label errors.")
    parser.add_argument("data", nargs="*", default=list(SIMILAR), help="mnist, chinese-numerals")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--share", type=float, default=0.05, help="of the labels that are changed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=KINDS)
    options = parser.parse_args(arguments)
    for name in options.data:
        results = {kind: Measured() for kind in options.kinds}
        for seed in range(options.seeds):
            pool = subset(name, options.images, seed)
            neighbours = find_neighbours(pool.images, np.arange(len(pool)))  # which do not depend on the labels
            for kind, measured in results.items():
                changed, wrong = with_errors(pool, kind, options.share, SIMILAR[name], seed)
                measure(changed, wrong, neighbours, seed, measured)
                if wrong.any():
                    found = f"k-fold {measured.kfold[METHOD][-1]:.3f}, neighbours {measured.neighbours[-1]:.3f}"
                    print(f"{name}, {kind}, seed {seed}: {found}", flush=True)
        for kind, measured in results.items():
            title = f"{name}, {options.images:,} images, {kind}, {options.seeds} seeds"
            print("\n".join([title, *measured.lines()]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
