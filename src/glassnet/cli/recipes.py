"""`glassnet recipes`: what can be trained as it is."""

from __future__ import annotations

from typing import Annotated

import typer

from glassnet.cli.console import say
from glassnet.support.i18n import mark, tr

NAME = "recipes"
HELP = mark("List the shipped recipes, or show one, to copy and change.")


def command(
    name: Annotated[str | None, typer.Argument(help=mark("Show this one's TOML text."), show_default=False)] = None,
) -> None:
    from glassnet.experiment.recipe import list_recipes, load_recipe

    if name is not None:
        say(load_recipe(name).to_toml())
        return
    recipes = list_recipes()
    width = max(len(recipe.name) for recipe in recipes)
    for recipe in recipes:
        say(f"{recipe.name:<{width}}  {recipe.heading}")
        say(" " * width + tr("  data: {data}; expect: {expect}", data=recipe.data.dataset, expect=recipe.message("expect")))
    say()
    say(tr("glassnet train NAME trains one, glassnet recipes NAME shows its text."))
