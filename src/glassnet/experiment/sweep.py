"""Several runs: of one recipe with several seeds, or evaluated as an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np

from glassnet.errors import GlassnetError, InputError, RunError
from glassnet.experiment.alike import check_alike
from glassnet.experiment.auto_recipe import as_recipe
from glassnet.experiment.ensemble import Ensemble
from glassnet.experiment.recipe import Recipe
from glassnet.experiment.run import Run, prepare, train
from glassnet.experiment.run_folder import LEDGER, MODEL, RECIPE, new_folder, read_ledger
from glassnet.nn.metrics import Evaluation, evaluate_probabilities
from glassnet.runtime import Ranks
from glassnet.support.i18n import mark, tr

SEED = "seed-"  # a folder of several seeds holds seed-0, seed-1, …
Part = Literal["train", "validation", "test"]
PARTS: dict[Part, str] = {"train": mark("training"), "validation": mark("validation"), "test": mark("test")}


def train_seeds(
    recipe: str | Path | Recipe,
    count: int,
    *,
    seed: int | None = None,
    out: str | Path | None = None,
    ranks: Ranks | None = None,
    **options: Any,
) -> list[Run]:
    """Train a recipe with `count` seeds, from `seed` or its own on, into out/seed-N; other options as in `train`.

    With `ranks`, as many seeds at once: each rank trains some of them alone, and rank 0 returns them all.
    """
    chosen = as_recipe(recipe, options.get("settings"))
    if count < 1:
        raise InputError(
            tr("The number of seeds must be positive."), where="train_seeds(count)", expected=tr("1 or more"), received=count
        )
    first = chosen.training.seed if seed is None else seed
    if ranks is not None:
        return _train_dealt(ranks, chosen, range(first, first + count), out, options)
    runs: list[Run] = []
    with new_folder(out, chosen.name) as folder:
        try:
            for number in range(first, first + count):
                runs += [train(chosen, seed=number, out=folder / f"{SEED}{number}", **options)]
        except GlassnetError as error:
            if runs:
                error.add_note(
                    tr("{done} of {count} seeds finished: see {folder}", done=len(runs), count=count, folder=folder)
                )
            raise
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(tr("{done} of {count} seeds finished.", done=len(runs), count=count))
            raise
    return runs


def finish(recipe: Recipe, folder: Path, **options: Any) -> Run:
    """The run of a recipe in `folder`: read if it is done, resumed if it was begun, else trained; `options` as in `train`."""
    if (folder / MODEL).exists():
        return Run.load(folder)
    return train(recipe, out=folder, resume=(folder / RECIPE).exists(), **options)


def _train_dealt(ranks: Ranks, recipe: Recipe, seeds: range, out: str | Path | None, options: dict[str, Any]) -> list[Run]:
    """Deal the seeds to the ranks, one thread each unless `options` say otherwise; on rank 0 the runs of all."""
    chosen, splits = prepare(recipe, **{name: options.get(name) for name in ("data", "epochs", "settings")})
    check_alike(ranks, chosen, splits)
    options["threads"] = options.get("threads") or 1
    with new_folder(out, recipe.name) if ranks.writes else nullcontext(Path()) as own:
        folder = Path(ranks.texts(str(own))[0])
        runs = {
            seed: train(recipe, seed=seed, out=folder / f"{SEED}{seed}", **options)
            for seed in seeds[ranks.rank :: ranks.size]
        }
        ranks.rest()
    return [runs.get(seed) or Run.load(folder / f"{SEED}{seed}") for seed in (seeds if ranks.writes else runs)]


def is_of_seeds(folder: Path) -> bool:
    """Whether a folder is not a run but was written by `train_seeds`."""
    return not (folder / RECIPE).exists() and any(folder.glob(f"{SEED}*/{RECIPE}"))


def load_runs(folder: Path) -> list[Run]:
    """The run in a folder, or those of `train_seeds` in the order of their seeds."""
    if not is_of_seeds(folder):
        return [Run.load(folder)]
    runs = [Run.load(path.parent) for path in folder.glob(f"{SEED}*/{RECIPE}")]
    return sorted(runs, key=lambda run: run.recipe.training.seed)


def check_distinct(folders: Sequence[Path]) -> None:
    """Raise `InputError` if a run is listed twice."""
    resolved = [folder.resolve() for folder in folders]
    for folder in resolved:
        if resolved.count(folder) > 1:
            raise InputError(tr("A run is listed twice."), where=folder, expected=tr("each run once"))


def check_same_data(runs: Sequence[Run], part: Part) -> None:
    """Raise `RunError` unless all runs have the same data in a split."""
    first, *others = (getattr(run.splits, part) for run in runs)
    for run, other in zip(runs[1:], others, strict=True):
        if other is first or (
            other is not None and np.array_equal(first.labels, other.labels) and np.array_equal(first.images, other.images)
        ):
            continue
        raise RunError(
            tr("The runs do not have the same {part} data.", part=tr(PARTS[part])),
            where=run.folder,
            expected=tr("{data}, as {folder}", data=repr(first), folder=runs[0].folder),
            received=other if other is None else tr("{data}, with other images", data=repr(other)),
            hint=tr("train the runs on the same data with the same split"),
        )


def evaluate_together(
    runs: Sequence[Run], views: int | None = None, top_k: int | None = None, precision: str = "float32"
) -> Evaluation:
    """Evaluate the runs as one ensemble on the test set, and record it in the ledger of each."""
    check_distinct([run.folder for run in runs])
    ensemble = Ensemble([run.network for run in runs])
    test = runs[0].test
    check_same_data(runs, "test")
    options = [run.views(views) for run in runs]
    for run in runs:
        read_ledger(run.folder / LEDGER)  # raises before the evaluation if it can't be recorded
    probabilities = ensemble.mean_proba(test.images, [each | {"precision": precision} for each in options])
    result = evaluate_probabilities(probabilities, test.labels, ensemble.classes, top_k)
    members = [run.fingerprint for run in runs]
    for run, each in zip(runs, options, strict=True):
        run.note(result, precision, ensemble=members, **({"views": each["views"]} if each else {}))
    return result
