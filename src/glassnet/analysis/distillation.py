"""`distill`: an ensemble's knowledge in one network, kept where that is shown to be better than the labels alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.analysis.comparison.paired import Effect, effect
from glassnet.analysis.comparison.power import needed
from glassnet.experiment.distill import DISTILLED, LABELS, Arm, Distillation, plan
from glassnet.experiment.ensemble import Ensemble
from glassnet.experiment.recipe import Recipe
from glassnet.experiment.run import Run
from glassnet.experiment.sections import TEMPERATURE, WEIGHT
from glassnet.experiment.teachers import Teachers
from glassnet.nn.metrics import Evaluation, Spread
from glassnet.support.i18n import Message, mark, tr

LEVEL = 0.05  # of significance


@dataclass(frozen=True)
class Distilled:
    """What a distillation found, on validation data.

    `members`: accuracies of the teachers; `ensemble`: their evaluation together; `distilled`, `labels`: accuracies of the
    students, seed by seed; `effect`: the difference of their means, with its interval and p-value, from pairs of the same
    seed; `student`: the best distilled run, where distilling is shown to be better, else None.
    """

    folder: Path
    teachers: tuple[Run, ...]
    students: dict[Arm, tuple[Run, ...]]
    members: Spread
    ensemble: Evaluation
    distilled: Spread
    labels: Spread
    effect: Effect
    student: Run | None

    @property
    def message(self) -> Message:
        """Whether distilling is shown to be better, with the figures and, if not, what would be needed."""
        found, shown = self.effect, self.effect.p <= LEVEL
        if shown:
            better = mark("Distilling is better than the labels alone: {figures}.")
            text = better if found.value > 0 else mark("Distilling is worse than the labels alone: {figures}.")
        else:
            text = mark("It is not shown that distilling is better than the labels alone: {figures}.")
        low, high = (100 * end for end in found.interval)
        figures = tr(
            "{value:+.2f} points, 95 % interval {low:+.2f} to {high:+.2f}, p = {p:.2g} ({test})",
            value=100 * found.value,
            low=low,
            high=high,
            p=found.p,
            test=found.test,
        )
        if not shown and found.value > 0:
            seeds = len(self.labels.values)
            figures += tr("; {needed}", needed=needed(found, self.ensemble.total, seeds, level=LEVEL).message)
        return tr(text, figures=figures)

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
    data = chosen.validation
    right = {
        arm: np.array([run.network.predict(data.images) == data.labels for run in runs]) for arm, runs in students.items()
    }
    seeds = [run.recipe.training.seed for run in students[DISTILLED]]
    found = effect(right[DISTILLED], right[LABELS], (seeds, seeds))
    shown = found.value > 0 and found.p <= LEVEL
    best = students[DISTILLED][int(right[DISTILLED].mean(axis=1).argmax())]
    return Distilled(
        folder=chosen.folder,
        teachers=tuple(teachers),
        students={arm: tuple(runs) for arm, runs in students.items()},
        members=Spread(tuple(run.network.evaluate(data).accuracy for run in teachers)),
        ensemble=Ensemble([run.network for run in teachers]).evaluate(data),
        distilled=Spread(tuple(map(float, right[DISTILLED].mean(axis=1)))),
        labels=Spread(tuple(map(float, right[LABELS].mean(axis=1)))),
        effect=found,
        student=chosen.keep(best) if shown else None,
    )
