"""`glassnet search RECIPE --over KEY=VALUES`: train a recipe with other values, and compare them on validation data."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassnet.cli.console import complain, fail, say, working
from glassnet.cli.settings import Data, Settings, changes_of
from glassnet.support.i18n import mark, tr

if TYPE_CHECKING:
    from glassnet.data import Splits
    from glassnet.experiment.recipe import Recipe
    from glassnet.experiment.search.records import SearchPlan, SearchResult, Trial

HELP = mark("Search for the best values of a recipe's keys, on validation data.")
PAGE = "search.html"
SHOWN = 10  # trials in the table at the end
WIDEST = 32  # characters of a value in it
METHODS = {"grid": mark("a grid"), "random": mark("random points"), "tpe": mark("points suggested by TPE")}


def command(
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="RECIPE|PATH",
            help=mark("A shipped recipe (see glassnet recipes), a TOML file, or a folder, zip or file of your own images."),
            show_default=False,
        ),
    ] = None,
    over: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUES",
            help=mark("A key and its values: 10,30,100, a range 0.1:10 or log:0.001:10, or 5 points 0.1:10:5; repeatable."),
        ),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help=mark("Number of trials; by default all points of a grid, else 50."))
    ] = None,
    method: Annotated[
        str | None, typer.Option(help=mark("grid, random or tpe; by default a grid where all keys have values, else tpe."))
    ] = None,
    pruner: Annotated[
        str, typer.Option(help=mark("End trials that fall behind: none, median, halving or hyperband."))
    ] = "none",
    folds: Annotated[int, typer.Option(min=1, help=mark("K-fold cross-validation over training and validation data."))] = 1,
    seeds: Annotated[int, typer.Option(min=1, help=mark("Train each point with this many seeds."))] = 1,
    seed: Annotated[int | None, typer.Option(min=0, help=mark("Random seed of the points and of the trainings."))] = None,
    epochs: Annotated[int | None, typer.Option(help=mark("Number of epochs, instead of the recipe's."))] = None,
    settings: Settings = None,
    data: Data = None,
    storage: Annotated[
        str | None,
        typer.Option(metavar="URL", help=mark("The database of the workers; by default a file in the folder.")),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help=mark("Number of processes on this machine; by default one for each core."))
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help=mark("Number of threads of each worker."))] = None,
    out: Annotated[Path | None, typer.Option(help=mark("The folder of the search; by default runs/search-NAME."))] = None,
    resume: Annotated[Path | None, typer.Option(help=mark("Go on with the search in this folder."))] = None,
) -> None:
    from glassnet.cli.search_progress import TrialProgress
    from glassnet.experiment.run import read_splits
    from glassnet.experiment.search.estimate import share_cores
    from glassnet.experiment.search.plan import continues, make_plan
    from glassnet.experiment.search.search import search

    others = {
        "--over": over, "--method": method, "--pruner": pruner if pruner != "none" else None, "--set": settings,
        "--folds": folds if folds != 1 else None, "--seeds": seeds if seeds != 1 else None, "--seed": seed,
        "--epochs": epochs, "--data": data, "--out": out,
    }  # fmt: skip
    _check_usage(recipe, over, resume, others)
    if resume is not None:
        plan = _resumed(resume, trials)
    else:
        chosen = _recipe(str(recipe), seed, data, epochs, changes_of(settings))
        plan = make_plan(
            chosen,
            over or [],
            method=method,  # type: ignore[arg-type]  # make_plan refuses other words
            trials=trials,
            pruner=pruner,  # type: ignore[arg-type]  # and this
            folds=folds,
            seeds=seeds,
            seed=seed or 0,
        )
        resume = out if out is not None and continues(plan, out) else None
    splits = read_splits(plan.recipe)
    shares = share_cores(plan, splits, workers, threads)
    _show_plan(plan, splits, shares)
    try:
        with TrialProgress(plan) as progress:
            result = search(
                plan,
                out=resume or out,
                storage=storage,
                workers=shares[0],
                threads=shares[1],
                on_trial=progress.add,
                resume=resume is not None,
            )
    except KeyboardInterrupt as interrupt:
        complain("\n" + "\n".join([tr("glassnet: interrupted"), *getattr(interrupt, "__notes__", [])]))
        fail(130)
    _report(result)
    if result.best is None:
        fail(1)


def _check_usage(recipe: str | None, over: list[str] | None, resume: Path | None, others: Mapping[str, object]) -> None:
    """Either a recipe and keys to search over, or a search to go on with, which `others` do not go with."""
    from glassnet.errors import InputError

    if (recipe is None) == (resume is None):
        raise InputError(
            tr("Give either a recipe to search with or a search to go on with."),
            where="glassnet search",
            expected=tr("RECIPE and --over, or --resume FOLDER"),
            received=tr("both") if recipe else tr("neither"),
            hint="glassnet search digits --over hidden=32,64,128",
        )
    if resume is None and not over:
        raise InputError(
            tr("A search needs keys to search over."),
            where="glassnet search",
            expected="--over KEY=VALUES",
            hint=f"glassnet search {recipe} --over learning_rate=log:0.001:1",
        )
    for option, value in others.items():
        if resume is not None and value is not None:
            raise InputError(
                tr("--resume goes on with one search in its own folder."),
                where="glassnet search --resume",
                expected=tr("no {option}", option=option),
                received=f"{option} {value}",
            )


def _recipe(name: str, seed: int | None, data: str | None, epochs: int | None, settings: dict[str, Any]) -> Recipe:
    """The recipe with the user's changes, for a path of images the one that is made for them."""
    from glassnet.cli import own_data
    from glassnet.experiment.auto_recipe import as_recipe
    from glassnet.experiment.run import settings_of

    changes = settings_of(seed, data, epochs, settings)
    made = own_data.make_recipe(name, changes, explain=False) if own_data.is_own_data(name) else None
    recipe = as_recipe(name, changes) if made is None else made
    return recipe.changed(changes) if changes else recipe


