"""How much the value of the best trial is flattered by its being the best of many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glassnet.analysis.search.parameters import scored
from glassnet.experiment.search.records import SearchResult


@dataclass(frozen=True)
class Flattery:
    """`honest`: the value of a winner on parts that had no say in its choice; `excess`: by how much the best value is better.

    `near`: how many other trials lie within one spread of the best. `folds`: whether folds were left out; if not, seeds,
    which share the same validation images, so that the luck with these images is not in it.
    """

    honest: float
    excess: float
    near: int
    folds: bool


def flattery_of(result: SearchResult) -> Flattery | None:
    """Leave one fold out (of a single split: one seed), choose the best trial by the others, take its value on that fold.

    honest = mean over j of v[j, argmax_i mean over k ≠ j of v[i, k]], with v[i, j] the mean result of trial i on fold j.
    It is a little pessimistic, as each choice has one fold less. None if trials have one part each, or there is one trial.
    """
    plan, trials = result.plan, scored(result)
    count = plan.folds * plan.seeds
    whole = [trial for trial in trials if len(trial.parts) == count]
    if count < 2 or len(whole) < 2:
        return None
    values = np.array([trial.parts for trial in whole]).reshape(len(whole), plan.folds, plan.seeds)
    if not np.isfinite(values).all():
        return None
    by_part = values.mean(axis=2) if plan.folds > 1 else values[:, 0]  # (trials, folds) or (trials, seeds)
    sign = 1.0 if plan.maximise else -1.0
    parts = by_part.shape[1]
    others = (by_part.sum(axis=1, keepdims=True) - by_part) / (parts - 1)
    winners = np.argmax(sign * np.round(others, 12), axis=0)  # of equal ones the first, which is better on all parts
    honest = float(by_part[winners, np.arange(parts)].mean())
    means = values.mean(axis=(1, 2))
    best = float(means[0])
    spread = whole[0].spread or 0.0
    near = int((sign * (best - means[1:]) <= spread).sum())
    return Flattery(honest, sign * (best - honest), near, plan.folds > 1)
