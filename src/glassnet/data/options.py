"""What a caller may ask of a reader: the images' size and colour, the pattern of their names, and how they are divided."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast, get_args

from glassnet.errors import InputError
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
    """`size` `(H, W)` and `color` to bring images to, None where they stay; `fit`: how another shape fills that size."""

    size: tuple[int, int] | None = None
    color: Color | None = None
    fit: Fit = "stretch"


@dataclass(frozen=True)
class SplitOptions:
    """How to divide; None where the data's own way is taken. `fractions` are of training, validation and test."""

    split: SplitKind | None = None
    fractions: Fractions | None = None
    fold: int | None = None
    folds: int = 5
    seed: int = 0

    @property
    def given(self) -> bool:
        """Whether anything but the data's own way is asked for."""
        return any(choice is not None for choice in (self.split, self.fractions, self.fold))


@dataclass(frozen=True)
class ReadOptions:
    """All of it, checked. `pattern`: how file names say what an image shows."""

    images: ImageOptions = field(default_factory=ImageOptions)
    splitting: SplitOptions = field(default_factory=SplitOptions)
    pattern: re.Pattern[str] | None = None


def as_size(size: int | Sequence[int] | None, where: str = "size") -> tuple[int, int] | None:
    """`(H, W)` of one number (a square) or two. Raises `InputError` unless they are positive and of a sane size."""
    if size is None:
        return None
    sides = (size, size) if isinstance(size, int) else size
    if (
        isinstance(sides, (str, bytes))
        or not isinstance(sides, Sequence)
        or len(sides) != 2
        or not all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides)
        or sides[0] * sides[1] > MOST_PIXELS
    ):
        raise InputError(
            tr("This is no size of images."),
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
            tr("The pattern is no regular expression."),
            where=where,
            expected=tr("a regular expression of Python's re"),
            received=f"{pattern!r}: {error}",
            hint=f"pattern = '{example}'",
        ) from None
    if compiled is not None and "label" not in compiled.groupindex:
        raise InputError(
            tr("The pattern does not say which part of a name is the label."),
            where=where,
            expected=tr("a group named label, (?P<label>…), and perhaps one named group, (?P<group>…)"),
            received=repr(compiled.pattern),
            hint=f"pattern = '{example}'",
        )
    return compiled


def as_fractions(fractions: Sequence[float] | None, where: str = "fractions") -> Fractions | None:
    """The shares of training, validation and test. Raises `InputError` unless they add up to 1 and the first is positive."""
    if fractions is None:
        return None
    shares = () if isinstance(fractions, (str, bytes)) or not isinstance(fractions, Sequence) else tuple(fractions)
    if (
        len(shares) != 3
        or not all(isinstance(share, (int, float)) and math.isfinite(share) and share >= 0 for share in shares)
        or not shares[0] > 0
        or abs(sum(shares) - 1) > 1e-6
    ):
        raise InputError(
            tr("The fractions do not divide the data set."),
            where=where,
            expected=tr("three numbers that add up to 1, for training (above 0), validation and test"),
            received=repr(fractions),
            hint="fractions = [0.7, 0.1, 0.2]",
        )
    return shares[0] / sum(shares), shares[1] / sum(shares), shares[2] / sum(shares)


def check_fold(fold: int | None, folds: int, where: str = "fold") -> None:
    """Raise `InputError` unless `fold` is one of 0 to `folds` − 1, and None where `folds` is left at 5."""
    numbers = isinstance(folds, int) and not isinstance(folds, bool) and folds >= 2
    whole = fold is None or (isinstance(fold, int) and not isinstance(fold, bool))
    if not numbers or not whole or (fold is not None and not 0 <= fold < folds):
        raise InputError(
            tr("There is no such fold."),
            where=where,
            expected=tr("fold from 0 to {last}, of {folds} folds", last=folds - 1, folds=folds)
            if numbers
            else tr("at least 2 folds"),
            received=tr("fold {fold} of {folds}", fold=repr(fold), folds=repr(folds)),
        )
    if fold is None and folds != 5:
        raise InputError(
            tr("A number of folds says nothing without the fold that is to be the test set."),
            where=where,
            expected=tr("fold from 0 to {last}", last=folds - 1),
            received=tr("folds {folds}, and no fold", folds=folds),
            hint="fold = 0",
        )


def as_options(
    *,
    size: int | Sequence[int] | None = None,
    color: str | None = None,
    fit: str = "stretch",
    pattern: str | re.Pattern[str] | None = None,
    split: str | None = None,
    fractions: Sequence[float] | None = None,
    fold: int | None = None,
    folds: int = 5,
    seed: int = 0,
    where: str = "load_dataset",
) -> ReadOptions:
    """All options, each checked. Raises `InputError` for the first that is wrong; `where` is what it was given to."""
    for name, value, kinds in (("color", color, Color), ("fit", fit, Fit), ("split", split, SplitKind)):
        known = get_args(kinds)
        if value not in known and (value is not None or name == "fit"):
            raise unknown(name, value, known, f"{where}({name})")
    check_fold(fold, folds, f"{where}(fold)")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise InputError(
            tr("The seed is no whole number from 0 on."), where=f"{where}(seed)", expected="0, 1, 2, …", received=repr(seed)
        )
    images = ImageOptions(as_size(size, f"{where}(size)"), cast("Color | None", color), cast("Fit", fit))
    shares = as_fractions(fractions, f"{where}(fractions)")
    splitting = SplitOptions(cast("SplitKind | None", split), shares, fold, folds, seed)
    return ReadOptions(images, splitting, as_pattern(pattern, f"{where}(pattern)"))
