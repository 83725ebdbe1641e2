"""`glassnet recipes`: what can be trained as it is."""

from __future__ import annotations

from typing import Annotated

import typer

from glassnet.cli.console import say

NAME = "recipes"


def command(
    name: Annotated[str | None, typer.Argument(help="Show this one's TOML text.", show_default=False)] = None,
) -> None:
    """List the shipped recipes, or show one, to copy and change."""
    from glassnet.experiment.recipe import list_recipes, load_recipe

    if name is not None:
        say(load_recipe(name).to_toml())
        return
    recipes = list_recipes()
    width = max(len(recipe.name) for recipe in recipes)
    for recipe in recipes:
        say(f"{recipe.name:<{width}}  {recipe.title}")
        say(f"{'':<{width}}  data: {recipe.data.dataset}; expect: {recipe.expect}")
    say()
    say("glassnet train NAME trains one, glassnet recipes NAME shows its text.")
