"""`glassnet report RUN`: all of a run on one page that opens from disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glassnet.cli.console import say
from glassnet.support.i18n import mark, tr

NAME = "report"
HELP = mark("Write the report of a run: one HTML file, in English and Chinese, that needs no network.")


def command(
    run: Annotated[Path, typer.Argument(help=mark("A run folder."), show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help=mark("The file to write; by default report.html in the run folder."))
    ] = None,
    test: Annotated[
        bool, typer.Option("--test", help=mark("About the test set: opens it, and notes the look in the run's ledger."))
    ] = False,
    figures: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help=mark("Also write the charts as SVG files into this folder."))
    ] = None,
) -> None:
    from glassnet.experiment.run import Run
    from glassnet.present.report import report

    loaded = Run.load(run)
    path = report(loaded, out, test=test, figures=figures)
    say(tr("{path}   {size:.1f} MB, opens in any browser", path=path, size=path.stat().st_size / 1e6))
    if figures is not None:
        say(tr("{folder}   its charts, one file each", folder=figures))
    if test:
        count = len(loaded.looks)
        say(tr("The test set was opened; this was look {count}, and it is noted in the ledger.", count=count))
