"""`glassnet evaluate RUN…`: evaluate on the test set, and record it in the ledger."""

from __future__ import annotations

from itertools import pairwise
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassnet.cli.console import say
from glassnet.cli.settings import Precision, Views, precision_options
from glassnet.support.i18n import mark, tr
from glassnet.support.terminal import columns, pad

if TYPE_CHECKING:
    from glassnet.experiment.run import Run
    from glassnet.nn.metrics import ClassReport, Evaluation

HELP = mark("Evaluate on the test set, which training does not use; each evaluation is recorded in the run's ledger.")

MOST_ROWS = 60  # classes that are all listed
FEW = 10  # of the worst classes and mistakes where there are more
STEPS = (0, 0.2, 0.4, 0.6, 0.8, 1)  # of the recall


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
    precision: Precision = None,
    top: Annotated[
        int | None,
        typer.Option(
            "--top",
            metavar="K",
            help=mark("Also count images whose class is among the K most probable (5 above 20 classes)."),
            show_default=False,
        ),
    ] = None,
) -> None:
    from glassnet.experiment.run import Run
    from glassnet.experiment.sweep import evaluate_together, is_of_seeds, load_runs

    if len(runs) == 1 and is_of_seeds(runs[0]):
        _one_by_one(load_runs(runs[0]), views, top, precision)
        return
    loaded = [Run.load(folder) for folder in runs]
    at_precision = precision_options(precision, loaded)
    if len(loaded) == 1:
        result = loaded[0].evaluate(views, top, **at_precision)
    else:
        result = evaluate_together(loaded, views, top, **at_precision)
    say(tr("Test set: {result}", result=result))
    if options := loaded[0].views(views):
        say(tr("Probabilities are averaged over {count} views of each image.", count=options["views"]))
    if len(loaded) > 1:
        say(tr("Probabilities are averaged over {count} runs; each run's ledger records this.", count=len(loaded)))
    else:
        _say_expected(loaded[0], views)
    say()
    _say_classes(result, loaded[0].folder)
    say()
    if each and len(loaded) > 1:
        _one_by_one(loaded, views, top, precision)
    else:
        _say_looks(loaded)


def _one_by_one(runs: list[Run], views: int | None, top: int | None, precision: str | None) -> None:
    """The runs one by one, and their mean."""
    from glassnet.nn.metrics import Spread

    accuracies, at_precision = [], precision_options(precision, runs)
    for run in runs:
        result = run.evaluate(views, top, **at_precision)
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


def _say_classes(result: Evaluation, folder: Path) -> None:
    """A table of the classes; of many, how their recall is spread, the worst, and the most frequent mistakes."""
    reports = result.per_class
    if len(reports) <= MOST_ROWS:
        _say_table(reports)
        return
    present = [report for report in reports if report.total]
    say(tr("Recall of {count} classes:", count=f"{len(present):,}"))
    shares = [report.recall for report in present]
    for low, high in pairwise(STEPS):
        inside = sum(low <= share < high or share == high == 1 for share in shares)
        bounds = tr("{low:.0f} to {high:.0f} %", low=100 * low, high=100 * high)
        say(f"  {pad(bounds, 12, right=True)}  {inside:6,}  {'█' * round(40 * inside / len(present))}".rstrip())
    say("", tr("The {count} with the lowest recall, of equals those with the most images:", count=FEW))
    _say_table(sorted(present, key=lambda report: (report.recall, -report.total))[:FEW])
    if confused := result.most_confused(FEW):
        say("", tr("The most frequent mistakes:"))
        say(*(f"  {pad(one.truth, 12)} → {pad(one.predicted, 12)}  {one.count:6,}" for one in confused))
    say("", tr("All classes, to search and sort: {command}", command=f"glassnet report {folder} --test"))


def _say_table(reports: list[ClassReport]) -> None:
    width = max(5, *(columns(report.name) for report in reports))
    say(f"  {pad(tr('class'), width)}" + tr("  images  found  recall  precision"))
    for report in reports:
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
