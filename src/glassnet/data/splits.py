"""Dividing a data set into parts that share no image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from glassnet.data.dataset import Dataset, Splits
from glassnet.data.options import Fractions, SplitKind, SplitOptions, check_fold
from glassnet.data.partition import Parts, as_proportions, group_parts, random_parts, stratified_parts
from glassnet.errors import InputError
from glassnet.support.i18n import tr
from glassnet.support.registry import unknown

Seed = int | np.random.Generator
DEFAULT_FRACTIONS: Fractions = (0.7, 0.15, 0.15)
_KINDS: dict[str, Callable[[Dataset, npt.NDArray[np.float64], np.random.Generator], Parts]] = {
    "stratified": stratified_parts,
    "random": random_parts,
    "group": group_parts,
}


def split_in_order(dataset: Dataset, *counts: int) -> tuple[Dataset, ...]:
    """Cut a data set into consecutive parts of `counts` images each; the parts share its memory.

    Raises `InputError` unless the counts are positive and add up to all images.
    """
    if not counts or any(count < 1 for count in counts) or sum(counts) != len(dataset):
        raise InputError(
            tr("The counts do not divide the data set."),
            where="split_in_order(counts)",
            expected=tr("positive counts that add up to {images}, the number of images", images=len(dataset)),
            received=f"{' + '.join(map(str, counts)) or 'none'} = {sum(counts)}",
            hint=tr("dataset[:n] leaves images out"),
        )
    ends = np.cumsum(counts)
    return tuple(dataset[int(end) - count : int(end)] for end, count in zip(ends, counts, strict=True))


def split_random(dataset: Dataset, fractions: Sequence[float] = DEFAULT_FRACTIONS, seed: Seed = 0) -> tuple[Dataset, ...]:
    """Divide a data set at random into parts of these `fractions`, by largest remainder.

    Within a part the images keep their order. The same seed gives the same parts. Raises `InputError` for fractions
    that do not add up to 1 and for too few images.
    """
    return _split(dataset, "random", as_proportions(fractions, "split_random"), np.random.default_rng(seed))


def split_stratified(dataset: Dataset, fractions: Sequence[float] = DEFAULT_FRACTIONS, seed: Seed = 0) -> tuple[Dataset, ...]:
    """Divide a data set at random so that every class is divided in the same `fractions`, by largest remainder.

    Within a part the images keep their order. The same seed gives the same parts. Raises `InputError` for fractions
    that do not add up to 1, for targets without classes, and for a class with too few images; it names the class.
    """
    return _split(dataset, "stratified", as_proportions(fractions, "split_stratified"), np.random.default_rng(seed))


def split_by_group(dataset: Dataset, fractions: Sequence[float] = DEFAULT_FRACTIONS, seed: Seed = 0) -> tuple[Dataset, ...]:
    """Divide a data set so that no group (writer, photograph, …) is in two parts; `fractions` are those of the groups.

    A seeded local search keeps the classes as evenly spread as it can.
    Raises `InputError` for fractions that do not add up to 1, without groups, with too few of them, and where a class
    would be missing from the first part.
    """
    return _split(dataset, "group", as_proportions(fractions, "split_by_group"), np.random.default_rng(seed))


def split_folds(dataset: Dataset, folds: int = 5, seed: Seed = 0, by: SplitKind = "stratified") -> tuple[Dataset, ...]:
    """Divide a data set into `folds` parts of equal size, for k-fold cross-validation: stratified, random, or by group.

    Raises `InputError` as the split of that kind does, and for fewer than 2 folds.
    """
    check_fold(0, folds, "split_folds(folds)")
    return _split(dataset, by, np.full(folds, 1 / folds), np.random.default_rng(seed))


def divide(found: Splits, options: SplitOptions, default: Fractions = DEFAULT_FRACTIONS) -> Splits:
    """Splits of what a reader found, as `options` say; by default by group where there are groups, else stratified.

    Data in one part (`found.train` alone) is divided in `fractions`, or with `fold` that fold of `folds` becomes the
    test set and the rest is divided into training and validation in the proportion of the first two fractions.
    Data with a test part of its own keeps it, and its training part is divided; data with a validation part stays.
    A part with the fraction 0 is None. The same seed gives the same splits.
    Raises `InputError` for options that contradict the data's own parts, and as the splits do.
    """
    if found.validation is not None:
        if options.given:
            raise _divided_already(tr("training and validation parts"), tr("no split, fractions or fold"))
        return found
    kind = options.split or ("group" if found.train.groups is not None else "stratified")
    if options.split is None and found.classes is None and kind == "stratified":
        kind = "random"
    rng = np.random.default_rng(options.seed)
    fractions = options.fractions or default
    if found.test is not None:
        if options.fold is not None:
            raise _divided_already(tr("a test part"), tr("no fold"))
        if options.fractions is not None and options.fractions[2] != 0:
            raise _divided_already(tr("a test part"), tr("fractions whose third is 0"))
        train, validation = _in_two(found.train, fractions, kind, rng)
        return replace(found, train=train, validation=validation)
    if options.fold is None:
        parts = iter(_split(found.train, kind, _normalized([part for part in fractions if part > 0]), rng))
        train = next(parts)
        validation, test = (next(parts) if fraction > 0 else None for fraction in fractions[1:])
        return replace(found, train=train, validation=validation, test=test)
    share = 1 / options.folds
    if options.fractions is not None and fractions[2] != 0 and abs(fractions[2] - share) > 1e-6:
        raise InputError(
            tr("The test fraction is not that of a fold."),
            where="fractions",
            expected=tr("0, or {share:.6g}, as one of {folds} folds is the test set", share=share, folds=options.folds),
            received=fractions[2],
            hint=tr("leave fractions out, or say [0.9, 0.1, 0.0]: with fold, the first two divide the rest"),
        )
    part_of = _kind(kind)(found.train, np.full(options.folds, share), rng)
    test = found.train[part_of == options.fold]
    train, validation = _in_two(found.train[part_of != options.fold], fractions, kind, rng)
    return replace(found, train=train, validation=validation, test=test)


def _in_two(
    dataset: Dataset, fractions: Fractions, kind: SplitKind, rng: np.random.Generator
) -> tuple[Dataset, Dataset | None]:
    """The training and the validation part, in the proportion of the first two fractions."""
    if fractions[1] == 0:
        return dataset, None
    train, validation = _split(dataset, kind, _normalized(fractions[:2]), rng)
    return train, validation


def _normalized(fractions: Sequence[float]) -> npt.NDArray[np.float64]:
    return np.array(fractions) / sum(fractions)


def _kind(name: str) -> Callable[[Dataset, npt.NDArray[np.float64], np.random.Generator], Parts]:
    if name not in _KINDS:
        raise unknown(tr("kind of split"), name, _KINDS, "split")
    return _KINDS[name]


def _split(
    dataset: Dataset, kind: str, proportions: npt.NDArray[np.float64], rng: np.random.Generator
) -> tuple[Dataset, ...]:
    part_of = _kind(kind)(dataset, proportions, rng)
    return tuple(dataset[np.flatnonzero(part_of == part)] for part in range(int(part_of.max()) + 1))


def _divided_already(parts: str, expected: str) -> InputError:
    return InputError(
        tr("The data comes with {parts} of its own.", parts=parts),
        where="split, fractions, fold",
        expected=expected,
        received=tr("other options"),
        hint=tr("leave these options out, or bring all images together first"),
    )
