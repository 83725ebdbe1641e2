"""The sections of a recipe: data, network, training, evaluation, distillation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from glassnet.data import Splits, draw_characters, load_dataset
from glassnet.data.options import Color, Fit, SplitKind, as_fractions, as_pattern, as_size, check_fold
from glassnet.errors import InputError
from glassnet.support.i18n import tr

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
    Augmentation; `plain_epochs`: the number of last epochs without it. `shuffle_block`: the images of an epoch come in blocks
    of so many, shuffled within windows; memory-mapped images have a default, which the run's recipe records.
    `precision`: of products. `snapshots`: of how many epochs the weights are kept, at most.
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
    shuffle_block: int | None = Field(default=None, gt=0)
    precision: Literal["float32", "bfloat16"] = "float32"
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
