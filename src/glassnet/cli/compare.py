"""`glassnet compare RUN…`: which is better, whether that is shown, and what simple classifiers reach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from glassnet.cli.console import complain, emit, fail, say, working
from glassnet.cli.settings import Threads
from glassnet.support.i18n import mark, tr

if TYPE_CHECKING:
    from glassnet.analysis.comparison.measure import Comparing
    from glassnet.analysis.comparison.result import Comparison, Entrant

HELP = mark("Compare runs with each other and with simple classifiers, with intervals, paired tests, times and sizes.")


def command(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN…", help=mark("Run folders, or folders of several seeds."), show_default=False),
    ],
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines",
            help=mark("Also train the baselines: majority class, logistic regression, neighbours, SVC, boosted trees."),
        ),
    ] = False,
    seeds: Annotated[
        int | None, typer.Option(min=2, help=mark("Train each recipe until there are so many seeds of it."))
    ] = None,
    test: Annotated[
        bool, typer.Option("--test", help=mark("Use the test set, not the validation data; the ledgers record it."))
    ] = False,
    show: Annotated[Path | None, typer.Option(metavar="OUT.png", help=mark("Draw accuracies and intervals."))] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help=mark("Where further seeds go: DIR/compare-NAME."))] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help=mark("Print all accuracies and pairs as JSON."))] = False,
    threads: Threads = None,
) -> None:
    from glassnet.analysis.comparison.compare import prepare
    from glassnet.analysis.comparison.result import Comparison

    options = {"threads": threads, "progress": not as_json}
    try:
        prepared = prepare(runs, baselines=baselines, seeds=seeds, test=test, out=out, options=options)
    except KeyboardInterrupt as interrupt:
        kept = tr("The seeds that were trained are kept in {folder}: the same command uses them.", folder=out)
        _interrupted([*getattr(interrupt, "__notes__", []), kept])
    measured: list[Entrant] = []
    interrupted = False
    try:
        if baselines and not as_json:
            _say_plan(prepared)
        _measure(prepared, measured, quiet=as_json)
    except KeyboardInterrupt:
        interrupted = True
        if not measured:
            _interrupted([])
    found = Comparison.of(measured, prepared.part)
    if as_json:
        emit(json.dumps(found.to_dict(), indent=1, allow_nan=False))
    else:
        say("", str(found))
        if test:
            _say_looks(prepared)
    if show is not None:
        _draw(found, show, quiet=as_json)
    if interrupted:
        _interrupted([tr("What was measured until then is above.")])


def _say_plan(prepared: Comparing) -> None:
    """How long each baseline will take, about, and all of them."""
    from glassnet.analysis.comparison.result import duration
    from glassnet.support.terminal import table

    with working(tr("Timing the baselines on a few images …")):
        plan = list(prepared.plan())
    rows = [[tr(baseline.name), tr("about {time}", time=duration(seconds))] for baseline, seconds in plan]
    rows.append([tr("all"), tr("about {time}", time=duration(sum(seconds for _, seconds in plan)))])
    say(tr("Baselines, trained on {count:,} images:", count=len(prepared.splits.train)))
    say(*(f"  {line}" for line in table(rows)), "")


def _measure(prepared: Comparing, measured: list[Entrant], *, quiet: bool) -> None:
    """Measure all, one line each."""
    from glassnet.analysis.comparison.result import duration

    for name, measure in prepared.steps():
        if quiet:
            measured.append(measure())
            continue
        with working(tr("{name} …", name=name)):
            found = measure()
        measured.append(found)
        say(
            tr(
                "{name}: {accuracy:.2f} %, trained in {time}",
                name=name,
                accuracy=100 * found.accuracy,
                time=duration(found.training),
            )
        )


def _say_looks(prepared: Comparing) -> None:
    """How often the test set was used."""
    most = max(len(run.looks) for run in prepared.runs)
    say(tr("Evaluations of one run on the test set so far: {count}; each is in its run's ledger.", count=most))


def _draw(found: Comparison, path: Path, *, quiet: bool) -> None:
    from glassnet.errors import writing
    from glassnet.present.figures import comparison_figure, save_figure

    with writing(path):
        save_figure(comparison_figure(found), path)
    if not quiet:
        say(tr("Accuracies and intervals: {path}", path=path))


def _interrupted(notes: list[str]) -> NoReturn:
    complain("\n" + "\n".join([tr("glassnet: interrupted"), *notes]))
    fail(130)
