"""Dividing a data set into parts that share no image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from glassnet.data.dataset import Dataset, Splits
from glassnet.data.options import Fractions, SplitKind, SplitOptions, check_fold
from glassnet.errors import InputError
from glassnet.support.i18n import mark, tr
from glassnet.support.registry import unknown

Seed = int | np.random.Generator
Parts = npt.NDArray[np.intp]  # the number of each image's part
DEFAULT_FRACTIONS: Fractions = (0.7, 0.15, 0.15)
EVERY_CLASS = "every-class"  # stratified, with every class in every part where that is possible; the default
_MOST_SWAPS = 40_000


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
    return _split(dataset, "random", _proportions(fractions, "split_random"), np.random.default_rng(seed))


def split_stratified(dataset: Dataset, fractions: Sequence[float] = DEFAULT_FRACTIONS, seed: Seed = 0) -> tuple[Dataset, ...]:
    """Divide a data set at random so that every class is divided in the same `fractions`, by largest remainder.

    Within a part the images keep their order. The same seed gives the same parts. Raises `InputError` for fractions
    that do not add up to 1, for targets without classes, and for a class with too few images; it names the class.
    """
    return _split(dataset, "stratified", _proportions(fractions, "split_stratified"), np.random.default_rng(seed))


def split_by_group(dataset: Dataset, fractions: Sequence[float] = DEFAULT_FRACTIONS, seed: Seed = 0) -> tuple[Dataset, ...]:
    """Divide a data set so that no group (writer, photograph, …) is in two parts; `fractions` are those of the groups.

    A seeded local search keeps the classes as evenly spread as it can.
    Raises `InputError` for fractions that do not add up to 1, without groups, with too few of them, and where a class
    would be missing from the first part.
    """
    return _split(dataset, "group", _proportions(fractions, "split_by_group"), np.random.default_rng(seed))


def split_folds(dataset: Dataset, folds: int = 5, seed: Seed = 0, by: SplitKind = "stratified") -> tuple[Dataset, ...]:
    """Divide a data set into `folds` parts of equal size, for k-fold cross-validation: stratified, random, or by group.

    Raises `InputError` as the split of that kind does, and for fewer than 2 folds.
    """
    part_of = fold_of_each(dataset, folds, seed, by)
    return tuple(dataset[np.flatnonzero(part_of == fold)] for fold in range(folds))


def fold_of_each(dataset: Dataset, folds: int = 5, seed: Seed = 0, by: SplitKind = "stratified") -> Parts:
    """The fold of each image `(N,)`, 0 to `folds` − 1: those that `split_folds` divides into. Raises as it does."""
    check_fold(0, folds, "split_folds(folds)")
    return _kind(by)(dataset, np.full(folds, 1 / folds), np.random.default_rng(seed))


def divide(found: Splits, options: SplitOptions, default: Fractions = DEFAULT_FRACTIONS) -> Splits:
    """Splits of what a reader found, as `options` say; by default by group where there are groups, else stratified.

    By default a class with at least as many images as parts has one in each, however small its share.

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
    kind: str = options.split or ("group" if found.train.groups is not None else EVERY_CLASS)
    if kind == EVERY_CLASS and found.classes is None:
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
            hint=tr("leave fractions out, or pass [0.9, 0.1, 0.0]: with fold, the first two divide the rest"),
        )
    part_of = _kind(kind)(found.train, np.full(options.folds, share), rng)
    test = found.train[part_of == options.fold]
    train, validation = _in_two(found.train[part_of != options.fold], fractions, kind, rng)
    return replace(found, train=train, validation=validation, test=test)


def _in_two(dataset: Dataset, fractions: Fractions, kind: str, rng: np.random.Generator) -> tuple[Dataset, Dataset | None]:
    """The training and the validation part, in the proportion of the first two fractions."""
    if fractions[1] == 0:
        return dataset, None
    train, validation = _split(dataset, kind, _normalized(fractions[:2]), rng)
    return train, validation


def _normalized(fractions: Sequence[float]) -> npt.NDArray[np.float64]:
    return np.array(fractions) / sum(fractions)


def _kind(name: str) -> Callable[[Dataset, npt.NDArray[np.float64], np.random.Generator], Parts]:
    kinds = {"stratified": _stratified_parts, "random": _random_parts, "group": _group_parts, EVERY_CLASS: _every_class}
    if name not in kinds:
        raise unknown(tr("kind of split"), name, kinds, "split")
    return kinds[name]


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


def _proportions(fractions: Sequence[float], where: str) -> npt.NDArray[np.float64]:
    """The fractions as an array. Raises `InputError` unless they are positive and add up to 1."""
    proportions = np.array(fractions, dtype=np.float64)
    if proportions.ndim != 1 or not proportions.size or not (proportions > 0).all() or abs(proportions.sum() - 1) > 1e-9:
        raise InputError(
            tr("The fractions do not divide the data set."),
            where=f"{where}(fractions)",
            expected=tr("positive fractions that add up to 1"),
            received=tuple(fractions),
            hint=f"{where}(dataset, (0.7, 0.15, 0.15))",
        )
    return proportions


def _random_parts(dataset: Dataset, proportions: npt.NDArray[np.float64], rng: np.random.Generator) -> Parts:
    """Parts `(N,)` at random. Raises `InputError` where there are too few images for one in every part."""
    too_few = tr("There are too few images for one in every part.")
    return _shared_out(len(dataset), proportions, rng, mark("{count} images"), too_few, "split_random(dataset)")


def _every_class(dataset: Dataset, proportions: npt.NDArray[np.float64], rng: np.random.Generator) -> Parts:
    """`_stratified_parts` that takes from the largest part of a small class what its other parts lack."""
    return _stratified_parts(dataset, proportions, rng, even=True)


