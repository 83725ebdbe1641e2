"""`glassnet distill RUN…`: an ensemble's knowledge in one network."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassnet.cli.console import complain, fail, say
from glassnet.cli.settings import Settings, Threads, changes_of
from glassnet.support.i18n import mark, tr

if TYPE_CHECKING:
    from glassnet.analysis.distillation import Distilled
    from glassnet.experiment.distill import Distillation

HELP = mark("Distil the knowledge of an ensemble into one network, and say whether that is better than the labels alone.")


def command(
    teachers: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN…|SEARCH",
            help=mark("The ensemble: run folders, a folder of several seeds, or the folder of a search."),
            show_default=False,
        ),
    ],
    best: Annotated[
        int | None, typer.Option(min=1, help=mark("Only the best so many on validation data; of a search 5 by default."))
    ] = None,
    into: Annotated[
        str | None, typer.Option(metavar="RECIPE", help=mark("The student's recipe; by default that of the best teacher."))
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, help=mark("Students of each kind: distilled, and on the labels alone."))] = 3,
    temperature: Annotated[
        float | None, typer.Option(help=mark("T: above 1, the teachers' second choices count more."))
    ] = None,
    weight: Annotated[
        float | None, typer.Option(help=mark("The share of the teachers' answers in the targets; the rest are the labels."))
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help=mark("The folder; by default runs/NAME-distilled. The same folder again goes on."))
    ] = None,
    settings: Settings = None,
    threads: Threads = None,
) -> None:
    from glassnet.analysis.distillation import carry_out
    from glassnet.errors import TrainingWarning
    from glassnet.experiment.distill import plan
    from glassnet.experiment.sections import TEMPERATURE, WEIGHT

    chosen = plan(
        teachers,
        into,
        best=best,
        seeds=seeds,
        temperature=TEMPERATURE if temperature is None else temperature,
        weight=WEIGHT if weight is None else weight,
        out=out,
        settings=changes_of(settings),
    )
    try:
        _announce(chosen, threads)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TrainingWarning)  # the runs' reports say it
            result = carry_out(chosen, tell=say, threads=threads, progress=True)
    except KeyboardInterrupt:
        complain("\n" + tr("glassnet: interrupted"))
        complain(tr("What is trained is kept. Continue by the same command with --out {folder}", folder=chosen.folder))
        fail(130)
    _report(result)
    if result.student is None:
        fail(1)


def _announce(chosen: Distillation, threads: int | None) -> None:
    """What will be trained, and about how long it takes."""
    trials = sum(part.folder.parent == chosen.folder for part in chosen.teachers)
    say(
        tr(
            "{teachers} teachers into {student}: {count} students distilled (T = {temperature:g}, weight {weight:g}), and "
            "{count} on the labels alone.",
            teachers=len(chosen.teachers),
            student=chosen.recipe.name,
            count=chosen.seeds,
            temperature=chosen.temperature,
            weight=chosen.weight,
        )
    )
    if trials:
        say(tr("The {count} best trials are trained again as teachers.", count=trials))
    if left := len(chosen.left):
        from glassnet.support.terminal import about_time

        time = about_time(chosen.seconds(threads))
        say(tr("{count} trainings are left, {time}. Folder: {folder}", count=left, time=time, folder=chosen.folder))


def _report(result: Distilled) -> None:
    ensemble, student = result.sizes
    say("", tr("Accuracy on {count} validation images:", count=result.ensemble.total))
    for run, member in zip(result.teachers, result.members.values, strict=True):
        say(tr("  {accuracy:6.2f} %  teacher {folder}", accuracy=100 * member, folder=run.folder))
    together = 100 * result.ensemble.accuracy
    say(tr("  {accuracy:6.2f} %  the ensemble, {count:,} parameters", accuracy=together, count=ensemble))
    for name, spread in ((mark("distilled"), result.distilled), (mark("on the labels alone"), result.labels)):
        say(
            tr(
                "  {mean:6.2f} %  students {arm}, ± {deviation:.2f} over {seeds} seeds, {count:,} parameters",
                mean=100 * spread.mean,
                arm=tr(name),
                deviation=100 * spread.deviation,
                seeds=len(spread.values),
                count=student,
            )
        )
    say("", result.message, "")
    if result.student is not None:
        say(tr("The best of them is kept in {folder}", folder=result.student.folder), "", tr("Next:"))
        say(tr("  {command}   evaluate it on the test set, once", command=f"glassnet evaluate {result.student.folder}"))
    else:
        say(tr("No student is recommended. The runs are in {folder}", folder=result.folder))
