"""`glassnet trace RUN`: follow one image and one weight through forward, backward and update."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from glassnet.cli.check import run_or_recipe
from glassnet.cli.console import say
from glassnet.support.i18n import mark, tr

HELP = mark("Follow one image and one weight through forward, backward and update, with every number.")


def command(
    what: Annotated[str, typer.Argument(metavar="RUN", help=mark("A run folder, or a recipe, for its untrained network."))],
    image: Annotated[
        str, typer.Option(metavar="N|FILE", help=mark("Index of an image of the run's data, or an image file."))
    ] = "0",
    part: Annotated[Literal["train", "validation"], typer.Option(help=mark("The split that the index refers to."))] = "train",
    label: Annotated[str | None, typer.Option(help=mark("The class of an image file; by default the prediction."))] = None,
    unit: Annotated[
        str | None, typer.Option(metavar="LAYER.UNIT", help=mark("The unit to follow, such as dense1.3 or conv2d1.4.5.0."))
    ] = None,
    weight: Annotated[
        str | None,
        typer.Option(metavar="LAYER.I.J", help=mark("The weight to follow, such as dense1.40.3 or dense1.bias.3.")),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE.html", help=mark("Also write an HTML page."))] = None,
) -> None:
    from glassnet.analysis.trace import trace

    is_index = image.removeprefix("-").isdigit() and not Path(image).is_file()
    run = run_or_recipe(what)
    if not Path(what).is_dir():
        run.network.adapt(run.splits.train.images)
    found = trace(run, int(image) if is_index else image, part=part, label=label, unit=unit, weight=weight)
    page = None if out is None else found.save(out)
    if sys.stdout.isatty():
        from rich.console import Console

        Console().print(found)
    else:
        say(str(found).rstrip("\n"))
    if page is not None:
        say("", tr("The page is in {path}", path=page))
