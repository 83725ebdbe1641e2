"""Options that several commands take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassnet.support.i18n import mark, tr

if TYPE_CHECKING:
    from glassnet.experiment.run import Run

Data = Annotated[
    str | None,
    typer.Option(metavar="PATH|URL", help=mark("Read the data from this folder or file, or from shards at an address.")),
]
Seed = Annotated[int | None, typer.Option(help=mark("Random seed, instead of the recipe's."))]
Threads = Annotated[int | None, typer.Option(min=1, help=mark("Number of threads; chosen automatically by default."))]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=mark("Override a key of the recipe; repeatable."))
]
Views = Annotated[
    int | None, typer.Option(min=1, help=mark("Test-time augmentation: average over this many views of each image."))
]
Precision = Annotated[
    str | None,
    typer.Option(
        metavar="float32|bfloat16|int8",
        help=mark("Precision of products. For int8, a run is calibrated on its validation images."),
        show_default=False,
    ),
]
# How images are read and divided.
Size = Annotated[str | None, typer.Option(metavar="N|HxW", help=mark("Resize images to this size."), show_default=False)]
Color = Annotated[str | None, typer.Option(metavar="grey|rgb", help=mark("Convert images to this colour mode."))]
Fit = Annotated[str | None, typer.Option(metavar="stretch|crop|pad", help=mark("How to fit images of another aspect ratio."))]
Pattern = Annotated[
    str | None,
    typer.Option(help=mark("A regular expression for file names, with (?P<label>…) and optionally (?P<group>…).")),
]
Split = Annotated[str | None, typer.Option(metavar="stratified|random|group", help=mark("How to split the data."))]
Fractions = Annotated[
    str | None, typer.Option(metavar="A,B,C", help=mark("Fractions of training, validation and test data."))
]
Fold = Annotated[int | None, typer.Option(help=mark("Which fold is the test set."))]
Folds = Annotated[int | None, typer.Option(help=mark("Number of folds."))]


def precision_options(precision: str | None, runs: Sequence[Run | None]) -> dict[str, Any]:
    """Options of `predict_proba` for a precision. For int8, runs that are not calibrated are, and standard error says so."""
    from glassnet.cli.console import complain

    for run in runs if precision == "int8" else ():
        if run is not None and run.network.calibration is None:
            part = run.splits.train if run.splits.validation is None else run.splits.validation
            proof = run.network.calibrate(part.images).text
            complain(tr("{folder} is calibrated for int8: {proof}", folder=run.folder, proof=proof))
    return {} if precision is None else {"precision": precision}


def changes_of(settings: Sequence[str] | None) -> dict[str, Any]:
    """The keys and values of `--set`; a value is TOML, or else plain text."""
    from glassnet.errors import RecipeError
    from glassnet.experiment.overrides import value_of

    changes: dict[str, Any] = {}
    for text in settings or []:
        key, sign, value = text.partition("=")
        key = key.strip()
        if not sign or not key:
            raise RecipeError(
                tr("A setting must be KEY=VALUE."), where="--set", expected="training.epochs=5", received=repr(text)
            )
        changes[key] = value_of(value)
    return changes
