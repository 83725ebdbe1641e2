"""Options that several commands take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from glassnet.support.i18n import mark, tr

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
