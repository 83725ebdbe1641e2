"""`glassnet train RECIPE`: train after a recipe, into a run folder."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassnet.cli.artefacts import Artefacts
from glassnet.cli.console import complain, fail, say
from glassnet.cli.settings import changes_of
from glassnet.experiment.run_folder import REPORT
from glassnet.support.i18n import listing, mark, tr

if TYPE_CHECKING:
    from glassnet.analysis.diagnosis import Diagnosis
    from glassnet.experiment.run import Run

NAME = "train"
HELP = mark("Train a network after a recipe.")


def command(
    recipe: Annotated[
        str | None, typer.Argument(help=mark("A shipped recipe (see glassnet recipes) or a TOML file."), show_default=False)
    ] = None,
    data: Annotated[Path | None, typer.Option(help=mark("A folder or file to take the data from."))] = None,
    epochs: Annotated[int | None, typer.Option(help=mark("Epochs, instead of the recipe's."))] = None,
    seed: Annotated[int | None, typer.Option(help=mark("Seed of all chance."))] = None,
    seeds: Annotated[
        int | None, typer.Option(min=2, help=mark("Train with so many seeds, one after the other, and tell mean and spread."))
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=mark("Another value for a key of the recipe."))
    ] = None,
    out: Annotated[Path | None, typer.Option(help=mark("The run folder; by default runs/NAME."))] = None,
    resume: Annotated[Path | None, typer.Option(help=mark("A run that was cut off, to go on with."))] = None,
    threads: Annotated[int | None, typer.Option(min=1, help=mark("Threads; by default as many as pay."))] = None,
) -> None:
    from glassnet.errors import InputError
    from glassnet.experiment import run, sweep as runs
    from glassnet.experiment.run_folder import RECIPE, require_run
    from glassnet.training import TrainingWarning
    from glassnet.training.display import SeedLine

    if (recipe is None) == (resume is None):
        raise InputError(
            tr("Give a recipe to train, or a run to go on with."),
            where="glassnet train",
            expected=tr("RECIPE, or --resume RUN"),
            received=tr("both") if recipe else tr("neither"),
            hint="glassnet train digits",
        )
    if resume is not None and out is not None:
        raise InputError(
            tr("A run goes on in its own folder."),
            where="glassnet train --resume",
            expected=tr("no --out"),
            received=f"--out {out}",
        )
    if resume is not None and seeds is not None:
        raise InputError(
            tr("Only one run goes on at a time."),
            where="glassnet train --resume",
            expected=tr("no --seeds"),
            received=f"--seeds {seeds}",
        )
    options: dict[str, Any] = {
        "seed": seed, "data": data, "epochs": epochs, "settings": changes_of(settings), "threads": threads, "progress": True
    }  # fmt: skip
    options["callbacks"] = _extras(recipe if recipe is not None else require_run(Path(str(resume))) / RECIPE)
    options["callbacks"] += [SeedLine()] if seeds is not None else []
    files: Artefacts | None = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TrainingWarning)  # the report says it
            if seeds is not None:
                several = runs.train_seeds(str(recipe), seeds, out=out, **options)
            elif resume is not None:
                done = run.resume(resume, **options)
            else:
                done = run.train(str(recipe), out=out, **options)
        if seeds is None:
            files = Artefacts(done.folder)
            _report(done, files)
        else:
            files = Artefacts(several[0].folder.parent)
            _report_seeds(several, files)
    except KeyboardInterrupt as interrupt:
        safe = (
            []
            if files is None
            else [tr("{safe}. Next: {command}", safe=files.safe, command=f"glassnet report {files.folder}")]
        )
        notes = [*getattr(interrupt, "__notes__", []), *safe]
        complain("\n" + "\n".join([tr("glassnet: interrupted"), *notes]))
        fail(130)
    files.check()
    if any(each.history.not_finite for each in (several if seeds is not None else [done])):
        fail(1)


def _extras(recipe: str | Path) -> list[Any]:
    from glassnet.analysis.gradient_table import GradientTable
    from glassnet.experiment.recipe import load_recipe
    from glassnet.experiment.run import read_splits

    chosen = load_recipe(recipe)
    return [GradientTable(read_splits(chosen).train)] if chosen.training.show_gradients else []


def _report_seeds(several: list[Run], files: Artefacts) -> None:
    """What each seed kept, on validation data, and all of them together."""
    from glassnet.nn.metrics import Spread

    accuracies: list[float | None] = []
    for done in several:
        history = done.history
        _, diagnosis = _make_report(done, files)
        epoch = history.best_epoch if done.recipe.training.keep == "best" else len(history)
        accuracies.append(history.validation_accuracy[epoch - 1] if epoch else None)
        with files.saying():
            if done is several[0]:
                say()
            if (accuracy := accuracies[-1]) is None:
                say(str(done.folder))
            else:
                say(
                    tr(
                        "{folder}: validation accuracy {accuracy:.2f} % after epoch {epoch}",
                        folder=done.folder,
                        accuracy=100 * accuracy,
                        epoch=epoch,
                    )
                )
            if diagnosis is not None and not diagnosis.healthy:
                say(tr("  diagnosis: {titles}", titles=listing(finding.title for finding in diagnosis.top)))
            if history.stopped:
                say(tr("  ended early: {reason}", reason=history.stopped.text))
    known = [accuracy for accuracy in accuracies if accuracy is not None]
    folder = several[0].folder.parent
    with files.saying():
        if known:
            say(tr("Validation accuracy of {count} seeds: {spread}", count=len(known), spread=Spread(tuple(known)).percent()))
        say(
            tr(
                "Training took {seconds:.1f} s. Everything is in {folder}",
                seconds=sum(sum(done.history.seconds) for done in several),
                folder=folder,
            )
        )
        say()
        say(tr("Next:"))
        say(tr("  glassnet evaluate {folder}             open the test set for each of them, once", folder=folder))
        say(
            tr(
                "  glassnet evaluate {folder}/{name} {folder}/…     or for some as one ensemble",
                folder=folder,
                name=several[0].folder.name,
            )
        )


def _report(done: Run, files: Artefacts) -> None:
    """Where the run stands, a figure of it, and what to do next."""
    folder = done.folder
    with files.saying():
        _sum_up(done)
    made = _draw(done, files)
    report, found = _make_report(done, files)
    with files.saying():
        for line in [*made, *report]:
            say(line)
        say()
        if found is not None:
            say(found.short())
            if not found.healthy:
                say(tr("  more:  {command}", command=f"glassnet diagnose {folder}"))
            say()
        say(tr("Next:"))
        say(tr("  glassnet evaluate {folder}             open the test set, which stayed closed so far", folder=folder))
        if len(done.network.input_shape) == 3:
            say(tr("  glassnet predict {folder} PICTURE…     ask it about images of your own", folder=folder))
        say(tr("  glassnet trace {folder}                follow one image and one weight, number by number", folder=folder))
        say(tr("  glassnet check {folder}                hold every gradient against its definition", folder=folder))


def _sum_up(done: Run) -> None:
    history = done.history
    say()
    if history.stopped:
        say(tr("Training ended early: {reason}", reason=history.stopped.text))
    if history.epochs and history.epochs[-1].validation_accuracy is not None and history.best_epoch:
        best = history.epochs[history.best_epoch - 1]
        accuracy = 100 * history.validation_accuracy[-1]
        if len(history) == 1:
            say(tr("Validation accuracy {accuracy:.2f} % after epoch 1. That is what was kept.", accuracy=accuracy))
        else:
            say(
                tr(
                    "Validation accuracy {accuracy:.2f} % after epoch {epoch}; the best was {best:.2f} % after epoch "
                    "{best_epoch}. Kept: {kept}.",
                    accuracy=accuracy,
                    epoch=len(history),
                    best=100 * (best.validation_accuracy or 0),
                    best_epoch=best.epoch,
                    kept=tr("the best") if done.recipe.training.keep == "best" else tr("the last"),
                )
            )
    elif history.epochs:
        say(tr("Loss {cost:.6g} after epoch {epoch}.", cost=history.train_cost[-1], epoch=len(history)))
    say(tr("Training took {seconds:.1f} s. Everything is in {folder}", seconds=sum(history.seconds), folder=done.folder))


def _draw(done: Run, files: Artefacts) -> list[str]:
    """Draw the figures; a line on each."""
    from glassnet.present.figures import augmentation_figure, save_figure, training_figure

    history, folder = done.history, done.folder
    made: list[str] = []
    if history.epochs:
        path = folder / "training.png"
        with files.making(path):
            validation = done.splits.validation
            shown = None if validation is None else validation.head(2000)
            save_figure(training_figure(history, done.network, shown, done.recipe.heading), path)
            made.append(tr("  {path}   curves and some predictions", path=path))
    augmentation, train = done.recipe.make_augmentation(), done.splits.train
    if augmentation is not None and len(train.shape) == 3 and train.shape[2] in (1, 3):
        path = folder / "augmentation.png"
        with files.making(path):
            save_figure(augmentation_figure(train, augmentation, title=done.recipe.message("title")), path)
            made.append(tr("  {path}   some training images, before and after augmentation", path=path))
    return made


def _make_report(done: Run, files: Artefacts) -> tuple[list[str], Diagnosis | None]:
    """Write the report; a line on it, and the diagnosis, as far as there is one."""
    from glassnet.analysis.diagnosis import diagnose
    from glassnet.present.report import report as write_report

    found = None
    with files.making(done.folder / REPORT):
        found = diagnose(done.history, done.network, done.splits, learning_rate=done.learning_rate)
        path = write_report(done, diagnosis=found)
        return [tr("  {path}   all of it on one page, for a browser", path=path)], found
    return [], found
