"""`distill`: an ensemble's knowledge in one network, kept where that is shown to be better than the labels alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.experiment.distill import DISTILLED, LABELS, Arm, Distillation, plan
from glassnet.experiment.ensemble import Ensemble
from glassnet.experiment.recipe import TEMPERATURE, WEIGHT, Recipe
from glassnet.experiment.run import Run
from glassnet.experiment.teachers import Teachers
from glassnet.nn.metrics import Evaluation, Spread
from glassnet.support.i18n import Message, tr

LEVEL = 0.05  # of significance


@dataclass(frozen=True)
class Distilled:
    """What a distillation found, on validation data.

    `members`: accuracies of the teachers; `ensemble`: their evaluation together; `distilled`, `labels`: accuracies of the
    students, seed by seed; `difference`: its mean, with the 95 % `interval` and the p-value of a paired t-test over the
    seeds; `student`: the best distilled run, where the difference is shown, else None.
    """

    folder: Path
    teachers: tuple[Run, ...]
    students: dict[Arm, tuple[Run, ...]]
    members: Spread
    ensemble: Evaluation
    distilled: Spread
    labels: Spread
    interval: tuple[float, float]
    probability: float
    student: Run | None

    @property
    def difference(self) -> float:
        return self.distilled.mean - self.labels.mean

    @property
    def message(self) -> Message:
        """Whether distilling is shown to be better, with the figures."""
        low, high = (100 * end for end in self.interval)
        if self.student is not None:
            verdict = tr("Distilling is better than the labels alone:")
        elif self.probability <= LEVEL:
            verdict = tr("Distilling is worse than the labels alone:")
        else:
            verdict = tr("It is not shown that distilling is better than the labels alone:")
        figures = tr(
            "{difference:+.2f} points, 95 % interval {low:+.2f} to {high:+.2f}, p = {probability:.2g} (paired t-test over "
            "{seeds} seeds).",
            difference=100 * self.difference,
            low=low,
            high=high,
            probability=self.probability,
            seeds=len(self.labels.values),
        )
        return verdict + " " + figures

    def __str__(self) -> str:
        return self.message

    @property
    def sizes(self) -> tuple[int, int]:
        """Parameters of the ensemble, and of a student."""
        return sum(run.network.flat.size for run in self.teachers), self.students[DISTILLED][0].network.flat.size


def distill(
    teachers: Teachers,
    into: str | Path | Recipe | None = None,
    *,
    best: int | None = None,
    seeds: int = 3,
    temperature: float = TEMPERATURE,
    weight: float = WEIGHT,
    out: str | Path | None = None,
    settings: dict[str, Any] | None = None,
    **options: Any,
) -> Distilled:
    """Train students on the answers of an ensemble and on the labels alone, and keep the best if the answers help.

        t = w·mean_k softmax(z_k / T) + (1 − w)·one-hot

    `teachers`: runs, run folders, a folder of seeds, or a search, of which the `best` trials are trained again. `into`: the
    student's recipe, by default that of the best teacher; `settings` replace keys of it. `seeds`: students of each kind, with
    the same initial weights and order of images in pairs. `temperature`: T; `weight`: w. `out`: by default
    runs/NAME-distilled; what is trained there already is not trained again. `options`: `threads`, `progress`, `callbacks` of
    `train`. Augmented images have the targets of the original, the copies of `expand_shifts` their own.

        result = gn.distill("runs/five", into="mnist-mlp", out="runs/small")
        result.ensemble.accuracy, result.distilled.mean, result.labels.mean, result.student

    All accuracies are of the validation data; the test set is not used. Raises `InputError` where the teachers do not fit
    together or were trained on other images than the student. Hinton, Vinyals and Dean, 2015.
    """
    chosen = plan(teachers, into, best=best, seeds=seeds, temperature=temperature, weight=weight, out=out, settings=settings)
    return carry_out(chosen, **options)


def carry_out(chosen: Distillation, **options: Any) -> Distilled:
    """Do what is left of a distillation; `options` as in `Distillation.train`."""
    teachers, students = chosen.train(**options)
    right = {arm: _right(runs, chosen) for arm, runs in students.items()}
    accuracies = {arm: rows.mean(axis=1) for arm, rows in right.items()}
    interval, probability = _paired(accuracies[DISTILLED], accuracies[LABELS])
    shown = probability <= LEVEL and interval[0] > 0
    best = students[DISTILLED][int(accuracies[DISTILLED].argmax())]
    return Distilled(
        folder=chosen.folder,
        teachers=tuple(teachers),
        students={arm: tuple(runs) for arm, runs in students.items()},
        members=Spread(tuple(run.network.evaluate(chosen.validation).accuracy for run in teachers)),
        ensemble=Ensemble([run.network for run in teachers]).evaluate(chosen.validation),
        distilled=Spread(tuple(map(float, accuracies[DISTILLED]))),
        labels=Spread(tuple(map(float, accuracies[LABELS]))),
        interval=interval,
        probability=probability,
        student=chosen.keep(best) if shown else None,
    )


def _right(runs: list[Run], chosen: Distillation) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which validation images each run classifies correctly, (runs, N)."""
    data = chosen.validation
    return np.array([run.network.predict(data.images) == data.labels for run in runs])


def _paired(first: Any, second: Any) -> tuple[tuple[float, float], float]:
    """Student's paired t-test over seeds: the 95 % interval of the mean difference, and the two-sided p-value."""
    from scipy.stats import ttest_rel

    change = first - second
    if not np.ptp(change):
        return (float(change[0]), float(change[0])), 1.0 if change[0] == 0 else 0.0
    found = ttest_rel(first, second)
    low, high = found.confidence_interval(1 - LEVEL)
    return (float(low), float(high)), float(found.pvalue)
