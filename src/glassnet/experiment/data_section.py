"""The part of a recipe that says which data, in which size and colour, and how it is divided."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from glassnet.data import Splits, load_dataset
from glassnet.data.options import Color, Fit, SplitKind, as_fractions, as_pattern, as_size, check_fold


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

    @field_validator("size", mode="after")
    @classmethod
    def _check_size(cls, size: int | list[int] | None) -> int | list[int] | None:
        as_size(size)
        return size

    @field_validator("pattern", mode="after")
    @classmethod
    def _check_pattern(cls, pattern: str | None) -> str | None:
        as_pattern(pattern)
        return pattern

    @field_validator("fractions", mode="after")
    @classmethod
    def _check_fractions(cls, fractions: list[float] | None) -> list[float] | None:
        as_fractions(fractions)
        return fractions

    @model_validator(mode="after")
    def _check_fold(self) -> DataSection:
        check_fold(self.fold, self.folds)
        return self

    def read(self) -> Splits:
        """The data, in its splits."""
        return load_dataset(
            self.path or self.dataset,
            size=self.size,
            color=self.color,
            fit=self.fit,
            pattern=self.pattern,
            split=self.split,
            fractions=self.fractions,
            fold=self.fold,
            folds=self.folds,
            seed=self.split_seed,
        )
