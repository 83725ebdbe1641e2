"""`glassnet trace RUN`: one image and one weight, followed through forward, backward and update."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from glassnet.cli.check import run_or_recipe
from glassnet.cli.console import say
from glassnet.support.i18n import mark, tr

if TYPE_CHECKING:
    from glassnet.analysis.trace import Trace

NAME = "trace"
HELP = mark("Follow one image and one weight through forward, backward and update, with every number.")


def command(
    what: Annotated[
        str, typer.Argument(metavar="RUN", help=mark("A run folder, or a recipe: then its network before training."))
    ],
    image: Annotated[
        str, typer.Option(metavar="N|FILE", help=mark("The number of an image of the run's data, or an image file."))
    ] = "0",
    part: Annotated[Literal["train", "validation"], typer.Option(help=mark("The part that the number counts in."))] = "train",
    label: Annotated[
        str | None, typer.Option(help=mark("What an image file shows; by default what the network says."))
    ] = None,
    unit: Annotated[
        str | None, typer.Option(metavar="LAYER.UNIT", help=mark("The unit to follow, such as dense1.3 or conv2d1.4.5.0."))
    ] = None,
    weight: Annotated[
        str | None,
        typer.Option(metavar="LAYER.I.J", help=mark("The weight to follow, such as dense1.40.3 or dense1.bias.3.")),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help=mark("Also write it as a page for a browser."))
    ] = None,
) -> None:
    from glassnet.analysis.trace import trace

    options: dict[str, Any] = {"label": label, "unit": unit, "weight": weight}
    number = image.removeprefix("-").isdigit() and not Path(image).is_file()
    options["image"] = int(image) if number else image
    run = run_or_recipe(what)
    if not Path(what).is_dir():
        run.network.adapt(run.splits.train.images)
    found: Trace = trace(run, part=part, **options)
    page = None if out is None else found.save(out)
    _show(found)
    if page is not None:
        say()
        say(tr("The page is in {path}", path=page))


def _show(found: Trace) -> None:
    """With colours on a terminal, without elsewhere."""
    if not sys.stdout.isatty():
        say(str(found).rstrip("\n"))
        return
    from rich.console import Console

    Console().print(found)
