"""The part of each image in a split, as arrays of part numbers: at random, by class or by group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from glassnet.data.dataset import Dataset
from glassnet.errors import InputError
from glassnet.support.i18n import mark, tr

Parts = npt.NDArray[np.intp]
_MOST_SWAPS = 40_000


def as_proportions(fractions: Sequence[float], where: str) -> npt.NDArray[np.float64]:
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


def random_parts(dataset: Dataset, proportions: npt.NDArray[np.float64], rng: np.random.Generator) -> Parts:
    """Parts `(N,)` at random. Raises `InputError` where there are too few images for one in every part."""
    too_few = tr("There are too few images for one in every part.")
    return _shared_out(len(dataset), proportions, rng, mark("{count} images"), too_few, "split_random(dataset)")


def stratified_parts(dataset: Dataset, proportions: npt.NDArray[np.float64], rng: np.random.Generator) -> Parts:
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
        part_of[members] = _shared_out(len(members), proportions, rng, mark("{count} images"), too_few, where)
    return part_of


def group_parts(dataset: Dataset, proportions: npt.NDArray[np.float64], rng: np.random.Generator) -> Parts:
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
    total: int, proportions: npt.NDArray[np.float64], rng: np.random.Generator, amount: str, too_few: str, where: str
) -> Parts:
    """Parts `(total,)` at random, of sizes in proportion. Raises `InputError` where a part gets nothing."""
    counts = _largest_remainder(total, proportions)
    if not counts.all():
        certain = int(np.ceil(1 / proportions.min()))
        tried = range(total + 1, min(certain, 1000))
        enough = next((n for n in tried if _largest_remainder(n, proportions).all()), certain)
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
