"""The part of a recipe that says which data, in which size and colour, and how it is divided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from glassnet.data import Splits, load_dataset
from glassnet.data.options import Color, Fit, SplitKind, as_fractions, as_pattern, as_size, check_fold

CHECKS: dict[str, Callable[[Any], object]] = {"size": as_size, "pattern": as_pattern, "fractions": as_fractions}


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class DataSection(Section):
    """`dataset`: a name that `glassnet datasets` lists; `path`: a folder or file to read instead.

    The other keys are options of `load_dataset`, which says what they mean; `split_seed` is its `seed`.
    """

    dataset: str = "digits"
    path: str | None = None
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
    def _check_fold(self) -> DataSection:
        check_fold(self.fold, self.folds)
        return self

    def read(self) -> Splits:
        """The data, in its splits."""
        options = self.model_dump(exclude={"dataset", "path", "split_seed"})
        return load_dataset(self.path or self.dataset, **options, seed=self.split_seed)
