"""What is compared, measured: runs and baselines on the same images, with training time, prediction time and size."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.analysis.comparison.baselines import BASELINES, Baseline
from glassnet.analysis.comparison.result import Entrant
from glassnet.data import Dataset, Splits
from glassnet.errors import InputError, RunError
from glassnet.experiment.run import Run
from glassnet.experiment.run_folder import LEDGER, read_ledger
from glassnet.experiment.sweep import Part, check_distinct, check_same_data
from glassnet.nn.metrics import evaluate_probabilities
from glassnet.support.i18n import Message, mark, same, tr

WARM_UP = 64  # images, before prediction is timed


@dataclass(frozen=True)
class Group:
    """Runs of one recipe, with one or more seeds, and what they are called."""

    name: str
    runs: tuple[Run, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(run.recipe.training.seed for run in self.runs)

    @property
    def chooses_epochs(self) -> bool:
        """Whether the number of epochs was chosen by the accuracy on the validation data."""
        return any(run.recipe.training.keep == "best" or run.recipe.training.patience is not None for run in self.runs)


@dataclass(frozen=True)
class Comparing:
    """What will be compared, on the images of `part`; `baselines`: those that are trained for it."""

    groups: tuple[Group, ...]
    part: Part
    baselines: tuple[Baseline, ...]

    def __post_init__(self) -> None:
        self._check()

    @property
    def runs(self) -> list[Run]:
        return [run for group in self.groups for run in group.runs]

    @property
    def splits(self) -> Splits:
        return self.groups[0].runs[0].splits

    @property
    def data(self) -> Dataset:
        """The images on which all are compared."""
        found = getattr(self.splits, self.part)
        assert isinstance(found, Dataset)
        return found

    def plan(self) -> Iterator[tuple[Baseline, float]]:
        """Each baseline, and the seconds that it will take, from those of a few images."""
        for baseline in self.baselines:
            yield baseline, baseline.estimate(self.splits.train, self.data)

    def steps(self) -> Sequence[tuple[Message, Callable[[], Entrant]]]:
        """The name of each group of runs and of each baseline, and what measures it.

        On the test set, the ledger of each run records the evaluation.
        """
        members = [run.fingerprint for run in self.runs]
        runs = [(same(group.name), partial(self._measured, group, members)) for group in self.groups]
        return runs + [(tr(baseline.name), partial(self._trained, baseline)) for baseline in self.baselines]

    def _measured(self, group: Group, members: list[str]) -> Entrant:
        data, right, seconds = self.data, [], 0.0
        for run in group.runs:
            options = run.views()
            if self.part == "test":
                read_ledger(run.folder / LEDGER)  # raises before the evaluation if it can't be recorded
            run.network.predict_proba(data.images[:WARM_UP], **options)
            probabilities, took = _timed(partial(run.network.predict_proba, data.images, **options))
            seconds += took
            if self.part == "test":
                result = evaluate_probabilities(probabilities, data.labels, run.network.classes)
                run.note(result, comparison=members, **({"views": options["views"]} if options else {}))
            right.append(probabilities.argmax(axis=1) == data.labels)
        first = group.runs[0]
        return Entrant(
            name=same(group.name),
            right=np.array(right),
            seeds=group.seeds,
            training=float(np.mean([sum(run.history.seconds) for run in group.runs])),
            prediction=seconds / (len(data) * len(group.runs)),
            size=first.network.state.nbytes,
            chosen="epochs" if group.chooses_epochs and self.part == "validation" else None,
        )

    def _trained(self, baseline: Baseline) -> Entrant:
        assert self.splits.validation is not None
        began = time.perf_counter()
        fitted = baseline.fit(self.splits.train, self.splits.validation)
        trained = time.perf_counter() - began
        answers, took = _timed(partial(fitted.predict, self.data.images))
        return Entrant(
            name=tr(baseline.name),
            right=(answers == self.data.labels)[np.newaxis],
            seeds=None,
            training=trained,
            prediction=took / len(self.data),
            size=fitted.size,
            options=fitted.options,
            chosen="options" if baseline.tuned and self.part == "validation" else None,
        )

    def _check(self) -> None:
        """Raise an error unless all have the same classes and are asked about the same images with class labels."""
        if len(self.groups) < 2 and not self.baselines:
            raise InputError(
                tr("A comparison needs two runs, or one and the baselines."),
                where="compare(runs)",
                expected=tr("two or more runs, or baselines"),
                received=tr("{count} runs, without baselines", count=len(self.groups)),
                hint="glassnet compare RUN --baselines",
            )
        check_distinct([run.folder for run in self.runs])
        first = self.runs[0]
        for run in self.runs[1:]:
            if run.network.classes != first.network.classes:
                raise RunError(
                    tr("The runs were trained on other classes."),
                    where=run.folder,
                    expected=tr("{classes}, as {folder}", classes=_spell(first.network.classes), folder=first.folder),
                    received=_spell(run.network.classes),
                )
        self._check_part(self.part, mark("Runs are compared on images with class labels."))
        check_same_data(self.runs, self.part)
        if self.baselines:
            self._check_part("validation", mark("Baselines are tuned on validation data."))
            check_same_data(self.runs, "train")

    def _check_part(self, part: Part, text: str) -> None:
        data = getattr(self.splits, part)
        if data is None or not data.is_classification:
            hint = tr("--test compares on the test set") if part == "validation" and not self.baselines else None
            raise RunError(
                tr(text),
                where=self.runs[0].folder,
                expected=tr("validation data with class labels")
                if part == "validation"
                else tr("a test set with class labels"),
                received=tr("none") if data is None else tr("targets instead of class labels"),
                hint=hint if data is None else None,
            )


def _spell(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (" …" if len(names) > 10 else "")


def short_names(paths: Sequence[Path]) -> list[str]:
    """The folders' names, with as many of the folders above them as are needed to tell them apart."""
    found = []
    for path in paths:
        parts = path.resolve().parts
        for count in range(1, len(parts) + 1):
            name = "/".join(parts[-count:])
            if sum("/".join(other.resolve().parts[-count:]) == name for other in paths) == 1:
                break
        found.append(name)
    return found


def comparing(groups: Sequence[Group], part: Part, *, baselines: bool) -> Comparing:
    """What will be compared; errors for what can't be."""
    return Comparing(tuple(groups), part, BASELINES if baselines else ())


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What it returns, and the seconds it takes: the best of three where they are few."""
    best = inf
    for _ in range(3):
        began = time.perf_counter()
        found = call()
        best = min(best, time.perf_counter() - began)
        if best > 1:
            break
    return found, best
