"""`glassnet train RECIPE`: train a recipe and write a run folder."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassnet.cli.console import complain, fail, say
from glassnet.cli.settings import Data, Seed, Settings, Threads, changes_of
from glassnet.cli.trained import report_run, report_seeds
from glassnet.support.i18n import mark, tr

if TYPE_CHECKING:
    from glassnet.cli.artefacts import Artefacts
    from glassnet.experiment.recipe import Recipe
    from glassnet.server.watch import Watch

HELP = mark("Train on your own images, or the network of a recipe.")


def command(
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="RECIPE|PATH",
            help=mark("A shipped recipe (see glassnet recipes), a TOML file, or a folder, zip or file of your own images."),
            show_default=False,
        ),
    ] = None,
    data: Data = None,
    epochs: Annotated[int | None, typer.Option(help=mark("Number of epochs, instead of the recipe's."))] = None,
    seed: Seed = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=2, help=mark("Train with this many seeds, one after the other; print mean and standard deviation.")),
    ] = None,
    settings: Settings = None,
    fonts: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FONT|DIR|FAMILY|system",
            help=mark("Train on characters drawn from these fonts; repeatable. No design is in two parts."),
        ),
    ] = None,
    characters: Annotated[
        str | None,
        typer.Option(metavar="TEXT|SET", help=mark("The characters: a text, or digits, latin, numerals, hanzi.")),
    ] = None,
    out: Annotated[Path | None, typer.Option(help=mark("The run folder; by default runs/NAME."))] = None,
    resume: Annotated[Path | None, typer.Option(help=mark("Resume this run, which was interrupted."))] = None,
    threads: Threads = None,
    precision: Annotated[
        str | None,
        typer.Option(metavar="float32|bfloat16", help=mark("Precision of products; sums and weights are float32.")),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help=mark("For your own images: show the recipe and its reasons, and don't train."))
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help=mark("Show the training on a page in the browser."))] = False,
    ranks: Annotated[
        int | None,
        typer.Option(min=2, help=mark("Train on this many processes together, on MPI; with --seeds, as many seeds at once.")),
    ] = None,
    track: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TRACKER",
            help=mark("Log to tensorboard:FOLDER, mlflow:ADDRESS, trackio:PROJECT or wandb:PROJECT; repeatable."),
        ),
    ] = None,
) -> None:
    from glassnet.cli.ranks import launch, member
    from glassnet.runtime.ranks import launched

    if ranks is not None and not launched():
        fail(launch(ranks, None if (where := resume or out) is None else str(where)))
    named = (("data.fonts", fonts), ("data.characters", characters), ("training.precision", precision))
    changed = {key: value for key, value in named if value}
    others: dict[str, object] = {
        "--out": out,
        "--seeds": seeds,
        "--explain": explain or None,
        "--fonts": fonts or characters,
        "--precision": precision,
    }
    with member(ranks) as team:
        options: dict[str, Any] = {
            "seed": seed, "data": data, "epochs": epochs, "settings": changes_of(settings) | changed, "threads": threads,
            "progress": True, "ranks": team,
        }  # fmt: skip
        _check_usage(recipe, resume, others)
        _train(recipe, resume, out, seeds, explain, watch, track or [], options)


def _train(
    recipe: str | None,
    resume: Path | None,
    out: Path | None,
    seeds: int | None,
    explain: bool,
    watch: bool,
    track: list[str],
    options: dict[str, Any],
) -> None:
    """Train, and make the report; `options`: of `gn.train`."""
    from glassnet.cli import own_data
    from glassnet.cli.artefacts import Artefacts
    from glassnet.cli.preload import Preload
    from glassnet.errors import PrecisionWarning, TrackerWarning, TrainingWarning
    from glassnet.experiment import run, sweep
    from glassnet.experiment.run_folder import RECIPE, require_run
    from glassnet.training.display import EpochCount, SeedLine
    from glassnet.training.trackers import tracker

    writes = options["ranks"] is None or options["ranks"].writes
    trackers = [tracker(text) for text in track if writes]
    page = _watch(seeds) if watch and not explain and writes else None
    chosen: str | Recipe = str(recipe)
    if resume is None and (recipe is None or explain or own_data.is_own_data(recipe)):
        given = run.settings_of(options["seed"], options["data"], options["epochs"], options["settings"])
        made = own_data.make_recipe(recipe, given, explain=explain)
        if made is None:
            return
        chosen = made
    trained = EpochCount()
    extras = _extras(chosen if resume is None else require_run(Path(str(resume))) / RECIPE)
    options["callbacks"] = [trained, *extras, *trackers, Preload()]  # what trackers import comes first
    if page is not None:
        options["watch"] = page
    files: Artefacts | None = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TrainingWarning)  # the report says it
            for said in (PrecisionWarning, TrackerWarning):
                warnings.simplefilter("always", said)
            if seeds is not None:
                options["callbacks"].append(SeedLine())
                runs = sweep.train_seeds(chosen, seeds, out=out, **options)
            elif resume is not None:
                runs = [run.resume(resume, **options)]
            else:
                runs = [run.train(chosen, out=out, **options)]
        if not writes:
            return
        if seeds is None:
            files = Artefacts(runs[0].folder)
            report_run(runs[0], files, trained.count)
            if page is not None:
                page.done()
        else:
            files = Artefacts(runs[0].folder.parent)
            report_seeds(runs, files)
    except KeyboardInterrupt as interrupt:
        notes = [tr("glassnet: interrupted"), *getattr(interrupt, "__notes__", [])]
        if files is not None:
            notes.append(tr("{safe}. Next: {command}", safe=files.safe, command=f"glassnet report {files.folder}"))
        complain("\n" + "\n".join(notes))
        fail(130)
    files.check()
    if any(run.history.not_finite for run in runs):
        fail(1)


def _check_usage(recipe: str | None, resume: Path | None, others: dict[str, object]) -> None:
    """Either a recipe or a run to resume; `others`: options that do not go with the latter."""
    from glassnet.errors import InputError

    if (recipe is None and others["--fonts"] is None) if resume is None else recipe is not None:
        raise InputError(
            tr("Give either a recipe to train or a run to resume."),
            where="glassnet train",
            expected=tr("RECIPE, --fonts FONT, or --resume RUN"),
            received=tr("both") if recipe else tr("neither"),
            hint="glassnet train digits",
        )
    for option, value in others.items():
        if resume is not None and value is not None:
            raise InputError(
                tr("--resume continues one run in its own folder."),
                where="glassnet train --resume",
                expected=tr("no {option}", option=option),
                received=f"{option} {value}",
            )


def _watch(seeds: int | None) -> Watch:
    """What serves the page of the training, if it can be served."""
    from glassnet.errors import InputError
    from glassnet.server.watch import Watch, check_installed

    if seeds is not None:
        raise InputError(
            tr("The page shows one training."),
            where="glassnet train --watch",
            expected=tr("no {option}", option="--seeds"),
            received=f"--seeds {seeds}",
        )
    check_installed()
    return Watch(say)


def _extras(recipe: str | Path | Recipe) -> list[Any]:
    from glassnet.analysis.gradient_check import GradientTable
    from glassnet.experiment.auto_recipe import as_recipe
    from glassnet.experiment.run import read_splits

    chosen = as_recipe(recipe)
    return [GradientTable(read_splits(chosen).train)] if chosen.training.show_gradients else []
