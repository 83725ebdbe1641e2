"""`glassnet learning-curve RECIPE`: is the data enough?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from glassnet.cli.console import complain, emit, fail, say
from glassnet.cli.settings import Data, Seed, Settings, Threads, changes_of
from glassnet.support.i18n import mark, tr

HELP = mark("Is the data enough? Train on shares of it, and extrapolate the accuracy to more images.")
FIGURE = "learning_curve.png"


def command(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE|PATH",
            help=mark("A shipped recipe (see glassnet recipes), a TOML file, or a folder, zip or file of your own images."),
            show_default=False,
        ),
    ],
    shares: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,C,…",
            help=mark(
                "Shares of the training images, in (0, 1]; by default 0.02,0.05,0.1,0.2, for few images 0.125,0.25,0.5,1."
            ),
        ),
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help=mark("Trainings on each share, on other images with other seeds."))] = 3,
    epochs: Annotated[int | None, typer.Option(help=mark("Number of epochs, instead of the recipe's."))] = None,
    target: Annotated[
        list[float] | None,
        typer.Option(metavar="ACCURACY", help=mark("Say how many images this accuracy needs, such as 0.98; repeatable.")),
    ] = None,
    data: Data = None,
    seed: Seed = None,
    settings: Settings = None,
    out: Annotated[
        Path | None,
        typer.Option(help=mark("The folder for the trainings and the figure; by default runs/NAME-curve.")),
    ] = None,
    threads: Threads = None,
    as_json: Annotated[bool, typer.Option("--json", help=mark("Print all results as JSON instead of the report."))] = False,
) -> None:
    from glassnet.analysis.learning_curve import measure
    from glassnet.analysis.learning_curve.words import report
    from glassnet.errors import writing
    from glassnet.experiment.share_files import POINTS, share_file
    from glassnet.experiment.shares import plan_shares
    from glassnet.present.figures import learning_curve_figure, save_figure
    from glassnet.support.checks import between
    from glassnet.support.strict_json import plain

    goals = [between(goal, tr("The accuracy must be a fraction."), "--target", "accuracy") for goal in target or []]
    chosen = None if shares is None else _numbers(shares)
    plan = plan_shares(recipe, chosen, draws, epochs=epochs, settings=changes_of(settings), seed=seed, data=data)
    file = share_file(plan, out)
    try:
        curve = measure(plan, file, threads=threads, progress=not as_json)
    except KeyboardInterrupt as interrupt:
        complain("\n" + "\n".join([tr("glassnet: interrupted"), *getattr(interrupt, "__notes__", [])]))
        fail(130)
    if as_json:
        emit(json.dumps(plain(curve.as_dict(goals)), indent=1, allow_nan=False))
    else:
        say("", report(curve, goals), "")
    figure = file.folder / FIGURE
    with writing(figure, tr("The figure can't be written.")):
        save_figure(learning_curve_figure(curve, plan.recipe.heading), figure)
    if not as_json:
        say(tr("  {path}   measured accuracies and the extrapolation", path=figure))
        say(
            tr(
                "  {path}   the trainings; with more --draws or --shares only what is new is trained",
                path=file.folder / POINTS,
            )
        )


def _numbers(text: str) -> list[float]:
    from glassnet.errors import InputError

    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(
            tr("Numbers are expected."), where="--shares", expected="0.02,0.05,0.1,0.2", received=repr(text)
        ) from None
