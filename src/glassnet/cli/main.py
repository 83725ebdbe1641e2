"""`glassnet`: all commands."""

from __future__ import annotations

import gc
import sys
from typing import Annotated

import typer

from glassnet.cli import (
    check,
    compare,
    datasets,
    diagnose,
    distill,
    evaluate,
    export,
    find_rate,
    inspect,
    learning_curve,
    playground,
    predict,
    recipes,
    report,
    search,
    serve,
    shard,
    trace,
    train,
    tune,
)
from glassnet.cli.console import drop_unwritten, open_streams, run_app, say
from glassnet.cli.help import Command, Group
from glassnet.support.i18n import mark

ABOUT = mark("A neural network you can see through: train, check and use image classifiers on a laptop's CPU.")

app = typer.Typer(
    name="glassnet",
    cls=Group,
    help=ABOUT,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (
    train,
    search,
    evaluate,
    compare,
    report,
    predict,
    export,
    serve,
    playground,
    check,
    diagnose,
    trace,
    find_rate,
    inspect,
    shard,
    distill,
    learning_curve,
    recipes,
    datasets,
    tune,
):
    name = module.__name__.rpartition(".")[2].replace("_", "-")
    app.command(name, cls=Command, help=module.HELP)(module.command)


def _version(requested: bool) -> None:
    if requested:
        import glassnet

        say(f"glassnet {glassnet.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help=mark("Show the version and exit."))
    ] = False,
) -> None:
    """Options of `glassnet` itself."""


def main() -> None:
    open_streams()
    code = run_app(app)
    drop_unwritten()
    gc.freeze()  # the process ends: to look for garbage among all that was imported takes up to half a second
    sys.exit(code)
