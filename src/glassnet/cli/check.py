"""`glassnet check RECIPE|RUN`: hold the gradients of a network against their definition."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassnet.cli.console import fail, say
from glassnet.support.i18n import mark, tr

if TYPE_CHECKING:
    from glassnet.experiment.recipe import Recipe

NAME = "check"
HELP = mark("Hold every gradient of a network against its definition, on a few training images.")
IMAGES = 10


def command(
    what: Annotated[str, typer.Argument(metavar="RECIPE|RUN", help=mark("A recipe, or a run folder."), show_default=False)],
) -> None:
    from glassnet.analysis.gradient_check import check_gradients
    from glassnet.analysis.gradient_table import table
    from glassnet.experiment.run import Run, read_splits

    if Path(what).is_dir():
        done = Run.load(what)
        network, splits = done.network, done.splits
    else:
        recipe = recipe_of(what)
        splits = read_splits(recipe)
        network = recipe.make_network(splits)
    result = check_gradients(network, splits.train.head(IMAGES))
    if result.total <= 20:
        say(table(result))
    say(str(result))
    if not result.passed:
        fail(1)


def recipe_of(what: str) -> Recipe:
    """The recipe of this name or file, or the error for what is neither that nor a run."""
    from glassnet.errors import RecipeError
    from glassnet.experiment.recipe import load_recipe

    try:
        return load_recipe(what)
    except RecipeError as error:
        if Path(what).exists() or what.endswith(".toml"):
            raise
        raise RecipeError(
            tr("There is no recipe of this name, and no run folder."),
            expected=tr("a run folder, a .toml file, or one of {expected}", expected=error.expected),
            received=error.received,
            hint=error.hint,
        ) from None
