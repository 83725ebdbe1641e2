"""Splitting: a partition, in the right proportions, the same for the same seed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassnet.data import Dataset, make_chain, split_in_order, split_stratified
from glassnet.errors import InputError


def numbered(labels: Any, classes: Any = None) -> Dataset:
    """A data set whose pictures and groups are the numbers 0, 1, 2, …"""
    labels = np.asarray(labels)
    numbers = np.arange(len(labels))
    return Dataset(numbers[:, np.newaxis].astype(np.float32), labels, classes, groups=numbers)


def numbers_of(dataset: Dataset) -> list[int]:
    assert dataset.groups is not None
    assert dataset.flat[:, 0].tolist() == dataset.groups.tolist()
    return [int(number) for number in dataset.groups]


@settings(deadline=None)
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


@settings(deadline=None)
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
        name = re.search(r"Class '(\d+)' has too few pictures", str(error))
        assert name
        assert sizes[int(name[1])] * min(fractions) < 1  # an exact share of one picture or more never fails
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


def test_a_class_that_is_too_small_is_named() -> None:
    with pytest.raises(InputError, match="Class 'rare' has too few pictures to appear in every part") as caught:
        split_stratified(numbered([0] * 20 + [1] * 3, ["common", "rare"]))
    for part in ("class 1", "at least 5 pictures, for 3 parts of (0.7, 0.15, 0.15)", "received: 3 pictures", "try:"):
        assert part in str(caught.value)
    with pytest.raises(InputError, match=r"(?s)Class 'none'.*received: 0 pictures"):
        split_stratified(numbered([0] * 20, ["common", "none"]))
    with pytest.raises(InputError, match="at least 1000000 pictures"):
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
