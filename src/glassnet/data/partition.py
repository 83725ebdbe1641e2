"""Which image goes to which part: arrays of part numbers, by chance, by class, and by group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from glassnet.data.dataset import Dataset
from glassnet.errors import InputError
from glassnet.support.i18n import tr

Parts = npt.NDArray[np.intp]
_MOST_SWAPS = 40_000


def as_shares(fractions: Sequence[float], where: str) -> npt.NDArray[np.float64]:
    """The fractions as an array. Raises `InputError` unless they are positive and add up to 1."""
    shares = np.array(fractions, dtype=np.float64)
    if shares.ndim != 1 or not shares.size or not (shares > 0).all() or abs(shares.sum() - 1) > 1e-9:
        raise InputError(
            tr("The fractions do not divide the data set."),
            where=f"{where}(fractions)",
            expected=tr("positive fractions that add up to 1"),
            received=tuple(fractions),
            hint=f"{where}(dataset, (0.7, 0.15, 0.15))",
        )
    return shares


def random_parts(dataset: Dataset, shares: npt.NDArray[np.float64], rng: np.random.Generator) -> Parts:
    """Parts `(N,)` by chance alone. Raises `InputError` where there are too few images for one in every part."""
    counts = _largest_remainder(len(dataset), shares)
    if not counts.all():
        raise InputError(
            tr("There are too few images for one in every part."),
            where="split_random(dataset)",
            expected=tr("at least {least} images, for {shares}", least=_enough(len(dataset), shares), shares=_named(shares)),
            received=tr("{images} images", images=len(dataset)),
            hint=tr("add images, or take fewer or more even parts"),
        )
    return _dealt(rng.permutation(len(dataset)), counts)


def stratified_parts(dataset: Dataset, shares: npt.NDArray[np.float64], rng: np.random.Generator) -> Parts:
    """Parts `(N,)`, each class shared out alike. Raises `InputError` for a class too small to be in every part."""
    if dataset.classes is None:
        raise InputError(
            tr("Only a data set with classes can be split by class."),
            where="split_stratified(dataset)",
            expected=tr("labels that are class indices"),
            received=tr("targets of shape {shape}", shape=dataset.labels.shape),
            hint="split_in_order",
        )
    part_of = np.empty(len(dataset), dtype=np.intp)
    for index, name in enumerate(dataset.classes):
        members = np.flatnonzero(dataset.labels == index)
        counts = _largest_remainder(len(members), shares)
        if not counts.all():
            raise InputError(
                tr("Class {name} has too few images to appear in every part.", name=repr(name)),
                where=f"split_stratified(dataset), class {index}",
                expected=tr(
                    "at least {least} images, for {shares}", least=_enough(len(members), shares), shares=_named(shares)
                ),
                received=tr("{images} images", images=len(members)),
                hint=tr("add images of this class, leave the class out, or take fewer or more even parts"),
            )
        part_of[members] = _dealt(rng.permutation(len(members)), counts)
    return part_of


def group_parts(dataset: Dataset, shares: npt.NDArray[np.float64], rng: np.random.Generator) -> Parts:
    """Parts `(N,)` with no group in two of them; the groups are shared out, the classes kept as even as can be found.

    Begins with groups dealt by chance and swaps pairs between parts as long as that brings the parts' numbers of
    images of each class closer to their shares (χ²): the same seed finds the same parts.
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
    counts = _largest_remainder(len(names), shares)
    if not counts.all():
        raise InputError(
            tr("There are too few groups for one in every part."),
            where="split_by_group(dataset)",
            expected=tr("at least {least} groups, for {shares}", least=_enough(len(names), shares), shares=_named(shares)),
            received=tr("{names} groups", names=len(names)),
            hint=tr("take fewer or more even parts, or split='stratified'"),
        )
    classes = 1 if dataset.classes is None else len(dataset.classes)
    labels = np.zeros(len(dataset), np.intp) if dataset.classes is None else dataset.labels
    table = np.zeros((len(names), classes))  # images of each class in each group
    np.add.at(table, (group_of, labels), 1)
    part_of_group = _evened(_dealt(rng.permutation(len(names)), counts), table, shares, rng)
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


def _evened(
    part_of: Parts, table: npt.NDArray[np.float64], shares: npt.NDArray[np.float64], rng: np.random.Generator
) -> Parts:
    """The groups' parts after swaps that each bring `table`'s sums `(parts, classes)` closer to the shares of it."""
    wanted = np.maximum(shares[:, np.newaxis] * table.sum(axis=0), 1e-9)
    have = np.stack([table[part_of == part].sum(axis=0) for part in range(len(shares))])
    part_of = part_of.copy()
    for a, b in rng.integers(len(table), size=(min(_MOST_SWAPS, 200 * len(table)), 2)):
        p, q = part_of[a], part_of[b]
        if p == q:
            continue
        change = table[b] - table[a]
        rows = [p, q]
        changed = have[rows] + np.stack([change, -change])
        before = ((have[rows] - wanted[rows]) ** 2 / wanted[rows]).sum()
        if ((changed - wanted[rows]) ** 2 / wanted[rows]).sum() < before - 1e-9:
            have[rows] = changed
            part_of[a], part_of[b] = q, p
    return part_of


def _dealt(order: npt.NDArray[np.intp], counts: npt.NDArray[np.intp]) -> Parts:
    part_of = np.empty(len(order), dtype=np.intp)
    part_of[order] = np.repeat(np.arange(len(counts)), counts)
    return part_of


def _enough(found: int, shares: npt.NDArray[np.float64]) -> int:
    """The least number above `found` that gives every part at least one."""
    certain = int(np.ceil(1 / shares.min()))
    tried = range(found + 1, min(certain, 1000))
    return next((n for n in tried if _largest_remainder(n, shares).all()), certain)


def _named(shares: npt.NDArray[np.float64]) -> str:
    return tr("{count} parts of {shares}", count=len(shares), shares=tuple(round(float(share), 6) for share in shares))


def _largest_remainder(total: int, shares: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    exact = np.round(total * shares, 9)  # rounded, so that 0.1 + 0.2 decides no tie
    counts = np.floor(exact).astype(np.intp)
    by_remainder = np.argsort(counts - exact, kind="stable")
    counts[by_remainder[: total - counts.sum()]] += 1
    return counts
