"""Options of `load_dataset`: the images' size and colour, the pattern of their names, the splits."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

from glassnet.errors import InputError
from glassnet.support.checks import is_whole, whole_number
from glassnet.support.i18n import tr
from glassnet.support.registry import unknown

Fit: TypeAlias = Literal["stretch", "crop", "pad"]
Color: TypeAlias = Literal["grey", "rgb"]
SplitKind: TypeAlias = Literal["stratified", "random", "group"]
Fractions: TypeAlias = tuple[float, float, float]

MOST_PIXELS = 64 * 2**20
"""64 megapixels: an image of more is refused from its header, before anything is decoded."""


@dataclass(frozen=True)
class ImageOptions:
    """`size` `(H, W)` and `color` to convert images to, None to leave them; `fit`: how other aspect ratios fill that size."""

    size: tuple[int, int] | None = None
    color: Color | None = None
    fit: Fit = "stretch"


@dataclass(frozen=True)
class SplitOptions:
    """How to divide; None for the default of the data set. `fractions` are of training, validation and test."""

    split: SplitKind | None = None
    fractions: Fractions | None = None
    fold: int | None = None
    folds: int = 5
    seed: int = 0

    @property
    def given(self) -> bool:
        """Whether any option of the split is given."""
        return any(choice is not None for choice in (self.split, self.fractions, self.fold))


@dataclass(frozen=True)
class ReadOptions(ImageOptions, SplitOptions):
    """All options of `load_dataset`. `pattern`: how file names give the label."""

    pattern: re.Pattern[str] | None = None


def as_size(size: int | Sequence[int] | None, where: str = "size") -> tuple[int, int] | None:
    """`(H, W)` of one number (a square) or two. Raises `InputError` unless they are positive and of a sane size."""
    if size is None:
        return None
    sides = (size, size) if is_whole(size) else size
    if (
        isinstance(sides, (str, bytes))
        or not isinstance(sides, Sequence)
        or len(sides) != 2
        or not all(is_whole(side) and side > 0 for side in sides)
        or sides[0] * sides[1] > MOST_PIXELS
    ):
        raise InputError(
            tr("This is not an image size."),
            where=where,
            expected=tr("pixels: one number for a square, or (height, width); at most {most:,} in all", most=MOST_PIXELS),
            received=repr(size),
            hint=tr("size = 64, or size = [48, 64]"),
        )
    return int(sides[0]), int(sides[1])


def as_pattern(pattern: str | re.Pattern[str] | None, where: str = "pattern") -> re.Pattern[str] | None:
    """The regular expression, which must have a group named `label`. Raises `InputError` for any other."""
    example = r"(?P<group>\d+)_\d+_(?P<label>\w+)\.jpg"
    try:
        compiled = None if pattern is None else re.compile(pattern)
    except (re.error, TypeError, RecursionError, OverflowError) as error:
        raise InputError(
            tr("The pattern is not a regular expression."),
            where=where,
            expected=tr("a regular expression of Python's re"),
            received=f"{pattern!r}: {error}",
            hint=f"pattern = '{example}'",
        ) from None
    if compiled is not None and "label" not in compiled.groupindex:
        raise InputError(
            tr("The pattern has no group named label."),
            where=where,
            expected=tr("a group named label, (?P<label>…), and perhaps one named group, (?P<group>…)"),
            received=repr(compiled.pattern),
            hint=f"pattern = '{example}'",
        )
    return compiled


def as_fractions(fractions: Sequence[float] | None, where: str = "fractions") -> Fractions | None:
    """Fractions of training, validation and test. Raises `InputError` unless they add up to 1 and the first is positive."""
    if fractions is None:
        return None
    parts = () if isinstance(fractions, (str, bytes)) or not isinstance(fractions, Sequence) else tuple(fractions)
    if (
        len(parts) != 3
        or not all(isinstance(part, (int, float)) and math.isfinite(part) and part >= 0 for part in parts)
        or not parts[0] > 0
        or abs(sum(parts) - 1) > 1e-6
    ):
        raise InputError(
            tr("The fractions do not divide the data set."),
            where=where,
            expected=tr("three numbers that add up to 1, for training (above 0), validation and test"),
            received=repr(fractions),
            hint="fractions = [0.7, 0.1, 0.2]",
        )
    return parts[0] / sum(parts), parts[1] / sum(parts), parts[2] / sum(parts)


def check_fold(fold: int | None, folds: int, where: str = "fold") -> None:
    """Raise `InputError` unless `fold` is one of 0 to `folds` − 1, and None where `folds` is left at 5."""
    numbers = is_whole(folds) and folds >= 2
    if not numbers or (fold is not None and not (is_whole(fold) and 0 <= fold < folds)):
        expected = tr("fold from 0 to {last}", last=folds - 1) if numbers else tr("at least 2 folds")
        received = tr("fold {fold} of {folds}", fold=repr(fold), folds=repr(folds))
        raise InputError(tr("There is no such fold."), where=where, expected=expected, received=received)
    if fold is None and folds != 5:
        raise InputError(
            tr("folds needs fold, the number of the fold that is the test set."),
            where=where,
            expected=tr("fold from 0 to {last}", last=folds - 1),
            received=tr("folds {folds}, and no fold", folds=folds),
            hint="fold = 0",
        )


def as_options(**given: Any) -> ReadOptions:
    """Arguments of `load_dataset`, each checked. Raises `InputError` for the first that is wrong."""
    options, where = ReadOptions(**given), "load_dataset({})".format
    for name, kinds in (("color", Color), ("fit", Fit), ("split", SplitKind)):
        value = getattr(options, name)
        if value not in get_args(kinds) and (value is not None or name == "fit"):
            raise unknown(name, value, get_args(kinds), where(name))
    check_fold(options.fold, options.folds, where("fold"))
    whole_number(options.seed, tr("A seed is a whole number of at least 0."), where("seed"), "0, 1, 2, …", least=0)
    return replace(
        options,
        size=as_size(options.size, where("size")),
        fractions=as_fractions(options.fractions, where("fractions")),
        pattern=as_pattern(options.pattern, where("pattern")),
    )
