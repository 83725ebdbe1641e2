"""`glassnet report RUN`: write the report of a run, one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glassnet.cli.console import say
from glassnet.support.i18n import mark, tr

HELP = mark("Write the report of a run: one HTML file, in English and Chinese, that works offline.")


def command(
    run: Annotated[Path, typer.Argument(help=mark("A run folder."), show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help=mark("The file to write; by default report.html in the run folder."))
    ] = None,
    test: Annotated[
        bool, typer.Option("--test", help=mark("Report on the test set, and record this evaluation in the run's ledger."))
    ] = False,
    figures: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help=mark("Also write the figures as SVG files into this folder."))
    ] = None,
) -> None:
    from glassnet.experiment.run import Run
    from glassnet.present.report import report

    loaded = Run.load(run)
    path = report(loaded, out, test=test, figures=figures)
    say(tr("{path}   {size:.1f} MB, opens in any browser", path=path, size=path.stat().st_size / 1e6))
    if figures is not None:
        say(tr("{folder}   its figures, one file each", folder=figures))
    if test:
        say(tr("This is evaluation {count} on the test set; it is recorded in the ledger.", count=len(loaded.looks)))
