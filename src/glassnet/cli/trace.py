"""`glassnet trace RUN`: follow one image and one weight through forward, backward and update."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from glassnet.cli.check import run_or_recipe
from glassnet.cli.console import say
from glassnet.support.i18n import mark, tr

TRACE = "trace.html"
HELP = mark("Follow one image and one weight through forward, backward and update, with every number.")


def command(
    what: Annotated[str, typer.Argument(metavar="RUN", help=mark("A run folder, or a recipe, for its untrained network."))],
    image: Annotated[
        str | None,
        typer.Option(
            metavar="N|FILE",
            help=mark("Index of an image of the run's data, or an image file; by default one that the network is unsure of."),
        ),
    ] = None,
    part: Annotated[
        Literal["train", "validation"] | None,
        typer.Option(help=mark("The split that the index refers to, by default train."), show_default=False),
    ] = None,
    label: Annotated[str | None, typer.Option(help=mark("The class of an image file; by default the prediction."))] = None,
    unit: Annotated[
        str | None, typer.Option(metavar="LAYER.UNIT", help=mark("The unit to follow, such as dense1.3 or conv2d1.4.5.0."))
    ] = None,
    weight: Annotated[
        str | None,
        typer.Option(metavar="LAYER.I.J", help=mark("The weight to follow, such as dense1.40.3 or dense1.bias.3.")),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help=mark("The page to write; by default trace.html in the run folder, or NAME-trace.html beside the recipe."),
        ),
    ] = None,
) -> None:
    from glassnet.analysis.trace import trace

    run = run_or_recipe(what)
    if not Path(what).is_dir():
        run.network.adapt(run.splits.train.images)
    is_index = image is not None and image.removeprefix("-").isdigit() and not Path(image).is_file()
    chosen = int(image) if image is not None and is_index else image
    found = trace(run, chosen, part=part, label=label, unit=unit, weight=weight)
    page = found.save(out or _default_page(Path(what), run.recipe.name))
    if sys.stdout.isatty():
        from rich.console import Console

        Console().print(found)
    else:
        say(str(found).rstrip("\n"))
    say("", tr("The page is in {path}", path=page))


def _default_page(what: Path, recipe: str) -> Path:
    """In the run's folder; beside a recipe's file; for a shipped recipe, in the current folder."""
    return what / TRACE if what.is_dir() else what.parent / f"{recipe}-{TRACE}"
