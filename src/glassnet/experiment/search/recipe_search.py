"""`gn.search`: a whole search in one call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from glassnet.experiment.auto_recipe import as_recipe
from glassnet.experiment.recipe import Recipe
from glassnet.experiment.run import settings_of
from glassnet.experiment.search.plan import Over, continues, make_plan
from glassnet.experiment.search.records import Method, Pruner, SearchResult, Trial
from glassnet.experiment.search.results import write_results
from glassnet.experiment.search.search import search as run_search
from glassnet.support.habits import answered


@answered
def search(
    recipe: str | Path | Recipe,
    over: Over,
    *,
    method: Method | None = None,
    trials: int | None = None,
    pruner: Pruner = "none",
    folds: int = 1,
    seeds: int = 1,
    seed: int = 0,
    data: str | Path | None = None,
    epochs: int | None = None,
    settings: dict[str, Any] | None = None,
    out: str | Path | None = None,
    storage: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    on_trial: Callable[[Trial], object] | None = None,
) -> SearchResult:
    """Train a recipe with other values for some keys, and compare them on validation data, never on the test set.

        result = gn.search("digits", {"hidden": [32, 64, 128], "learning_rate": "log:0.001:0.1"}, trials=30)
        run = gn.train(result.recipe_of(result.best))

    `over`: {key: values, or a range as text}, or texts as `--over` takes them. `method`: "grid", "random" or "tpe"; by
    default a grid where all keys have values, else TPE. `pruner`: "median", "halving" or "hyperband" ends trials that fall
    behind. Each trial trains `folds` times `seeds` networks, the first with the recipe's seed; `seed` is that of the points.
    `data`, `epochs`, `settings`: as in `train`. `out`: by default runs/search-NAME; where it holds the same search, that
    goes on. `workers`: processes, by default one for each core; `storage`: the URL of a database for workers elsewhere, too.
    Raises `RecipeError`, `InputError` and `DataError` before anything starts.
    """
    changes = settings_of(None, data, epochs, settings)
    chosen = as_recipe(recipe, changes)
    plan = make_plan(
        chosen.changed(changes) if changes else chosen,
        over,
        method=method,
        trials=trials,
        pruner=pruner,
        folds=folds,
        seeds=seeds,
        seed=seed,
    )
    resume = out is not None and continues(plan, Path(out))
    result = run_search(plan, out=out, storage=storage, workers=workers, threads=threads, on_trial=on_trial, resume=resume)
    write_results(result)
    return result
