"""`glassnet train FOLDER`: the recipe that is made for images of one's own, and what a quick inspection finds in them."""

from __future__ import annotations

import textwrap
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

from glassnet.cli.console import say
from glassnet.experiment.auto_recipe import AutoRecipe, auto_recipe, is_own_data as is_own_data
from glassnet.support.i18n import Message, tr

if TYPE_CHECKING:
    from glassnet.experiment.recipe import Recipe

SAID_ALREADY = ("unreadable-images", "unlabelled-images")  # in the warnings of reading
INDENT = 16


def make_recipe(path: str | None, changes: dict[str, Any], *, explain: bool) -> Recipe | None:
    """The recipe for the data at `path`, None for what is drawn, with the user's `changes`, and what to know of it.

    With `explain` the decisions, their reasons and the TOML text are printed, and None is returned. Raises `InputError` for
    `explain` of what is no path of data, and errors as `auto_recipe` does.
    """
    from glassnet.errors import InputError

    if path is not None and not is_own_data(path):
        raise InputError(
            tr("--explain is for images of your own: the decisions of a written recipe are in its text."),
            where="glassnet train --explain",
            expected=tr("an existing folder, zip or file of images"),
            received=repr(path),
            hint="glassnet recipes NAME",
        )
    made = auto_recipe(path, changes)
    recipe = made.recipe.changed(changes) if changes else made.recipe
    made = AutoRecipe(recipe, made.decisions, made.data)
    heading = [recipe.message("title"), recipe.message("about")]
    if explain:
        say(*heading, "", *_explained(made), "", recipe.to_toml().rstrip())
        return None
    warnings = _warnings(recipe, path)  # reads the data: nothing is said before that worked
    values = {decision.key: decision.value for decision in made.decisions}
    parts: list[str] = [tr("{value} pixels", value=values["size"])] if "size" in values else []
    epochs = tr("1 epoch") if recipe.training.epochs == 1 else tr("{epochs} epochs", epochs=recipe.training.epochs)
    parts += [values["network"], epochs, _time(made.seconds)]
    say(*heading, _sentence(parts), tr("Why: glassnet train {path} --explain", path=path or "--fonts …"), *warnings, "")
    return recipe


def _sentence(parts: list[str]) -> Message:
    return tr(", ").join(parts) + tr(".")


def _time(seconds: float) -> Message:
    if seconds < 10:
        return tr("some seconds of training")
    if seconds < 100:
        return tr("about {seconds:.0f} s of training on two cores", seconds=round(seconds, -1))
    return tr("about {minutes:.0f} minutes of training on two cores", minutes=seconds / 60)


def _explained(made: AutoRecipe) -> list[str]:
    """The decisions, each with its reason below."""
    width = min(100, get_terminal_size().columns)
    lines: list[str] = []
    for decision in made.decisions:
        lines.append(f"{decision.key:<{INDENT}}{decision.value}")
        lines += textwrap.wrap(decision.reason, width, initial_indent=" " * INDENT, subsequent_indent=" " * INDENT)
    return [*lines, "", _sentence([_time(made.seconds)])]


def _warnings(recipe: Recipe, path: str | None) -> list[str]:
    """One line for each finding of a quick inspection."""
    from glassnet.analysis.inspection import inspect
    from glassnet.experiment.run import read_splits

    found = inspect(read_splits(recipe), quick=True).findings
    known = {*SAID_ALREADY, *(["class-imbalance"] if recipe.training.class_weight else [])}
    lines = [tr("{title}: {evidence}", title=finding.title, evidence=finding.evidence)
             for finding in found if finding.name not in known]  # fmt: skip
    if not lines:
        return []
    size = recipe.data.size
    if path is None:
        return ["", *lines]
    option = "" if size is None else f" --size {size if isinstance(size, int) else 'x'.join(map(str, size))}"
    return ["", *lines, tr("  more:  {command}", command=f"glassnet inspect {path}{option}")]
