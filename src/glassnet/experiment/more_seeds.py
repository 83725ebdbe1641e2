"""Further seeds of the recipe of a run, for comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glassnet.errors import InputError
from glassnet.experiment.recipe import Recipe, load_recipe
from glassnet.experiment.run import Run
from glassnet.experiment.run_folder import RECIPE
from glassnet.experiment.sections import SECTIONS
from glassnet.experiment.sweep import SEED, finish
from glassnet.support.i18n import tr


def more_seeds(runs: Sequence[Run], count: int, name: str, out: Path, **options: Any) -> list[Run]:
    """`runs`, of one recipe with several seeds, and further ones up to `count`; `options` as in `train`.

    Those are trained into out/compare-NAME/seed-N; what is there already is used, and continued where it was interrupted.
    """
    if count < 1:
        raise InputError(
            tr("The number of seeds must be positive."), where="compare(seeds)", expected=tr("1 or more"), received=count
        )
    found = {run.recipe.training.seed: run for run in runs}
    recipe = runs[0].recipe
    folder = _folder(out, name, recipe)
    seed = min(found)
    while len(found) < count:
        if seed not in found:
            found[seed] = finish(recipe.changed({"training.seed": seed}), folder / f"{SEED}{seed}", **options)
        seed += 1
    return [found[seed] for seed in sorted(found)]


def _folder(out: Path, name: str, recipe: Recipe) -> Path:
    """out/compare-NAME, or the first of out/compare-NAME-2, … that has no seeds of another recipe."""
    number = 1
    while True:
        folder = out / (f"compare-{name}" if number == 1 else f"compare-{name}-{number}")
        if all(_without_seed(load_recipe(path)) == _without_seed(recipe) for path in folder.glob(f"{SEED}*/{RECIPE}")):
            return folder
        number += 1


def _without_seed(recipe: Recipe) -> dict[str, Any]:
    """What is trained, whatever its seed."""
    found = recipe.model_dump(include=set(SECTIONS))
    del found["training"]["seed"]
    return found
