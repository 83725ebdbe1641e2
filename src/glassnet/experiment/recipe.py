"""Recipes: everything that a training needs, as a TOML file."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from glassnet.data import Splits, draw_characters, load_dataset
from glassnet.data.augmentation import Augmentation, as_augmentation
from glassnet.data.options import Color, Fit, SplitKind, as_fractions, as_pattern, as_size, check_fold
from glassnet.errors import GlassnetError, InputError, RecipeError
from glassnet.experiment.overrides import changed, no_such_key
from glassnet.network import Network
from glassnet.nn.architectures import as_layers
from glassnet.nn.optimizers import Optimizer, ScipyMinimize, as_optimizer
from glassnet.support.i18n import Message, same, tr
from glassnet.support.registry import nearest, unknown

Description = str | dict[str, Any]
DRAWN = {"characters", "fonts", "test_fonts", "copies"}  # keys of data that is drawn
TEMPERATURE, WEIGHT = 2.0, 0.9  # of distillation: python -m benchmarks.distill
CHECKS: dict[str, Callable[[Any], object]] = {"size": as_size, "pattern": as_pattern, "fractions": as_fractions}


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class DataSection(Section):
    """`dataset`: a name of `glassnet datasets`; `path`: a folder or file instead; the rest: options of `load_dataset`.

    With `fonts` or `characters` the images are drawn: `draw_characters`, with `test_fonts` and `copies`.
    """

    dataset: str = "digits"
    path: str | None = None
    characters: str | None = Field(default=None, min_length=1)
    fonts: list[str] | None = Field(default=None, min_length=1)
    test_fonts: list[str] | None = Field(default=None, min_length=1)
    copies: int | None = Field(default=None, gt=0)
    size: int | list[int] | None = None
    color: Color | None = None
    fit: Fit = "stretch"
    pattern: str | None = None
    split: SplitKind | None = None
    fractions: list[float] | None = None
    fold: int | None = None
    folds: int = 5
    split_seed: int = Field(default=0, ge=0)

    @field_validator("size", "pattern", "fractions", mode="after")
    @classmethod
    def _check(cls, value: Any, field: ValidationInfo) -> Any:
        CHECKS[str(field.field_name)](value)
        return value

    @model_validator(mode="after")
    def _check_options(self) -> DataSection:
        check_fold(self.fold, self.folds)
        if self.is_drawn and self.path is not None:
            raise InputError(
                tr("Images are either drawn from fonts or read from a path."),
                expected=tr("fonts and characters, or a path"),
                received=tr("both"),
            )
        return self

    def read(self) -> Splits:
        """The splits of the data."""
        if self.is_drawn:
            return draw_characters(**self.drawn_options)
        options = self.model_dump(exclude={"dataset", "path", "split_seed"} | DRAWN)
        return load_dataset(self.path or self.dataset, **options, seed=self.split_seed)

    @property
    def is_drawn(self) -> bool:
        """Whether the images are characters drawn from fonts."""
        return self.characters is not None or self.fonts is not None

    @property
    def drawn_options(self) -> dict[str, Any]:
        """The arguments of `draw_characters`."""
        kept = DRAWN | {"size", "split", "fractions", "fold", "folds"}
        return self.model_dump(include=kept, exclude_none=True) | {"seed": self.split_seed}

    @property
    def source(self) -> str:
        """Where the images are from, to be shown."""
        if self.is_drawn:
            return tr("{characters}, drawn from {fonts}", characters=self.characters or "digits",
                      fonts=", ".join(self.fonts or ["system"]))  # fmt: skip
        return self.path or self.dataset


class NetworkSection(Section):
    """Either `layers`, sizes as in [784, 30, 10] or names and tables, or an `architecture`, a name or a table.

    `start`: the initial parameters, instead of random ones.
    """

    layers: list[int] | list[str | dict[str, Any]] | None = Field(default=None, min_length=1)
    architecture: Description | None = None
    loss: Description = "Quadratic"
    regularizer: Description | None = None
    dtype: Literal["float32", "float64"] = "float32"
    start: list[float] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> NetworkSection:
        if (self.layers is None) == (self.architecture is None):
            raise InputError(
                tr("A network needs either layers or an architecture."),
                expected=tr("one of the two keys"),
                received=tr("neither") if self.layers is None else tr("both"),
            )
        return self


class TrainingSection(Section):
    """`keep`: the weights of the last epoch, or of the best on validation data; `average`: β of their moving average.

    `patience`: of early stopping, in epochs. `show_every`: epochs between two lines of progress on a plain terminal.
    `expand_shifts`: pixels by which copies of the training images are shifted (0: no copies). `augmentation`: options of
    Augmentation; `plain_epochs`: the number of last epochs without it. `snapshots`: of how many epochs the weights are
    kept, at most.
    """

    epochs: int = Field(gt=0)
    batch_size: int = Field(default=32, gt=0)
    optimizer: Description = "SGD"
    seed: int = Field(default=0, ge=0)
    keep: Literal["last", "best"] = "last"
    average: float | None = Field(default=None, gt=0, lt=1)
    patience: int | None = Field(default=None, gt=0)
    class_weight: Literal["balanced"] | None = None
    expand_shifts: int = Field(default=0, ge=0)
    augmentation: dict[str, Any] | None = None
    plain_epochs: int = Field(default=0, ge=0)
    show_gradients: bool = False
    show_every: int = Field(default=1, gt=0)
    snapshots: int = Field(default=12, ge=0)


class EvaluationSection(Section):
    """`views` of each image to average over; `view_augmentation`: by default that of the training."""

    views: int = Field(default=1, gt=0)
    view_augmentation: dict[str, Any] | None = None


class DistillationSection(Section):
    """Soft targets: `weight`·(the teachers' mean probabilities) + (1 − `weight`)·(the labels).

    `teachers`: run folders, with the fingerprint of each model; `temperature`: T of their probabilities, p^(1/T) / Σ p^(1/T).
    """

    teachers: dict[str, str] = Field(min_length=1)
    temperature: float = Field(default=TEMPERATURE, gt=0)
    weight: float = Field(default=WEIGHT, ge=0, le=1)


SECTIONS: dict[str, type[Section]] = {
    "data": DataSection, "network": NetworkSection, "training": TrainingSection, "evaluation": EvaluationSection,
    "distillation": DistillationSection,
}  # fmt: skip


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
        if (self.data.path is not None or self.data.is_drawn) and self.data.dataset == DataSection.model_fields[
            "dataset"
        ].default:
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

    def make_view_augmentation(self) -> Augmentation | None:
        """The augmentation for test-time augmentation; None if there is none."""
        options = self.evaluation.view_augmentation
        if options is None:
            return self.make_augmentation()
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
