"""`glassnet recipes`: list the shipped recipes, or print one."""

from __future__ import annotations

from typing import Annotated

import typer

from glassnet.cli.console import emit, say
from glassnet.support.i18n import mark, tr

HELP = mark("List the shipped recipes, or print one, to copy and edit.")


def command(
    name: Annotated[str | None, typer.Argument(help=mark("Print the TOML text of this recipe."), show_default=False)] = None,
) -> None:
    from glassnet.experiment.recipe import list_recipes, load_recipe

    if name is not None:
        emit(load_recipe(name).to_toml())
        return
    recipes = list_recipes()
    width = max(len(recipe.name) for recipe in recipes)
    for recipe in recipes:
        say(f"{recipe.name:<{width}}  {recipe.heading}")
        say(" " * width + tr("  data: {data}; expect: {expect}", data=recipe.data.source, expect=recipe.message("expect")))
    say("", tr("glassnet train NAME trains one, glassnet recipes NAME prints its text."))
