"""One trial: a recipe with other settings, trained for each fold and seed, and judged on validation data."""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any

import numpy as np

from glassnet.data import Dataset, Splits
from glassnet.data.options import SplitKind
from glassnet.data.splits import split_folds
from glassnet.errors import DataError, TrainingWarning
from glassnet.experiment.fit_options import early_stopping, fit_options
from glassnet.experiment.recipe import Recipe
from glassnet.experiment.run import read_splits
from glassnet.experiment.search.records import SearchPlan
from glassnet.experiment.search.space import Settings
from glassnet.support.i18n import tr
from glassnet.training import Callback, Epoch, History, Progress

Report = Callable[[int, float], None]


@dataclass
class Outcome:
    """`parts`: the value of each fold and seed; `curve`: of each epoch of the first; `seconds` of training.

    Of a trial that was `pruned`, what it had reached.
    """

    parts: tuple[float, ...] = ()
    curve: tuple[float, ...] = ()
    seconds: float = 0.0
    pruned: bool = False


def run_trial(
    plan: SearchPlan,
    settings: Settings,
    splits: Splits,
    *,
    threads: int | None = None,
    report: Report | None = None,
    stop: Callable[[], bool] | None = None,
    callbacks: Sequence[Callback] = (),
) -> Outcome:
    """Train the plan's recipe with these settings and return the values that it reaches on validation data.

    A value is the validation accuracy (the loss where there are no classes) of the last epoch, or of the best where the
    recipe keeps that; 0 (infinity) where training ended because numbers became infinite. `splits`: the data of the plan's
    recipe; the test set is not used. `report(step, value)` is called after each epoch, or after each part with the mean so
    far where there are several; the trial is pruned where `stop()` is true then. `callbacks`: of each training. The values
    depend on nothing but the plan, the settings and the data.
    """
    recipe = plan.recipe.changed(settings)
    if recipe.data != plan.recipe.data:
        splits = read_splits(recipe)
    several = plan.folds * plan.seeds > 1
    outcome = Outcome()
    for number, (part, changed) in enumerate(_parts(plan, recipe, splits)):
        watch = None if several or (report is None and stop is None) else _Report(plan.maximise, report, stop)
        start = time.perf_counter()
        history = _train(changed, part, [*([] if watch is None else [watch]), *callbacks], threads)
        outcome.seconds += time.perf_counter() - start
        outcome.parts += (value_of(history, changed, plan.maximise),)
        if number == 0:
            outcome.curve = curve_of(history, plan.maximise)
        if several and report is not None:
            report(number + 1, float(np.mean(outcome.parts)))
        done = number + 1 == plan.folds * plan.seeds
        if (watch is not None and watch.stopped) or (several and not done and stop is not None and stop()):
            outcome.pruned = True
            break
    return outcome


def _parts(plan: SearchPlan, recipe: Recipe, splits: Splits) -> Iterator[tuple[Splits, Recipe]]:
    """The data and the recipe of each fold and seed."""
    for fold in range(plan.folds):
        part = splits if plan.folds == 1 else _fold(splits, recipe.data.split_seed, plan.folds, fold)
        if part.validation is None:
            raise DataError(
                tr("A search needs validation data, and this recipe has none."), where=f"recipe {recipe.name}, data"
            )
        for extra in range(plan.seeds):
            training = recipe.training.model_copy(update={"seed": recipe.training.seed + extra})
            yield part, recipe.model_copy(update={"training": training})


def _fold(splits: Splits, seed: int, count: int, fold: int) -> Splits:
    """Fold number `fold` as validation data and the others as training data."""
    folds = _folds(splits, seed, count)
    return Splits(_joined([*folds[:fold], *folds[fold + 1 :]]), folds[fold])


@functools.lru_cache(maxsize=1)
def _folds(splits: Splits, seed: int, count: int) -> tuple[Dataset, ...]:
    """Training and validation data together in parts: by group where there are groups, else stratified."""
    whole = splits.train if splits.validation is None else _joined([splits.train, splits.validation])
    kind: SplitKind = "group" if whole.groups is not None else "random" if whole.classes is None else "stratified"
    return split_folds(whole, count, seed, kind)


def _joined(parts: list[Dataset]) -> Dataset:
    def column(name: str) -> Any:
        columns = [getattr(part, name) for part in parts]
        return None if any(each is None for each in columns) else np.concatenate(columns)

    images, labels, groups, names = map(column, ("images", "labels", "groups", "names"))
    return Dataset(images, labels, parts[0].classes, groups, names)


def _train(recipe: Recipe, splits: Splits, callbacks: list[Callback], threads: int | None) -> History:
    network = recipe.make_network(splits)
    with warnings.catch_warnings(), np.errstate(over="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", TrainingWarning)  # its value says it
        return network.fit(
            **fit_options(recipe, splits, network),
            callbacks=[*early_stopping(recipe), *callbacks],
            threads=threads,
            statistics=False,
            progress=False,
        )


def curve_of(history: History, maximise: bool) -> tuple[float, ...]:
    """The validation accuracy of each epoch, or the loss."""
    column = history.validation_accuracy if maximise else history.validation_cost
    return tuple(_finite(value, maximise) for value in column)


def value_of(history: History, recipe: Recipe, maximise: bool) -> float:
    """The value of a training."""
    curve = curve_of(history, maximise)
    if history.not_finite or not curve:
        return _worst(maximise)
    return curve[(history.best_epoch or 0) - 1] if recipe.training.keep == "best" else curve[-1]


def _worst(maximise: bool) -> float:
    return 0.0 if maximise else inf


def _finite(value: float | None, maximise: bool) -> float:
    return value if value is not None and isfinite(value) else _worst(maximise)


@dataclass
class _Report(Callback):
    """Reports the value after each epoch, and ends a training that is to be pruned."""

    maximise: bool
    report: Report | None
    stop: Callable[[], bool] | None
    stopped: bool = field(default=False, init=False)

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        value = epoch.validation_accuracy if self.maximise else epoch.validation_cost
        if self.report is not None:
            self.report(epoch.epoch, _finite(value, self.maximise))
        if epoch.epoch < progress.epochs and self.stop is not None and self.stop():
            self.stopped = True
            progress.stop("pruned")
