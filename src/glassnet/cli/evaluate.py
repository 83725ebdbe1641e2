"""`glassnet evaluate RUN…`: evaluate on the test set, and record it in the ledger."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassnet.cli.console import say
from glassnet.cli.settings import Views
from glassnet.support.i18n import mark, tr

if TYPE_CHECKING:
    from glassnet.experiment.run import Run
    from glassnet.nn.metrics import Evaluation

HELP = mark("Evaluate on the test set, which training does not use; each evaluation is recorded in the run's ledger.")


def command(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN…",
            help=mark("A run folder; several form an ensemble; or a folder of several seeds."),
            show_default=False,
        ),
    ],
    each: Annotated[
        bool, typer.Option("--each", help=mark("Also evaluate each run of an ensemble alone, recorded separately."))
    ] = False,
    views: Views = None,
) -> None:
    from glassnet.experiment.run import Run
    from glassnet.experiment.sweep import evaluate_together, is_of_seeds, load_runs

    if len(runs) == 1 and is_of_seeds(runs[0]):
        _one_by_one(load_runs(runs[0]), views)
        return
    loaded = [Run.load(folder) for folder in runs]
    result = loaded[0].evaluate(views) if len(loaded) == 1 else evaluate_together(loaded, views)
    say(tr("Test set: {result}", result=result))
    if options := loaded[0].views(views):
        say(tr("Probabilities are averaged over {count} views of each image.", count=options["views"]))
    if len(loaded) > 1:
        say(tr("Probabilities are averaged over {count} runs; each run's ledger records this.", count=len(loaded)))
    else:
        _say_expected(loaded[0], views)
    say()
    _say_classes(result)
    say()
    if each and len(loaded) > 1:
        _one_by_one(loaded, views)
    else:
        _say_looks(loaded)


def _one_by_one(runs: list[Run], views: int | None) -> None:
    """The runs one by one, and their mean."""
    from glassnet.nn.metrics import Spread

    accuracies = []
    for run in runs:
        result = run.evaluate(views)
        accuracies.append(result.accuracy)
        say(f"{run.folder}: {result}")
    say(tr("Test accuracy of {count} runs: {spread}", count=len(runs), spread=Spread(tuple(accuracies)).percent()))
    _say_expected(runs[0], views)
    say()
    _say_looks(runs)


def _say_expected(run: Run, views: int | None) -> None:
    """What the recipe expects, unless it was for another number of views."""
    if run.recipe.expect and views in (None, run.recipe.evaluation.views):
        say(tr("Expected: {expect}", expect=run.recipe.message("expect")))


def _say_classes(result: Evaluation) -> None:
    from glassnet.support.terminal import columns, pad

    width = max(5, *(columns(report.name) for report in result.per_class))
    say(f"  {pad(tr('class'), width)}" + tr("  images  found  recall  precision"))
    for report in result.per_class:
        recall, precision = (
            "–" if isnan(share) else tr("{share} %", share=f"{100 * share:.1f}")
            for share in (report.recall, report.precision)
        )
        say(f"  {pad(report.name, width)}  {report.total:8}  {report.correct:5}  {recall:>7}  {precision:>8}")


def _say_looks(runs: list[Run]) -> None:
    count = max(len(run.looks) for run in runs)
    if count == 1:
        say(tr("This is the first evaluation on the test set; its result is unbiased."))
    else:
        say(tr("This is evaluation {count} on the test set. It can't judge choices made after the first.", count=count))
