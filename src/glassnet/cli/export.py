"""`glassnet export RUN --page FILE`: write a trained network in a form that works elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glassnet.cli.console import say
from glassnet.support.i18n import mark, tr

HELP = mark("Write a trained network as a page: one HTML file in which it runs, on any computer, without a network.")


def command(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN…", help=mark("Run folders; several are compared."), show_default=False)
    ],
    page: Annotated[Path, typer.Option(metavar="FILE", help=mark("The HTML file to write."), show_default=False)],
) -> None:
    from glassnet.experiment.run import Run
    from glassnet.present.page import write_page

    path = write_page([Run.load(run) for run in runs], page)
    say(tr("{path}   {size:.1f} MB, opens in any browser", path=path, size=path.stat().st_size / 1e6))
