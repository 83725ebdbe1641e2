"""Dividing a data set into parts that share no picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from glassnet.data.dataset import Dataset
from glassnet.errors import InputError


def split_in_order(dataset: Dataset, *counts: int) -> tuple[Dataset, ...]:
    """Cut a data set into consecutive parts of `counts` pictures each; the parts share its memory.

    Raises `InputError` unless the counts are positive and add up to all pictures.
    """
    if not counts or any(count < 1 for count in counts) or sum(counts) != len(dataset):
        raise InputError(
            "The counts do not divide the data set.",
            where="split_in_order(counts)",
            expected=f"positive counts that add up to {len(dataset)}, the number of pictures",
            received=f"{' + '.join(map(str, counts)) or 'none'} = {sum(counts)}",
            hint="dataset[:n] leaves pictures out",
        )
    ends = np.cumsum(counts)
    return tuple(dataset[int(end) - count : int(end)] for end, count in zip(ends, counts, strict=True))


def split_stratified(
    dataset: Dataset, fractions: Sequence[float] = (0.7, 0.15, 0.15), seed: int | np.random.Generator = 0
) -> tuple[Dataset, ...]:
    """Divide a data set by chance so that every class is spread over the parts in the same `fractions`.

    Each class is shared out by largest remainder (the earlier part first where remainders are equal), so each part is
    within one picture of its exact share of each class. Within a part the pictures keep their order. The same seed
    gives the same parts. Raises `InputError` for fractions that do not add up to 1, for targets without classes, and
    for a class with too few pictures to appear in every part; it names the class.
    """
    shares = np.array(fractions, dtype=np.float64)
    if shares.ndim != 1 or not shares.size or not (shares > 0).all() or abs(shares.sum() - 1) > 1e-9:
        raise InputError(
            "The fractions do not divide the data set.",
            where="split_stratified(fractions)",
            expected="positive fractions that add up to 1",
            received=tuple(fractions),
            hint="split_stratified(dataset, (0.7, 0.15, 0.15))",
        )
    if dataset.classes is None:
        raise InputError(
            "Only a data set with classes can be split by class.",
            where="split_stratified(dataset)",
            expected="labels that are class indices",
            received=f"targets of shape {dataset.labels.shape}",
            hint="split_in_order",
        )
    rng = np.random.default_rng(seed)
    part_of = np.empty(len(dataset), dtype=np.intp)
    for index, name in enumerate(dataset.classes):
        members = np.flatnonzero(dataset.labels == index)
        counts = _largest_remainder(len(members), shares)
        if not counts.all():
            certain = int(np.ceil(1 / shares.min()))
            tried = range(len(members) + 1, min(certain, 1000))
            enough = next((n for n in tried if _largest_remainder(n, shares).all()), certain)
            raise InputError(
                f"Class {name!r} has too few pictures to appear in every part.",
                where=f"split_stratified(dataset), class {index}",
                expected=f"at least {enough} pictures, for {len(shares)} parts of {tuple(fractions)}",
                received=f"{len(members)} pictures",
                hint="add pictures of this class, leave the class out, or take fewer or more even parts",
            )
        part_of[rng.permutation(members)] = np.repeat(np.arange(len(shares)), counts)
    return tuple(dataset[np.flatnonzero(part_of == part)] for part in range(len(shares)))


def _largest_remainder(total: int, shares: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    exact = np.round(total * shares, 9)  # rounded, so that 0.1 + 0.2 decides no tie
    counts = np.floor(exact).astype(np.intp)
    by_remainder = np.argsort(counts - exact, kind="stable")
    counts[by_remainder[: total - counts.sum()]] += 1
    return counts