def _stratified_parts(
    dataset: Dataset, proportions: npt.NDArray[np.float64], rng: np.random.Generator, *, even: bool = False
) -> Parts:
    """Parts `(N,)`, each class shared out alike. Raises `InputError` for a class too small to be in every part."""
    if dataset.classes is None:
        where, received = "split_stratified(dataset)", tr("targets of shape {shape}", shape=dataset.labels.shape)
        what, expected = tr("Only a data set with classes can be split by class."), tr("labels that are class indices")
        raise InputError(what, where=where, expected=expected, received=received, hint="split_in_order")
    part_of = np.empty(len(dataset), dtype=np.intp)
    for index, name in enumerate(dataset.classes):
        members = np.flatnonzero(dataset.labels == index)
        too_few = tr("Class {name} has too few images to appear in every part.", name=repr(name))
        where = f"split_stratified(dataset), class {index}"
        part_of[members] = _shared_out(len(members), proportions, rng, mark("{count} images"), too_few, where, even=even)
    return part_of


def _group_parts(dataset: Dataset, proportions: npt.NDArray[np.float64], rng: np.random.Generator) -> Parts:
    """Parts `(N,)` with no group in two of them, and the classes as evenly spread as a local search finds.

    Starts from a random assignment and swaps pairs of groups while that lowers χ² between the parts' class counts and
    their expected counts.
    Raises `InputError` without groups, with too few of them, and for a class that the first part would lack.
    """
    if dataset.groups is None:
        raise InputError(
            tr("There are no groups to split by."),
            where="split_by_group(dataset)",
            expected=tr("a data set that says which images belong together (groups=), or names with (?P<group>…)"),
            received=tr("no groups"),
            hint=tr("split='stratified', or a pattern with a group named group"),
        )
    names, group_of = np.unique(dataset.groups, return_inverse=True)
    too_few = tr("There are too few groups for one in every part.")
    at_first = _shared_out(len(names), proportions, rng, mark("{count} groups"), too_few, "split_by_group(dataset)")
    classes = 1 if dataset.classes is None else len(dataset.classes)
    labels = np.zeros(len(dataset), np.intp) if dataset.classes is None else dataset.labels
    table = np.zeros((len(names), classes))  # images of each class in each group
    np.add.at(table, (group_of, labels), 1)
    part_of_group = _balanced(at_first, table, proportions, rng)
    lacking = np.flatnonzero((table[part_of_group == 0].sum(axis=0) == 0) & (table.sum(axis=0) > 0))
    if len(lacking) and dataset.classes is not None:
        raise InputError(
            tr("Class {name} is in too few groups to appear in the training part.", name=repr(dataset.classes[lacking[0]])),
            where=f"split_by_group(dataset), class {lacking[0]}",
            expected=tr("groups of this class for every part"),
            received=tr("{count} of {total} groups have it", count=int((table[:, lacking[0]] > 0).sum()), total=len(names)),
            hint=tr("another seed, a larger first fraction, or split='stratified'"),
        )
    return part_of_group[group_of].astype(np.intp)


def _balanced(
    part_of: Parts, table: npt.NDArray[np.float64], proportions: npt.NDArray[np.float64], rng: np.random.Generator
) -> Parts:
    """The groups' parts after swaps that each lower χ² of `table`'s sums `(parts, classes)`."""
    target = np.maximum(proportions[:, np.newaxis] * table.sum(axis=0), 1e-9)
    actual = np.stack([table[part_of == part].sum(axis=0) for part in range(len(proportions))])
    part_of = part_of.copy()
    for a, b in rng.integers(len(table), size=(min(_MOST_SWAPS, 200 * len(table)), 2)):
        p, q = part_of[a], part_of[b]
        if p == q:
            continue
        change = table[b] - table[a]
        rows = [p, q]
        changed = actual[rows] + np.stack([change, -change])
        before = ((actual[rows] - target[rows]) ** 2 / target[rows]).sum()
        if ((changed - target[rows]) ** 2 / target[rows]).sum() < before - 1e-9:
            actual[rows] = changed
            part_of[a], part_of[b] = q, p
    return part_of


def _shared_out(
    total: int,
    proportions: npt.NDArray[np.float64],
    rng: np.random.Generator,
    amount: str,
    too_few: str,
    where: str,
    *,
    even: bool = False,
) -> Parts:
    """Parts `(total,)` at random, of sizes in proportion. Raises `InputError` where a part gets nothing."""
    counts = _largest_remainder(total, proportions)
    while even and total >= len(counts) and not counts.all():
        counts[[counts.argmin(), counts.argmax()]] += 1, -1
    if not counts.all():
        certain = int(np.ceil(1 / proportions.min()))
        tried = range(total + 1, min(certain, 1000))
        enough = len(counts) if even else next((n for n in tried if _largest_remainder(n, proportions).all()), certain)
        parts = tr("{count} parts of {shares}", count=len(proportions), shares=tuple(round(float(p), 6) for p in proportions))
        raise InputError(
            too_few,
            where=where,
            expected=tr("at least {amount}, for {parts}", amount=tr(amount, count=enough), parts=parts),
            received=tr(amount, count=total),
            hint=tr("add images, or take fewer or more even parts"),
        )
    part_of = np.empty(total, dtype=np.intp)
    part_of[rng.permutation(total)] = np.repeat(np.arange(len(counts)), counts)
    return part_of


def _largest_remainder(total: int, proportions: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    exact = np.round(total * proportions, 9)  # rounded, so that 0.1 + 0.2 decides no tie
    counts = np.floor(exact).astype(np.intp)
    by_remainder = np.argsort(counts - exact, kind="stable")
    counts[by_remainder[: total - counts.sum()]] += 1
    return counts
