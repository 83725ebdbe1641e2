"""Several runs at once: one recipe with several seeds, or runs that answer together as an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.data import Dataset
from glassnet.errors import GlassnetError, InputError, RunError
from glassnet.experiment.ensemble import Ensemble
from glassnet.experiment.recipe import Recipe, load_recipe
from glassnet.experiment.run import Run, train
from glassnet.experiment.run_files import read_ledger
from glassnet.experiment.run_folder import LEDGER, RECIPE, new_folder, remove_empty
from glassnet.nn.metrics import Evaluation, evaluate_probabilities
from glassnet.support.i18n import tr
from glassnet.support.paths import exists

SEED = "seed-"  # a folder of several seeds holds seed-0, seed-1, …


def train_seeds(
    recipe: str | Path | Recipe,
    count: int,
    *,
    seed: int | None = None,
    out: str | Path | None = None,
    **options: Any,
) -> list[Run]:
    """Train a recipe with `count` seeds, from its own or `seed` on, into out/seed-N each; the runs.

    `out` and `options` are as in `train`.
    """
    chosen = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    if count < 1:
        raise InputError(
            tr("There must be seeds to train."), where="train_seeds(count)", expected=tr("1 or more"), received=count
        )
    first = chosen.training.seed if seed is None else seed
    was_there = out is not None and exists(Path(out))
    folder = new_folder(out, chosen.name)
    runs: list[Run] = []
    try:
        for number in range(first, first + count):
            runs += [train(chosen, seed=number, out=folder / f"{SEED}{number}", **options)]
    except GlassnetError as error:
        if not was_there:
            remove_empty(folder)
        if runs:
            error.add_note(tr("Of {count} seeds {done} were done: see {folder}", count=count, done=len(runs), folder=folder))
        raise
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(tr("Of {count} seeds {done} were done.", count=count, done=len(runs)))
        raise
    return runs


def is_of_seeds(folder: Path) -> bool:
    """Whether a folder is not a run, but holds runs as `train_seeds` leaves them."""
    return not (folder / RECIPE).exists() and any(folder.glob(f"{SEED}*/{RECIPE}"))


def load_seeds(folder: Path) -> list[Run]:
    """The runs of `train_seeds` in a folder, in the order of their seeds."""
    runs = [Run.load(path.parent) for path in folder.glob(f"{SEED}*/{RECIPE}")]
    return sorted(runs, key=lambda run: run.recipe.training.seed)


def evaluate_together(runs: Sequence[Run], views: int | None = None) -> Evaluation:
    """Open the test set for the runs as one ensemble; the look is noted in the ledger of each. `views`: as in `Run.evaluate`.

    Raises `RunError` where the runs were not trained on the same data, so that one's test set is another's lesson.
    """
    folders = [run.folder.resolve() for run in runs]
    if len(set(folders)) < len(folders):
        twice = next(folder for folder in folders if folders.count(folder) > 1)
        raise InputError(tr("A run stands twice in the ensemble."), where=twice, expected=tr("each run once"))
    ensemble = Ensemble([run.network for run in runs])
    test = runs[0].test
    for run in runs[1:]:
        if not same_data(test, run.test):
            raise RunError(
                tr("The runs do not have the same test set."),
                where=run.folder,
                expected=tr("{test}, as {folder}", test=repr(test), folder=runs[0].folder),
                received=tr("{test}, of other images", test=repr(run.test)),
                hint=tr("train the runs of an ensemble on the same data with the same split"),
            )
    options = [run.views(views) for run in runs]
    for run in runs:
        read_ledger(run.folder / LEDGER)  # a look that can't be noted in all of them is not taken
    result = evaluate_probabilities(ensemble.mean_proba(test.images, options), test.labels, ensemble.classes)
    members = [run.fingerprint for run in runs]
    for run, each in zip(runs, options, strict=True):
        run.note(result, ensemble=members, **({"views": each["views"]} if each else {}))
    return result


def same_data(a: Dataset, b: Dataset) -> bool:
    return a is b or (np.array_equal(a.labels, b.labels) and np.array_equal(a.images, b.images))