def _resumed(folder: Path, trials: int | None) -> SearchPlan:
    """The plan in a folder, maybe with more trials."""
    from glassnet.errors import InputError
    from glassnet.experiment.search.plan import read_plan

    plan = read_plan(folder)
    if trials is None or trials == plan.trials:
        return plan
    if plan.method == "grid" or trials < plan.trials:
        raise InputError(
            tr("A search can only go on with more trials, and a grid with all of its points."),
            where="glassnet search --resume --trials",
            expected=plan.trials if plan.method == "grid" else tr("{count} or more", count=plan.trials),
            received=trials,
        )
    return replace(plan, trials=trials)


def _show_plan(plan: SearchPlan, splits: Splits, shares: tuple[int, int]) -> None:
    from glassnet.experiment.search.estimate import seconds_per_trial
    from glassnet.support.environment import available_cores
    from glassnet.support.terminal import about_time, table

    training, parts = plan.recipe.training, plan.folds * plan.seeds
    with working(tr("Training for a moment, to estimate the time …")):
        seconds = seconds_per_trial(plan, splits, shares[1])
    rows = [(f"  {one.key}", str(one).replace(",", ", "), _kind(one)) for one in plan.space]
    value = tr("validation accuracy") if plan.maximise else tr("validation loss")
    best = tr("of the best epoch") if training.keep == "best" else tr("of the last epoch")
    say(
        tr("{recipe}: {count} trials, {method}", recipe=plan.recipe.name, count=plan.trials, method=tr(METHODS[plan.method])),
        *table(rows, left=3),
        tr("Each trial: {parts}, {epochs} epochs; its value is the {value} {best}.",
           parts=tr("1 training") if parts == 1 else tr("{folds} folds × {seeds} seeds", folds=plan.folds, seeds=plan.seeds),
           epochs=training.epochs, value=value, best=best),
        tr("Workers: {workers} × {threads} threads, on {cores} cores. Pruning: {pruner}.",
           workers=shares[0], threads=shares[1], cores=available_cores(), pruner=plan.pruner),
        tr("Time: {time}, {seconds:.2g} s for a trial.", time=about_time(seconds * plan.trials / shares[0]), seconds=seconds),
        "",
    )  # fmt: skip


def _kind(parameter: Any) -> str:
    if not parameter.is_range:
        return ""
    return tr("whole numbers") if parameter.whole else ""


def _report(result: SearchResult) -> None:
    """The best trials, the files, and the command that trains the winner."""
    from glassnet.experiment.search.results import BEST, TRIALS, write_results
    from glassnet.present.search import search_page
    from glassnet.support.terminal import table

    write_results(result)
    folder, ranked = result.folder, result.ranked
    if ranked:
        keys = [parameter.key for parameter in result.plan.space]
        head = [tr("trial"), value_name(result.plan), *keys, tr("seconds")]
        say("", *table([head, *(_row(result.plan, trial, keys) for trial in ranked[:SHOWN])], left=0))
        if len(ranked) > SHOWN:
            say(tr("  … and {count} more", count=len(ranked) - SHOWN))
    failed = [trial for trial in result.trials if trial.state == "failed"]
    pruned = sum(trial.state == "pruned" for trial in result.trials)
    if pruned:
        say(tr("Pruned: {count} trials.", count=pruned))
    if failed:
        error = (failed[0].error or "").splitlines()
        say(tr("Failed: {count} trials. The first: {error}", count=len(failed), error=error[0] if error else ""))
    say()
    with working(tr("Drawing the figures and writing the page …")):
        search_page(result, folder / PAGE)
    say(
        tr("Everything is in {folder}", folder=folder),
        tr("  {path}   the search on one page, for a browser", path=folder / PAGE),
        tr("  {path}   all trials", path=folder / TRIALS),
    )
    if ranked:
        command = f"glassnet train {shlex.quote(str(folder / BEST))} --seeds 5"
        say(
            tr("  {path}   the recipe of the best", path=folder / BEST),
            "",
            tr("Next:"),
            tr("  {command}  train the best with five seeds", command=command),
        )


def value_name(plan: SearchPlan) -> str:
    return tr("accuracy") if plan.maximise else tr("loss")


def shorten(text: str) -> str:
    """The text, or the beginning and the end of a long one."""
    half = WIDEST // 2 - 1
    return text if len(text) <= WIDEST else f"{text[:half]}…{text[-half:]}"


def _row(plan: SearchPlan, trial: Trial, keys: list[str]) -> list[str]:
    from glassnet.cli.search_progress import value_text
    from glassnet.experiment.search.space import shown

    settings = [shorten(shown(trial.settings[key])) for key in keys]
    return [str(trial.number), value_text(plan, trial), *settings, f"{trial.seconds:.1f}"]
