"""Distillation: one student trained on the answers of an ensemble, and its control, trained on the labels alone."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from glassnet.data import Dataset, Splits, expand_by_shifts
from glassnet.errors import RunError, TrainingWarning, reason, writing
from glassnet.experiment.auto_recipe import as_recipe
from glassnet.experiment.ensemble import Ensemble
from glassnet.experiment.recipe import Recipe, load_recipe
from glassnet.experiment.run import Run
from glassnet.experiment.run_folder import MODEL, RECIPE, fingerprint_of, new_folder
from glassnet.experiment.sections import TEMPERATURE, WEIGHT
from glassnet.experiment.sweep import SEED, finish
from glassnet.experiment.teachers import Teachers, check_same_images, choose, splits_of
from glassnet.support.atomic import write_text
from glassnet.support.checks import between, positive, whole_number
from glassnet.support.i18n import mark, tr

Arm = Literal["distilled", "labels"]
DISTILLED: Arm = "distilled"
LABELS: Arm = "labels"
PLAN, TEACHER, STUDENT = "distill.json", "teacher-", "student"  # what lies in the folder, besides those of the two arms
ARMS = {DISTILLED: mark("distilled"), LABELS: mark("on the labels alone")}
PROBE = 2000  # images of the training that measures the time


@dataclass(frozen=True)
class Part:
    """One training: a recipe and its folder. `finish` trains it, goes on with it, or reads it."""

    recipe: Recipe
    folder: Path

    @property
    def done(self) -> bool:
        return (self.folder / MODEL).exists()

    def finish(self, **options: Any) -> Run:
        """The run; `options` as in `train`. Raises `RunError` where the folder holds the run of another recipe."""
        if (self.folder / RECIPE).exists() and load_recipe(self.folder / RECIPE) != self.recipe:
            raise RunError(
                tr("The run in this folder is of another recipe."),
                where=self.folder / RECIPE,
                expected=tr("the recipe of this distillation"),
                hint=tr("choose another with --out"),
            )
        return finish(self.recipe, self.folder, **options)


@dataclass(frozen=True)
class Distillation:
    """A distillation to be done in `folder`: `train` does it, and does what is left of it.

    `teachers`: runs, or the trials of a search, which are trained again; `recipe`: of the student, without its teachers.
    """

    folder: Path
    teachers: tuple[Part, ...]
    recipe: Recipe
    splits: Splits
    seeds: int
    temperature: float
    weight: float

    @property
    def validation(self) -> Dataset:
        assert self.splits.validation is not None
        return self.splits.validation

    def students(self, teachers: Sequence[Run] = ()) -> Iterator[tuple[Arm, Part]]:
        """The students' trainings, seed by seed; those that are distilled need the teachers."""
        section = {run.folder.absolute().as_posix(): run.fingerprint for run in teachers}
        settings = {"teachers": section, "temperature": self.temperature, "weight": self.weight} if teachers else {}
        distilled = self.recipe.changed({f"distillation.{key}": value for key, value in settings.items()})
        for seed in range(self.recipe.training.seed, self.recipe.training.seed + self.seeds):
            for arm, recipe in ((DISTILLED, distilled), (LABELS, self.recipe)):
                yield arm, Part(recipe.changed({"training.seed": seed}), self.folder / arm / f"{SEED}{seed}")

    @property
    def left(self) -> list[Part]:
        """The trainings that are not done yet."""
        return [part for part in (*self.teachers, *(part for _, part in self.students())) if not part.done]

    def seconds(self, threads: int | None = None) -> float:
        """About how long the trainings that are left take, by a short training of each network."""
        recipes = [part.recipe.changed({"training.seed": 0}) for part in self.left]
        different = {recipe.to_toml(): recipe for recipe in recipes}
        times = {text: _seconds(recipe, self.splits, threads) for text, recipe in different.items()}
        return sum(times[recipe.to_toml()] for recipe in recipes)

    def train(self, tell: Callable[[str], object] | None = None, **options: Any) -> tuple[list[Run], dict[Arm, list[Run]]]:
        """The teachers' runs and the students', by arm; `options` as in `train`, `tell` is given a line for each training."""
        left, number = len(self.left), 0

        def finish(part: Part, what: str) -> Run:
            nonlocal number
            if not part.done:
                number += 1
                if tell is not None:
                    tell(tr("Training {number} of {count}: {what}", number=number, count=left, what=what))
            return part.finish(**options)

        teachers = [finish(part, tr("teacher {place}", place=place)) for place, part in enumerate(self.teachers, 1)]
        Ensemble([run.network for run in teachers])  # raises where they differ
        students: dict[Arm, list[Run]] = {DISTILLED: [], LABELS: []}
        for arm, part in self.students(teachers):
            seed = part.recipe.training.seed
            students[arm].append(finish(part, tr("student {arm}, seed {seed}", arm=tr(ARMS[arm]), seed=seed)))
        return teachers, students

    def keep(self, student: Run) -> Run:
        """A copy of a student's run in `folder`/student, or student-2, … where another was kept with fewer seeds."""
        number, home = 1, self.folder / STUDENT
        while home.exists():
            if fingerprint_of(home) == student.fingerprint:
                return Run.load(home)
            number += 1
            home = self.folder / f"{STUDENT}-{number}"
        part = self.folder / f"{STUDENT}.part"
        with writing(home):
            shutil.copytree(student.folder, part, dirs_exist_ok=True)
            part.replace(home)
        return Run.load(home)


