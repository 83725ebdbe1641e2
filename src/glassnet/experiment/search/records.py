"""What a search is and what it found: `SearchPlan`, `Trial`, `SearchResult`."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import numpy as np

from glassnet.experiment.recipe import Recipe
from glassnet.experiment.search.space import Parameter

Method = Literal["grid", "random", "tpe"]
Pruner = Literal["none", "median", "halving", "hyperband"]
State = Literal["complete", "pruned", "failed"]
FILE = "study.sqlite3"  # the trials, in the folder of a search


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """`recipe` with other values for the keys of `space`, `trials` times.

    `folds`, `seeds`: each trial trains on that many folds (1: the recipe's own split) times seeds; its value is the mean of
    the validation accuracies (of the validation losses where the data has no classes: `maximise` is then false).
    """

    recipe: Recipe
    space: tuple[Parameter, ...]
    method: Method
    trials: int
    pruner: Pruner = "none"
    folds: int = 1
    seeds: int = 1
    seed: int = 0
    maximise: bool = True


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One point: its `settings` by key, the result of each `part` (fold by fold, in it seed by seed), the validation
    curve of the first part.

    `number`: its place in the search; `point`: the hash of its recipe and seed; `seconds`: of training.
    """

    number: int
    point: str
    settings: dict[str, Any]
    state: State
    parts: tuple[float, ...] = ()
    curve: tuple[float, ...] = ()
    seconds: float = 0.0
    error: str | None = None

    @property
    def value(self) -> float | None:
        """The mean of the parts; of a pruned trial what it had reached."""
        return float(np.mean(self.parts)) if self.parts else None

    @property
    def spread(self) -> float | None:
        """The standard deviation over folds and seeds; None for one part."""
        return float(np.std(self.parts, ddof=1)) if len(self.parts) > 1 else None


@dataclass(frozen=True)
class SearchResult:
    """`plan`, the finished `trials` in the order of their numbers, and the `folder` with all of it."""

    plan: SearchPlan
    trials: tuple[Trial, ...]
    folder: Path

    @property
    def ranked(self) -> tuple[Trial, ...]:
        """The complete trials, the best first, values that are not finite last; ties in the order of their numbers."""
        sign = -1 if self.plan.maximise else 1
        complete = [trial for trial in self.trials if trial.state == "complete" and trial.value is not None]
        return tuple(
            sorted(complete, key=lambda trial: (not isfinite(trial.value or 0.0), sign * (trial.value or 0.0), trial.number))
        )

    @property
    def best(self) -> Trial | None:
        return next(iter(self.ranked), None)

    def recipe_of(self, trial: Trial) -> Recipe:
        """The recipe of a trial, to be trained."""
        return self.plan.recipe.changed(trial.settings)
