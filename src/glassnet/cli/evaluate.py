"""`glassnet evaluate RUN…`: open the test set, and note that it was opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassnet.cli.console import say
from glassnet.cli.settings import Views
from glassnet.support.i18n import mark, tr

if TYPE_CHECKING:
    from glassnet.experiment.run import Run
    from glassnet.nn.metrics import Evaluation

NAME = "evaluate"
HELP = mark("Open the test set, which stays closed during training; each look is noted in the run's ledger.")


def command(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN…",
            help=mark("A run folder; several are one ensemble; or a folder of several seeds."),
            show_default=False,
        ),
    ],
    each: Annotated[
        bool, typer.Option("--each", help=mark("Also each run of an ensemble alone: a look at the test set of its own."))
    ] = False,
    views: Views = None,
) -> None:
    from glassnet.experiment.run import Run
    from glassnet.experiment.sweep import evaluate_together, is_of_seeds, load_seeds

    if len(runs) == 1 and is_of_seeds(runs[0]):
        _several(load_seeds(runs[0]), views)
        return
    loaded = [Run.load(folder) for folder in runs]
    result = loaded[0].evaluate(views) if len(loaded) == 1 else evaluate_together(loaded, views)
    say(tr("Test set: {result}", result=result))
    if options := loaded[0].views(views):
        say(tr("By the mean of the probabilities of {count} views of each image.", count=options["views"]))
    if len(loaded) > 1:
        say(
            tr(
                "By the mean of the probabilities of {count} runs; the look is noted in the ledger of each.",
                count=len(loaded),
            )
        )
    elif loaded[0].recipe.expect:
        say(tr("Expected: {expect}", expect=loaded[0].recipe.message("expect")))
    say()
    _classes(result)
    say()
    if each and len(loaded) > 1:
        _several(loaded, views)
    else:
        _looks(loaded)


def _several(runs: list[Run], views: int | None) -> None:
    """The runs one by one, and their mean."""
    from glassnet.nn.metrics import Spread

    results = []
    for run in runs:
        results.append(run.evaluate(views))
        say(f"{run.folder}: {results[-1]}")
    say(
        tr(
            "Test accuracy of {count} runs: {spread}",
            count=len(runs),
            spread=Spread(tuple(result.accuracy for result in results)).percent(),
        )
    )
    if runs[0].recipe.expect:
        say(tr("Expected: {expect}", expect=runs[0].recipe.message("expect")))
    say()
    _looks(runs)


def _classes(result: Evaluation) -> None:
    from glassnet.support.terminal import columns, pad

    width = max(5, *(columns(report.name) for report in result.per_class))
    say(f"  {pad(tr('class'), width)}" + tr("  images  found  recall  precision"))
    for report in result.per_class:
        say(
            f"  {pad(report.name, width)}  {report.total:8}  {report.correct:5}  {100 * report.recall:5.1f} %  "
            f"{100 * report.precision:6.1f} %"
        )


def _looks(runs: list[Run]) -> None:
    count = max(len(run.looks) for run in runs)
    say(
        tr("This was the first look at the test set: the figure is an honest one.")
        if count == 1
        else tr(
            "This was look {count} at the test set. What is chosen by looking at it, it can't judge any more.", count=count
        )
    )
