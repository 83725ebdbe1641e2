"""What `glassnet train` says and draws when a training, or that of several seeds, has ended."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from glassnet.cli.console import say, working
from glassnet.support.i18n import listing, mark, tr

if TYPE_CHECKING:
    from glassnet.analysis.diagnosis import Diagnosis
    from glassnet.cli.artefacts import Artefacts
    from glassnet.experiment.run import Run


def report_seeds(runs: list[Run], files: Artefacts) -> None:
    """The validation accuracy of each seed's saved weights, and of all of them together."""
    from glassnet.nn.metrics import Spread

    accuracies = []
    for number, run in enumerate(runs):
        history = run.history
        with working(tr("Writing the report of seed {seed} …", seed=run.recipe.training.seed)):
            _, diagnosis = _make_report(run, files)
        epoch = history.best_epoch if run.recipe.training.keep == "best" else len(history)
        accuracy = history.validation_accuracy[epoch - 1] if epoch else None
        line = str(run.folder)
        if accuracy is not None:
            accuracies.append(accuracy)
            line = tr(
                "{folder}: validation accuracy {accuracy:.2f} % after epoch {epoch}",
                folder=run.folder,
                accuracy=100 * accuracy,
                epoch=epoch,
            )
        with files.printing():
            say(*([] if number else [""]), line)
            if diagnosis is not None and not diagnosis.healthy:
                say(tr("  diagnosis: {titles}", titles=listing(finding.title for finding in diagnosis.top)))
            if history.stopped:
                say(tr("  ended early: {reason}", reason=history.stopped.text))
    folder, seconds = runs[0].folder.parent, sum(sum(run.history.seconds) for run in runs)
    with files.printing():
        if accuracies:
            spread = Spread(tuple(accuracies)).percent()
            say(tr("Validation accuracy of {count} seeds: {spread}", count=len(accuracies), spread=spread))
        say(
            tr("Training took {seconds:.1f} s. Everything is in {folder}", seconds=seconds, folder=folder),
            "",
            *_next(
                [
                    (f"evaluate {folder}", tr("evaluate each of them on the test set")),
                    (f"evaluate {runs[0].folder} {folder}/…", tr("or some of them as one ensemble")),
                ]
            ),
        )


def _next(steps: list[tuple[str, str]]) -> list[str]:
    """Commands to go on with, in a column, and what each does."""
    from glassnet.support.terminal import table

    return [tr("Next:"), *(f"  {line}" for line in table([(f"glassnet {call} ", about) for call, about in steps], left=2))]


def _test_step(run: Run) -> list[tuple[str, str]]:
    """The command that evaluates on the test set, if there is one, and whether that was done before."""
    from glassnet.errors import RunError

    about: str = tr("evaluate on the test set")
    with contextlib.suppress(RunError):  # a damaged ledger says nothing
        looks = len(run.looks)
        text = (
            mark("evaluate on the test set, used {count} times so far")
            if looks > 1
            else mark("evaluate on the test set, used once so far")
        )
        about = tr(text, count=looks) if looks else tr("evaluate on the test set, unused so far")
    return [] if run.splits.test is None else [(f"evaluate {run.folder}", about)]


def report_run(run: Run, files: Artefacts, epochs: int) -> None:
    """The result, the figures and the report of a run of which so many epochs were trained now, and what to do next."""
    folder = run.folder
    with files.printing():
        _sum_up(run, epochs)
    with working(tr("Drawing the figures and writing the report …")):
        figures = _draw(run, files)
        report, diagnosis = _make_report(run, files)
    with files.printing():
        say(*figures, *report, "")
        if diagnosis is not None:
            say(diagnosis.short())
            if not diagnosis.healthy:
                say(tr("  more:  {command}", command=f"glassnet diagnose {folder}"))
            say()
        steps = _test_step(run)
        if len(run.network.input_shape) == 3:
            steps.append((f"predict {folder} IMAGE…", tr("classify your own images")))
        steps.append((f"trace {folder}", tr("follow one image and one weight, number by number")))
        steps.append((f"check {folder}", tr("compare every gradient with finite differences")))
        say(*_next(steps))


def _sum_up(run: Run, epochs: int) -> None:
    history = run.history
    say()
    if history.epochs and not epochs and not history.not_finite:
        say(tr("Nothing left to train: all {count} epochs of this run are done.", count=len(history)))
    if history.stopped:
        say(tr("Training ended early: {reason}", reason=history.stopped.text))
    if history.epochs and history.epochs[-1].validation_accuracy is not None and history.best_epoch:
        best = history.epochs[history.best_epoch - 1]
        accuracy = 100 * history.validation_accuracy[-1]
        if len(history) == 1:
            say(tr("Validation accuracy {accuracy:.2f} % after epoch 1, which was saved.", accuracy=accuracy))
        else:
            say(
                tr(
                    "Validation accuracy {accuracy:.2f} % after epoch {epoch}; the best was {best:.2f} % after epoch "
                    "{best_epoch}. Saved: {kept}.",
                    accuracy=accuracy,
                    epoch=len(history),
                    best=100 * (best.validation_accuracy or 0),
                    best_epoch=best.epoch,
                    kept=tr("the best") if run.recipe.training.keep == "best" else tr("the last"),
                )
            )
    elif history.epochs:
        say(tr("Loss {cost:.6g} after epoch {epoch}.", cost=history.train_cost[-1], epoch=len(history)))
    say(tr("Training took {seconds:.1f} s. Everything is in {folder}", seconds=sum(history.seconds), folder=run.folder))


def _draw(run: Run, files: Artefacts) -> list[str]:
    """Draw the figures; a line about each."""
    from glassnet.present.figures import augmentation_figure, save_figure, training_figure
    from glassnet.present.figures.images import drawable

    made: list[str] = []
    if run.history.epochs:
        path = run.folder / "training.png"
        with files.making(path):
            validation = run.splits.validation
            shown = None if validation is None else validation.head(2000)
            save_figure(training_figure(run.history, run.network, shown, run.recipe.heading), path)
            made.append(tr("  {path}   training curves and some predictions", path=path))
    augmentation, train = run.recipe.make_augmentation(), run.splits.train
    if augmentation is not None and drawable(train.shape):
        path = run.folder / "augmentation.png"
        with files.making(path):
            save_figure(augmentation_figure(train, augmentation, title=run.recipe.message("title")), path)
            made.append(tr("  {path}   some training images, before and after augmentation", path=path))
    return made


def _make_report(run: Run, files: Artefacts) -> tuple[list[str], Diagnosis | None]:
    """Write the report; the line about it, and the diagnosis."""
    from glassnet.analysis.diagnosis.rules import diagnose_run
    from glassnet.experiment.run_folder import REPORT
    from glassnet.present.report import report

    diagnosis = None
    with files.making(run.folder / REPORT):
        diagnosis = diagnose_run(run)
        path = report(run, diagnosis=diagnosis)
        return [tr("  {path}   the whole run on one page, for a browser", path=path)], diagnosis
    return [], diagnosis
