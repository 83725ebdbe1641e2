"""A recipe for images of one's own: every decision follows from the data, by the rules in auto_decisions.py."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Any

from glassnet.data.readers.drawn import COPIES
from glassnet.data.remote import is_url
from glassnet.data.survey import Survey, survey, survey_drawn
from glassnet.errors import DataError, RecipeError
from glassnet.experiment.auto_decisions import (
    SMALL_INK,
    Decision,
    decide_data,
    decide_kind,
    decide_network,
    decide_training,
    kind_of,
    operations_of,
    seconds_of,
)
from glassnet.experiment.recipe import Recipe, list_recipes, load_recipe
from glassnet.experiment.sections import DataSection, NetworkSection, TrainingSection
from glassnet.support.i18n import Message, listing, mark, same, tr
from glassnet.support.paths import as_path, exists
from glassnet.support.registry import did_you_mean, nearest


@dataclass(frozen=True)
class AutoRecipe:
    """The recipe for a data set, the decisions that made it, and what is known of the data."""

    recipe: Recipe
    decisions: tuple[Decision, ...]
    data: Survey

    @property
    def seconds(self) -> float:
        """About how long the training takes on two cores."""
        return seconds_of(self.recipe.training.epochs, self.data.train, operations_of(self.recipe, self.data))


def is_own_data(recipe: object) -> bool:
    """Whether this is neither a recipe nor a TOML file, but the path of something that exists."""
    if not isinstance(recipe, (str, os.PathLike)):
        return False
    text = os.fspath(recipe)
    if is_url(recipe):
        return True
    shipped = isinstance(recipe, str) and text in {known.name for known in list_recipes()}
    path = as_path(recipe)
    return not shipped and bool(text) and exists(path) and not (path.suffix.lower() == ".toml" and path.is_file())


def as_recipe(recipe: str | os.PathLike[str] | Recipe, settings: dict[str, Any] | None = None) -> Recipe:
    """A Recipe as it is; a shipped one by name; that in a TOML file; or one made for a folder or file of data.

    `settings`: keys that will replace those of the recipe: the decisions for own data take them into account.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if is_own_data(recipe):
        return auto_recipe(recipe, settings).recipe
    place = as_path(recipe)
    of_data = place.suffix.lower() in (".zip", ".npz", ".mat", ".h5", ".gnt", ".gz") or len(place.parts) > 1
    if of_data and place.suffix.lower() != ".toml" and not exists(place):
        raise DataError(
            tr("There is no such file or folder."),
            where=place,
            expected=tr("a folder, zip or file of images, a recipe's name, or a TOML file"),
            hint=tr("glassnet recipes lists the shipped ones"),
        )
    names = [known.name for known in list_recipes()]
    if str(recipe) not in names and place.suffix.lower() != ".toml" and not exists(place):
        raise _no_such(os.fspath(recipe), names)
    return load_recipe(place if isinstance(recipe, os.PathLike) else recipe)


def _no_such(text: str, recipes: list[str]) -> RecipeError:
    """The error for what is neither a recipe nor a path, with the nearest name of each."""
    here = []
    with contextlib.suppress(OSError):
        here = [entry.name for entry in os.scandir() if not entry.name.startswith(".")]
    close = list(dict.fromkeys(filter(None, (nearest(text, recipes), nearest(text, here)))))
    hint = did_you_mean(close[0] if close else None)
    if len(close) > 1:
        hint = tr(
            "did you mean the recipe {recipe} or the file or folder {path}?", recipe=repr(close[0]), path=repr(close[1])
        )
    return RecipeError(
        tr("There is no such recipe, file or folder."),
        expected=tr("a path, or a recipe: {names}", names=" | ".join(sorted(recipes))),
        received=repr(text),
        hint=hint,
    )


def auto_recipe(path: str | os.PathLike[str] | None, settings: dict[str, Any] | None = None) -> AutoRecipe:
    """The recipe for the images in a folder, a zip, a .npz, …, with the reason of each decision.

    `settings` as in `train`; those of the data (size, color, fit, pattern, split, …) are kept, and the rest fits them.
    Without a path they say what is drawn from fonts. Raises `DataError` and `InputError` as reading the data does.
    """
    keys = {key: value for key, value in (settings or {}).items() if key.removeprefix("data.") in DataSection.model_fields}
    data, name = DataSection(characters="digits", size=SMALL_INK), "characters"
    if path is not None:
        place = as_path(path) if is_url(path) else as_path(path).absolute()
        data = DataSection(path=os.fspath(path) if is_url(path) else str(place))
        name = place.stem if place.is_file() else place.name or "data"
    network, training = NetworkSection(architecture="vgg"), TrainingSection(epochs=1)
    start = Recipe(name=name, data=data, network=network, training=training).changed(keys)
    given = start.data
    if given.is_drawn:
        found = survey_drawn(given.drawn_options, given.copies or COPIES)
    else:
        found = survey(str(given.path), **given.model_dump(include={"pattern", "split", "fractions"}))
    decisions = [decide_kind(found)]
    data = decide_data(found, given, decisions)
    start = start.model_copy(update={"data": data})
    start = start.model_copy(update={"network": decide_network(found, start, decisions)})
    epochs = next((value for key, value in (settings or {}).items() if key.removeprefix("training.") == "epochs"), None)
    training = decide_training(found, start, epochs, decisions)
    title = same(data.source) if data.is_drawn else tr("Your images: {name}", name=start.name)
    about = _about(found)
    texts = {"title": title.en, "title_zh": title.zh, "about": about.en, "about_zh": about.zh}
    return AutoRecipe(start.model_copy(update={"training": training, **texts}), tuple(decisions), found)


def _about(found: Survey) -> Message:
    names = list(found.counts)
    shown = listing(names if len(names) <= 10 else [*names[:9], "…"])
    text = mark("{images:,} images of {classes} classes ({names}): {kind}.")
    return tr(text, images=found.images, classes=len(names), names=shown, kind=kind_of(found))
