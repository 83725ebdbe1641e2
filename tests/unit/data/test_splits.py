"""Splitting: a partition, in the right proportions, the same for the same seed."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from glassnet.data import (
    Dataset,
    Splits,
    divide,
    make_chain,
    split_by_group,
    split_folds,
    split_in_order,
    split_random,
    split_stratified,
)
from glassnet.data.options import SplitOptions, as_options
from glassnet.errors import InputError


def numbered(labels: Any, classes: Any = None) -> Dataset:
    """A data set whose images and groups are the numbers 0, 1, 2, …"""
    labels = np.asarray(labels)
    numbers = np.arange(len(labels))
    return Dataset(numbers[:, np.newaxis].astype(np.float32), labels, classes, groups=numbers)


def numbers_of(dataset: Dataset) -> list[int]:
    assert dataset.groups is not None
    assert dataset.flat[:, 0].tolist() == dataset.groups.tolist()
    return [int(number) for number in dataset.groups]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_split_in_order_is_a_partition_in_order(counts: list[int]) -> None:
    dataset = numbered(np.arange(sum(counts)) % 3)
    parts = split_in_order(dataset, *counts)
    assert [len(part) for part in parts] == counts
    assert [number for part in parts for number in numbers_of(part)] == list(range(sum(counts)))
    assert all(np.shares_memory(part.images, dataset.images) for part in parts)


@pytest.mark.parametrize(("counts", "received"), [((3, 4), "3 + 4 = 7"), ((6, 0), "6 + 0 = 6"), ((), "none = 0")])
def test_split_in_order_refuses(counts: tuple[int, ...], received: str) -> None:
    with pytest.raises(InputError, match="The counts do not divide the data set") as caught:
        split_in_order(numbered([0] * 6), *counts)
    assert "add up to 6" in str(caught.value)
    assert f"received: {received}" in str(caught.value)


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    weights=st.lists(st.integers(1, 20), min_size=1, max_size=4),
    seed=st.integers(0, 2**32),
)
def test_split_stratified_is_a_partition_within_one_of_exact(sizes: list[int], weights: list[int], seed: int) -> None:
    fractions = [weight / sum(weights) for weight in weights]
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    dataset = numbered(labels)
    try:
        parts = split_stratified(dataset, fractions, seed)
    except InputError as error:
        name = re.search(r"Class '(\d+)' has too few images", str(error))
        assert name
        assert sizes[int(name[1])] * min(fractions) < 1  # an exact share of one image or more never fails
        return
    together = [number for part in parts for number in numbers_of(part)]
    assert sorted(together) == list(range(len(dataset)))
    for part, fraction in zip(parts, fractions, strict=True):
        assert numbers_of(part) == sorted(numbers_of(part))
        assert (part.counts > 0).all()
        assert np.abs(part.counts - np.array(sizes) * fraction).max() < 1
    again = split_stratified(dataset, fractions, np.random.default_rng(seed))
    assert [numbers_of(part) for part in again] == [numbers_of(part) for part in parts]


def test_other_seeds_give_other_splits() -> None:
    dataset = numbered(np.arange(200) % 4)
    first, second = (numbers_of(split_stratified(dataset, (0.5, 0.5), seed)[0]) for seed in (1, 2))
    assert first != second
    assert 0.3 < np.mean([number < 100 for number in first]) < 0.7  # by chance, not the front half


def test_largest_remainder_by_hand() -> None:
    parts = split_stratified(numbered([0] * 10 + [1] * 9), (0.7, 0.15, 0.15))
    # 10: 7, 1.5, 1.5 → the earlier of equal remainders; 9: 6.3, 1.35, 1.35 → 6, 1, 1 and one more
    assert [part.counts.tolist() for part in parts] == [[7, 6], [2, 2], [1, 1]]


def test_rounding_decides_no_tie() -> None:
    """3.75, 3.75, 3.75 and 13.75: the last is not the largest because 25 · 0.55 is 13.750000000000002."""
    parts = split_random(numbered([0] * 25), (0.15, 0.15, 0.15, 0.55))
    assert [len(part) for part in parts] == [4, 4, 4, 13]


def test_a_class_that_is_too_small_is_named() -> None:
    with pytest.raises(InputError, match="Class 'rare' has too few images to appear in every part") as caught:
        split_stratified(numbered([0] * 20 + [1] * 3, ["common", "rare"]))
    for part in ("class 1", "at least 5 images, for 3 parts of (0.7, 0.15, 0.15)", "received: 3 images", "try:"):
        assert part in str(caught.value)
    with pytest.raises(InputError, match=r"(?s)Class 'none'.*received: 0 images"):
        split_stratified(numbered([0] * 20, ["common", "none"]))
    with pytest.raises(InputError, match="at least 1000000 images"):
        split_stratified(numbered([0] * 20), (0.999999, 0.000001))


@pytest.mark.parametrize("fractions", [(0.5, 0.4), (1.2, -0.2), (1.0, 0.0), (), (float("nan"), 0.5)])
def test_fractions_that_are_refused(fractions: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="The fractions do not divide the data set") as caught:
        split_stratified(numbered([0] * 6), fractions)
    assert "positive fractions that add up to 1" in str(caught.value)
    assert f"received: {fractions}" in str(caught.value)


def test_targets_can_not_be_stratified() -> None:
    with pytest.raises(InputError, match=r"(?s)Only a data set with classes.*shape \(2, 1\).*split_in_order"):
        split_stratified(make_chain().train)


# ------------------------------------------------------------------ by chance, by group, in folds


def grouped(groups: Any, labels: Any = None, classes: Any = None) -> Dataset:
    """A data set with groups whose images are the numbers 0, 1, 2, …"""
    numbers = np.arange(len(groups))[:, np.newaxis].astype(np.float32)
    return Dataset(numbers, np.zeros(len(groups), int) if labels is None else labels, classes, groups=np.asarray(groups))


@given(count=st.integers(2, 300), seed=st.integers(0, 2**32))
def test_split_random_is_a_partition_of_the_right_sizes(count: int, seed: int) -> None:
    dataset = numbered(np.arange(count) % 2)
    parts = split_random(dataset, (0.5, 0.5), seed)
    assert sorted(number for part in parts for number in numbers_of(part)) == list(range(count))
    assert len(parts[0]) - len(parts[1]) in (0, 1)
    assert [numbers_of(part) for part in split_random(dataset, (0.5, 0.5), seed)] == [numbers_of(part) for part in parts]
    with pytest.raises(InputError, match=r"(?s)too few images for one in every part.*at least \d+ images"):
        split_random(dataset, (1 - 1e-4, 1e-4))


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 12), min_size=4, max_size=40),
    weights=st.lists(st.integers(1, 4), min_size=2, max_size=3),
    seed=st.integers(0, 2**32),
    words=st.booleans(),
)
def test_no_group_is_in_two_parts(sizes: list[int], weights: list[int], seed: int, words: bool) -> None:
    fractions = [weight / sum(weights) for weight in weights]
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    dataset = grouped([f"writer {group}" for group in groups] if words else groups)
    if len(sizes) * min(fractions) < 1:
        with contextlib.suppress(InputError):  # too few groups, perhaps
            split_by_group(dataset, fractions, seed)
        return
    parts = split_by_group(dataset, fractions, seed)
    assert sorted(int(number) for part in parts for number in part.flat[:, 0]) == list(range(len(dataset)))
    held = [set(np.unique(part.groups)) for part in parts]
    assert sum(map(len, held)) == len(sizes)
    assert len(set().union(*held)) == len(sizes)
    for some, fraction in zip(held, fractions, strict=True):
        assert abs(len(some) - len(sizes) * fraction) < 1  # the fractions are those of groups
    again = split_by_group(dataset, fractions, seed)
    assert [part.flat.tolist() for part in again] == [part.flat.tolist() for part in parts]


def test_groups_are_chosen_so_that_classes_are_even() -> None:
    # twenty groups of one class each and one large one: by chance the parts would differ widely
    groups = np.repeat(np.arange(40), 5)
    labels = (groups >= 20).astype(int)
    uneven, held = [], set()
    for seed in range(20):
        first, second = split_by_group(grouped(groups, labels), (0.5, 0.5), seed)
        uneven.append(abs(first.counts - second.counts).max())
        held.add(tuple(np.unique(first.groups)))
    assert max(uneven) == 0
    assert len(held) > 10  # by chance nevertheless


def test_split_by_group_refuses() -> None:
    with pytest.raises(InputError, match="There are no groups to split by"):
        split_by_group(Dataset(np.zeros((4, 2)), [0, 1, 0, 1]))
    with pytest.raises(InputError, match=r"(?s)too few groups.*at least 3 groups.*received: 2 groups"):
        split_by_group(grouped([1, 1, 2]), (0.4, 0.3, 0.3))
    with pytest.raises(InputError, match="The fractions do not divide the data set"):
        split_by_group(grouped([1, 1, 2]), (0.4, 0.3))


@pytest.mark.parametrize("by", ["stratified", "random", "group"])
def test_folds(by: Any) -> None:
    groups = np.repeat(np.arange(20), 5)
    dataset = grouped(groups, np.arange(100) % 5)
    folds = split_folds(dataset, 4, seed=3, by=by)
    assert [len(fold) for fold in folds] == [25] * 4
    assert sorted(int(number) for fold in folds for number in fold.flat[:, 0]) == list(range(100))
    if by != "random":
        assert all(fold.counts.tolist() == [5] * 5 for fold in folds)
    assert len(split_folds(dataset)) == 5
    with pytest.raises(InputError, match="There is no such fold"):
        split_folds(dataset, 1)
    with pytest.raises(InputError, match="Unknown kind of split"):
        split_folds(dataset, 2, by="groups")  # type: ignore[arg-type]


def options(**given: Any) -> SplitOptions:
    return as_options(**given)


def test_divide_in_one_part() -> None:
    pool = numbered(np.arange(100) % 2)
    plain = Dataset(pool.images, pool.labels)
    found = Splits(plain, left_out=("a.png",))
    splits = divide(found, options())
    assert splits.validation is not None
    assert splits.test is not None
    assert [part.counts.tolist() for part in (splits.train, splits.validation, splits.test)] == [[35, 35], [8, 8], [7, 7]]
    assert splits.left_out == ("a.png",)
    splits = divide(found, options(fractions=(0.8, 0, 0.2)))
    assert splits.validation is None
    assert splits.test is not None
    assert (len(splits.train), len(splits.test)) == (80, 20)
    splits = divide(found, options(fractions=(0.9, 0.1, 0), split="random"))
    assert splits.test is None
    assert splits.validation is not None
    assert (len(splits.train), len(splits.validation)) == (90, 10)
    assert len(divide(Splits(pool), options()).train) == 70  # by group: each image is its own
    with pytest.raises(InputError, match="There are no groups"):
        divide(found, options(split="group"))
    fits = Dataset(np.zeros((10, 2)), np.zeros((10, 1)))
    assert len(divide(Splits(fits), options()).train) == 7  # targets can only be divided by chance


def test_divide_in_folds() -> None:
    found = Splits(Dataset(np.arange(100.0).reshape(-1, 1), np.arange(100) % 2))
    seen: list[float] = []
    for fold in range(5):
        splits = divide(found, options(fold=fold, fractions=(0.9, 0.1, 0)))
        assert splits.validation is not None
        assert splits.test is not None
        parts = [part.flat[:, 0].tolist() for part in (splits.train, splits.validation, splits.test)]
        assert [len(part) for part in parts] == [72, 8, 20]
        assert len({number for part in parts for number in part}) == 100
        seen += parts[2]
    assert sorted(seen) == list(range(100))
    assert divide(found, options(fold=1, fractions=(0.8, 0, 0.2))).validation is None
    with pytest.raises(InputError, match=r"(?s)The test fraction is not that of a fold.*0, or 0.25"):
        divide(found, options(fold=1, folds=4, fractions=(0.8, 0, 0.2)))


def test_divide_by_group_folds_and_validation() -> None:
    groups = np.repeat(np.arange(30), 4)
    splits = divide(Splits(grouped(groups, np.arange(120) % 4)), options(fold=2, fractions=(0.75, 0.25, 0)))
    assert splits.validation is not None
    assert splits.test is not None
    held = [set(np.unique(part.groups)) for part in (splits.train, splits.validation, splits.test)]
    assert [len(some) for some in held] == [18, 6, 6]
    assert len(set().union(*held)) == 30