def plan(
    teachers: Teachers,
    into: str | Path | Recipe | None = None,
    *,
    best: int | None = None,
    seeds: int = 3,
    temperature: float = TEMPERATURE,
    weight: float = WEIGHT,
    out: str | Path | None = None,
    settings: dict[str, Any] | None = None,
) -> Distillation:
    """A distillation, checked; its folder is made, or goes on if it is of the same distillation, maybe with more seeds."""
    few = tr("A paired comparison needs at least two seeds.")
    whole_number(seeds, few, "distill(seeds)", tr("{least} or more", least=2), 2)
    positive(temperature, tr("The temperature must be positive."), "distill(temperature)")
    if weight != 1:
        what = tr("The weight of the teachers' answers must lie above 0 and be at most 1.")
        between(weight, what, "distill(weight)", "weight")
    chosen = choose(teachers, best)
    student = (chosen[0].recipe if into is None else as_recipe(into, settings)).model_copy(update={"distillation": None})
    student = student.changed(settings) if settings else student
    splits = splits_of(student)
    for teacher in chosen:
        check_same_images(teacher, student, splits)
    student.make_network(splits)  # raises where it can't be made
    question = {
        "student": student.model_dump(mode="json", exclude_none=True),
        "teachers": [teacher.identity for teacher in chosen],
        "temperature": float(temperature),
        "weight": float(weight),
    }
    folder = _folder(out, f"{student.name}-distilled", question)
    parts = [Part(each.recipe, each.folder or folder / f"{TEACHER}{place}") for place, each in enumerate(chosen, 1)]
    return Distillation(folder, tuple(parts), student, splits, int(seeds), float(temperature), float(weight))


def _folder(out: str | Path | None, name: str, question: dict[str, Any]) -> Path:
    """The folder of a distillation: a new one, or `out` if this distillation was begun there."""
    text = json.dumps(question, indent=1) + "\n"
    if out is None or not (Path(out) / PLAN).exists():
        with new_folder(out, name) as folder, writing(folder / PLAN):
            write_text(folder / PLAN, text)
        return folder
    path = Path(out) / PLAN
    try:
        before = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise RunError(tr("The plan of the distillation can't be read."), where=path, received=reason(error)) from None
    if before != text:
        raise RunError(
            tr("This folder holds another distillation."),
            where=path,
            expected=tr("the same teachers, student, temperature and weight"),
            hint=tr("choose another with --out"),
        )
    return Path(out)


def _seconds(recipe: Recipe, splits: Splits, threads: int | None) -> float:
    """About how long the training of a recipe takes: an epoch over some of the images, times their share and the epochs."""
    training = recipe.training
    few = splits.train[: max(PROBE, 10 * training.batch_size)]
    shift = training.expand_shifts
    images = len(splits.train) * (len(expand_by_shifts(few[:1], shift)) if shift else 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)  # the training itself will say it
        history = recipe.make_network(splits).fit(
            few,
            1,
            batch_size=training.batch_size,
            optimizer=recipe.make_optimizer(),
            seed=training.seed,
            augmentation=recipe.make_augmentation(),
            average=training.average,
            threads=threads,
            progress=False,
        )
    return training.epochs * sum(history.seconds) * images / len(few)
