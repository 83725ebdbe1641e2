"""`glassnet check RECIPE|RUN`: compare gradients with finite differences."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassnet.cli.console import fail, say
from glassnet.support.i18n import mark, tr

if TYPE_CHECKING:
    from glassnet.experiment.run import Run

HELP = mark("Compare every gradient with finite differences, on a few training images.")
IMAGES = 10


def command(
    what: Annotated[str, typer.Argument(metavar="RECIPE|RUN", help=mark("A recipe or a run folder."), show_default=False)],
) -> None:
    from glassnet.analysis.gradient_check import check_gradients, table

    run = run_or_recipe(what)
    result = check_gradients(run.network, run.splits.train.head(IMAGES), precision=run.recipe.training.precision)
    if result.total <= 20:
        say(table(result))
    say(str(result))
    if not result.passed:
        fail(1)


def run_or_recipe(what: str) -> Run:
    """The run in a folder, or a run with the untrained network of a recipe."""
    from glassnet.errors import RecipeError
    from glassnet.experiment.recipe import load_recipe
    from glassnet.experiment.run import Run, read_splits
    from glassnet.training import History

    if Path(what).is_dir():
        return Run.load(what)
    try:
        recipe = load_recipe(what)
    except RecipeError as error:
        if Path(what).exists() or what.endswith(".toml"):
            raise
        raise RecipeError(
            tr("There is no recipe or run folder of this name."),
            expected=tr("a run folder, a .toml file, or one of {expected}", expected=error.expected),
            received=error.received,
            hint=error.hint,
        ) from None
    splits = read_splits(recipe)
    return Run(Path(what), recipe, recipe.make_network(splits), History(), splits)
