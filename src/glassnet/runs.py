"""Several runs at once: one recipe with several seeds, or runs that answer together as an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.data import Dataset
from glassnet.data.paths import exists
from glassnet.diagnosis import Diagnosis, diagnose_difference
from glassnet.ensemble import Ensemble
from glassnet.errors import GlassnetError, InputError, RunError
from glassnet.metrics import Evaluation, evaluate_probabilities
from glassnet.recipe import Recipe, load_recipe
from glassnet.run import Run, train
from glassnet.run_files import read_ledger
from glassnet.run_folder import LEDGER, RECIPE, new_folder, remove_empty

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
        raise InputError("There must be seeds to train.", where="train_seeds(count)", expected="1 or more", received=count)
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
            error.add_note(f"Of {count} seeds {len(runs)} were done: see {folder}")
        raise
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(f"Of {count} seeds {len(runs)} were done.")
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
        raise InputError("A run stands twice in the ensemble.", where=twice, expected="each run once")
    ensemble = Ensemble([run.network for run in runs])
    test = runs[0].test
    for run in runs[1:]:
        if not _same(test, run.test):
            raise RunError(
                "The runs do not have the same test set.",
                where=run.folder,
                expected=f"{test!r}, as {runs[0].folder}",
                received=f"{run.test!r}, of other pictures",
                hint="train the runs of an ensemble on the same data with the same split",
            )
    options = [run.views(views) for run in runs]
    for run in runs:
        read_ledger(run.folder / LEDGER)  # a look that can't be noted in all of them is not taken
    shares = [run.network.predict_proba(test.images, **each) for run, each in zip(runs, options, strict=True)]
    result = evaluate_probabilities(np.mean(shares, axis=0), test.labels, ensemble.classes)
    members = [run.fingerprint for run in runs]
    for run, each in zip(runs, options, strict=True):
        run.note(result, ensemble=members, **({"views": each["views"]} if each else {}))
    return result


def _same(a: Dataset, b: Dataset) -> bool:
    return a is b or (np.array_equal(a.labels, b.labels) and np.array_equal(a.images, b.images))


def diagnose_runs(folders: Sequence[str | Path]) -> Diagnosis:
    """Whether the best of several runs, or of several folders of seeds, is better than the others by more than chance.

    On validation data, which all must share. Raises `RunError` where they do not.
    """
    paths = [Path(folder) for folder in folders]
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError(
            "A run stands twice.", where="diagnose", expected="each run once", received=", ".join(map(str, paths))
        )
    groups = [load_seeds(path) if is_of_seeds(path) else [Run.load(path)] for path in paths]
    first = groups[0][0]
    data = first.splits.validation
    if data is None or not data.is_classification:
        raise RunError(
            "Runs are compared on validation pictures with classes.",
            where=first.folder,
            expected="a validation part",
            received="none" if data is None else "targets that are no classes",
        )
    for run in (run for group in groups for run in group):
        other = run.splits.validation
        if other is None or not _same(data, other):
            raise RunError(
                "The runs do not have the same validation pictures.",
                where=run.folder,
                expected=f"{data!r}, as {first.folder}",
                received=f"{other!r}" + ("" if other is None else ", of other pictures"),
                hint="train the runs on the same data with the same split",
            )
    histories = [[run.history for run in group] for group in groups]
    return diagnose_difference([[run.network for run in group] for group in groups], data, list(map(str, paths)), histories)
