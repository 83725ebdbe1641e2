"""The teachers of a distillation: runs, or the best trials of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from glassnet.data import Dataset, Splits
from glassnet.errors import InputError
from glassnet.experiment.ensemble import Ensemble
from glassnet.experiment.recipe import Recipe
from glassnet.experiment.run import Run, read_splits
from glassnet.experiment.search.plan import PLAN
from glassnet.experiment.search.records import SearchResult
from glassnet.experiment.search.search import load_search
from glassnet.experiment.sections import DataSection
from glassnet.experiment.sweep import check_distinct, load_runs
from glassnet.support.checks import whole_number
from glassnet.support.i18n import tr

BEST = 5  # trials of a search
Teachers: TypeAlias = str | Path | Run | SearchResult | Sequence[str | Path | Run]


@dataclass(frozen=True)
class Teacher:
    """A recipe, and the `folder` of its run; None for a trial, which is to be trained. `identity`: fingerprint or point."""

    identity: str
    recipe: Recipe
    folder: Path | None = None


def choose(teachers: Teachers, best: int | None = None) -> list[Teacher]:
    """The `best` on validation data, the best first: by default all runs, and five trials of a search.

    Raises `InputError` for none, for fewer than `best`, and for runs that differ in their classes or input shape.
    """
    found = teachers if isinstance(teachers, SearchResult) else _load(teachers)
    return _trials(found, best) if isinstance(found, SearchResult) else _runs(found, best)


def _load(teachers: str | Path | Run | Sequence[str | Path | Run]) -> list[Run] | SearchResult:
    """Runs, from their folders and from folders of seeds; or the search in the one folder that is given."""
    given = [teachers] if isinstance(teachers, (str, Path, Run)) else list(teachers)
    if len(given) == 1 and not isinstance(given[0], Run) and (Path(given[0]) / PLAN).is_file():
        return load_search(Path(given[0]))
    runs = [run for each in given for run in ([each] if isinstance(each, Run) else load_runs(Path(each)))]
    if not runs:
        what = tr("A distillation needs teachers.")
        raise InputError(what, where="distill(teachers)", expected=tr("at least one"), received=0)
    check_distinct([run.folder for run in runs])
    return runs


def _trials(found: SearchResult, best: int | None) -> list[Teacher]:
    ranked = found.ranked
    count = _count(min(BEST, max(1, len(ranked))) if best is None else best, len(ranked), tr("complete trials"))
    return [Teacher(trial.point, found.recipe_of(trial)) for trial in ranked[:count]]


def _runs(runs: list[Run], best: int | None) -> list[Teacher]:
    Ensemble([run.network for run in runs])  # raises where they differ
    count = _count(len(runs) if best is None else best, len(runs), tr("runs"))
    accuracies = []
    for run in runs:
        validation = splits_of(run.recipe, run.folder).validation
        assert validation is not None
        accuracies.append(run.network.evaluate(validation).accuracy)
    order = sorted(range(len(runs)), key=lambda place: -accuracies[place])
    return [Teacher(runs[place].fingerprint, runs[place].recipe, runs[place].folder) for place in order[:count]]


def _count(best: int, there: int, what: str) -> int:
    whole_number(best, tr("The number of teachers must be positive."), "distill(best)", tr("{least} or more", least=1))
    if best > there:
        raise InputError(
            tr("There are not so many teachers."),
            where="distill(best)",
            expected=tr("at most {count}, the number of {what}", count=there, what=what),
            received=best,
        )
    return best


def splits_of(recipe: Recipe, folder: Path | None = None) -> Splits:
    """The data of a recipe. Raises `InputError` where it has no classes or no validation part."""
    splits = read_splits(recipe)
    if splits.classes is None or splits.validation is None:
        raise InputError(
            tr("Distilling needs class labels and validation images."),
            where=folder or recipe.data.source,
            expected=tr("classes, and a validation part"),
            received=tr("targets instead of class labels") if splits.classes is None else tr("no validation part"),
        )
    return splits


def check_same_images(teacher: Teacher, student: Recipe, splits: Splits) -> None:
    """Refuse a teacher that was trained on other images: it may have seen those that the student is judged by."""
    if teacher.recipe.data == student.data:
        return
    theirs = read_splits(teacher.recipe)
    for mine, other in ((splits.train, theirs.train), (splits.validation, theirs.validation)):
        if mine is None or other is None or not _same(mine, other):
            values = teacher.recipe.data.model_dump(), student.data.model_dump()
            differ = [key for key in DataSection.model_fields if values[0][key] != values[1][key]]
            raise InputError(
                tr("The student's training and validation images are not those of the teachers."),
                where=teacher.folder or teacher.recipe.name,
                expected=tr("{data}, as of the teacher", data=", ".join(f"{key} = {values[0][key]!r}" for key in differ)),
                received=", ".join(f"{key} = {values[1][key]!r}" for key in differ),
                hint=tr("give the student the teachers' data: --set data.KEY=VALUE"),
            )


def _same(first: Dataset, other: Dataset) -> bool:
    """Whether two data sets have the same images, labels and classes, in the same order."""
    return (
        first.classes == other.classes
        and np.array_equal(first.labels, other.labels)
        and np.array_equal(first.images, other.images)
    )
