"""Recipes: everything that a training needs, as a TOML file."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from glassnet.data import Splits
from glassnet.data.augmentation import Augmentation, as_augmentation
from glassnet.data.multicrop import MultiCrop, as_multicrop
from glassnet.errors import GlassnetError, InputError, RecipeError
from glassnet.experiment.overrides import changed, no_such_key
from glassnet.experiment.sections import (
    SECTIONS,
    DataSection,
    DistillationSection,
    EvaluationSection,
    NetworkSection,
    Section,
    TrainingSection,
)
from glassnet.network import Network
from glassnet.nn.architectures import as_layers
from glassnet.nn.optimizers import Optimizer, ScipyMinimize, as_optimizer
from glassnet.support.i18n import Message, same, tr
from glassnet.support.registry import nearest, unknown


class Recipe(Section):
    """One experiment; `title`, `about` and `expect` describe it, `title_zh`, `about_zh` and `expect_zh` in Chinese.

    `overridden` lists the keys that were set to other values than in the recipe it was made from. `about` and `expect`, which
    speak of those values, are then left out.
    """

    name: str = Field(min_length=1)
    title: str = ""
    about: str = ""
    expect: str = ""
    title_zh: str | None = None
    about_zh: str | None = None
    expect_zh: str | None = None
    overridden: list[str] | None = None
    data: DataSection = DataSection()
    network: NetworkSection
    training: TrainingSection
    evaluation: EvaluationSection = EvaluationSection()
    distillation: DistillationSection | None = None

    def message(self, key: Literal["title", "about", "expect"]) -> Message:
        """The text in both languages; English if there is no Chinese."""
        english = getattr(self, key).strip()
        return Message(english, chinese=(getattr(self, f"{key}_zh") or english).strip())

    @property
    def heading(self) -> Message:
        """The title, or the name if there is none."""
        return self.message("title") if self.title else same(self.name)

    def to_toml(self) -> str:
        """The complete recipe as TOML text."""
        import tomli_w

        values = self.model_dump(exclude_none=True)
        unread = self.data.path is not None or self.data.is_drawn
        if unread and self.data.dataset == DataSection.model_fields["dataset"].default:
            del values["data"]["dataset"]
        return tomli_w.dumps(values)

    def changed(self, settings: dict[str, Any]) -> Recipe:
        """A copy with other values for some keys, as `overrides.changed` reads them: "training.epochs", or alone "epochs"."""
        return _checked(changed(self.model_dump(exclude_none=True), SECTIONS, settings), f"recipe {self.name}")

    def make_network(self, splits: Splits) -> Network:
        """The untrained network for the images of `splits`."""
        with self._named_in_errors():
            layers: Any = self.network.layers
            if self.network.architecture is not None:
                outputs = len(splits.classes) if splits.classes else splits.train.labels.shape[1]
                layers = as_layers(self.network.architecture, outputs, "network.architecture")
            network = Network(
                layers,
                loss=self.network.loss,
                regularizer=self.network.regularizer,
                dtype=self.network.dtype,
                input_shape=splits.train.shape,
                seed=self.training.seed,
                classes=splits.classes,
            )
            if self.network.start is not None:
                network.parameters = self.network.start  # type: ignore[assignment]  # the setter takes any sequence
            return network

    def make_optimizer(self) -> Optimizer | ScipyMinimize:
        with self._named_in_errors():
            return as_optimizer(self.training.optimizer, "training.optimizer")

    def make_augmentation(self) -> Augmentation | None:
        return self._augmentation(self.training.augmentation, "training.augmentation")

    def make_view_augmentation(self) -> Augmentation | MultiCrop | None:
        """The augmentation for test-time augmentation; None if there is none."""
        options = self.evaluation.view_augmentation
        if options is None:
            return self.make_augmentation()
        with self._named_in_errors():
            fixed = as_multicrop(options, "evaluation.view_augmentation")
        if fixed is not None:
            return fixed
        return self._augmentation(options, "evaluation.view_augmentation")

    def _augmentation(self, options: dict[str, Any] | None, where: str) -> Augmentation | None:
        with self._named_in_errors():
            return as_augmentation(options, where)

    @contextlib.contextmanager
    def _named_in_errors(self) -> Iterator[None]:
        try:
            yield
        except InputError as error:
            raise error.at(f"recipe {self.name}" + (f", {error.where}" if error.where else ""), RecipeError) from None


def _shipped() -> dict[str, str]:
    """The shipped recipes' texts by name."""
    folder = resources.files("glassnet.experiment") / "recipes"
    return {
        file.name.removesuffix(".toml"): file.read_text(encoding="utf-8")
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".toml")
    }


def list_recipes() -> list[Recipe]:
    """The shipped recipes, by name."""
    return [_parse(text, name) for name, text in _shipped().items()]


def load_recipe(name_or_path: str | Path) -> Recipe:
    """A shipped recipe by its name, or the recipe in a TOML file."""
    texts = _shipped()
    if isinstance(name_or_path, str) and name_or_path in texts:
        return _parse(texts[name_or_path], name_or_path)
    path = Path(name_or_path)
    if not path.is_file():
        if path.suffix == ".toml":
            raise RecipeError(
                tr("There is no such recipe file."), where=path, hint=tr("glassnet recipes lists the shipped ones")
            )
        raise unknown(tr("recipe"), str(name_or_path), texts).at(None, RecipeError)
    try:
        return _parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(tr("The recipe can't be read."), where=path, received=str(error)) from None


def _parse(text: str, where: str) -> Recipe:
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(tr("The recipe is not valid TOML."), where=where, received=str(error)) from None
    values.setdefault("name", where.removesuffix(".toml").replace("\\", "/").rpartition("/")[2])
    return _checked(values, where)


def _checked(values: dict[str, Any], where: str) -> Recipe:
    """The recipe of these values; `RecipeError` for the first wrong key."""
    try:
        recipe = Recipe.model_validate(values)
    except ValidationError as problems:
        found = problems.errors()
        problem = next((each for each in found if each["type"] == "extra_forbidden"), found[0])  # which names the typo
        path = [str(part) for part in problem["loc"] if not str(part).startswith(("list[", "dict[", "function-"))]
        key = ".".join(path)
        if problem["type"] == "extra_forbidden":
            owner: Any = Recipe
            for part in path[:-1]:
                owner = owner.model_fields[part].annotation
            names = list(owner.model_fields)
            raise no_such_key(f"{where}, {key}", path[-1], names, nearest(path[-1], names)) from None
        refused = problem.get("ctx", {}).get("error")
        if isinstance(refused, GlassnetError):
            raise refused.at(f"{where}, {key}", RecipeError) from None
        if problem["type"] == "missing":
            raise RecipeError(
                tr("A key of the recipe is missing."), where=f"{where}, {key}", expected=tr("a value for {key}", key=path[-1])
            ) from None
        raise RecipeError(
            tr("A value of the recipe is wrong."),
            where=f"{where}, {key}",
            expected=problem["msg"].removeprefix("Input should be ").removeprefix("Value should have "),
            received=repr(problem["input"]),
        ) from None
    recipe.make_optimizer()
    recipe.make_augmentation()
    recipe.make_view_augmentation()
    return recipe
