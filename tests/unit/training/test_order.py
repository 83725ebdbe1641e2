"""The order of the images in an epoch."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glassnet.training import order
from glassnet.training.order import EpochOrder


def drawn(seed: int, count: int, block: int | None, image_bytes: int = 1) -> EpochOrder:
    return EpochOrder.draw(np.random.default_rng([seed, 1, 0]), count, block, image_bytes)


@given(seed=st.integers(0, 2**32), count=st.integers(1, 500), block=st.integers(1, 600), blocks=st.integers(1, 40))
def test_windows_of_whole_blocks_hold_every_image_once(seed: int, count: int, block: int, blocks: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "WINDOW", block * blocks * 3)
        found, again = drawn(seed, count, block, 3), drawn(seed, count, block, 3)
    assert np.array_equal(np.sort(found.images), np.arange(count))
    assert np.array_equal(found.images, again.images)
    assert found.ends[-1] == count
    starts = [0, *found.ends[:-1]]
    for number, (start, end, ranges) in enumerate(zip(starts, found.ends, found.ranges, strict=True)):
        assert [found.window(place) for place in (start, end - 1)] == [number, number]
        inside = np.concatenate([np.arange(*bounds) for bounds in ranges])
        assert np.array_equal(np.sort(found.images[start:end]), inside)
        if len(found.ends) > 1:
            assert all(first % block == 0 and last == min(first + block, count) for first, last in ranges)
            assert len(ranges) == blocks or number == len(found.ends) - 1
    assert len(found.ends) == ceil(ceil(count / block) / blocks)


@given(seed=st.integers(0, 2**32), count=st.integers(1, 5000))
def test_without_blocks_and_within_one_window_it_is_a_permutation_of_the_whole_set(seed: int, count: int) -> None:
    wanted = np.random.default_rng([seed, 1, 0]).permutation(count)
    for block in (None, 1, 7, count, 2 * count):
        found = drawn(seed, count, block, 784)
        assert np.array_equal(found.images, wanted)
        assert (found.ends, found.ranges) == ([count], [[(0, count)]])


def test_blocks_and_images_are_shuffled_anew_in_every_epoch() -> None:
    megabyte = 1 << 20
    epochs = [EpochOrder.draw(np.random.default_rng([5, epoch, 0]), 1000, 4, megabyte // 4) for epoch in (1, 2)]
    assert [len(epoch.ends) for epoch in epochs] == [4, 4]  # 250 blocks of 1 MiB, 64 of them in a window
    assert epochs[0].ends == [256, 512, 768, 1000]
    first, second = ({start for start, _ in epoch.ranges[0]} for epoch in epochs)
    assert first != second
    neighbours = np.abs(np.diff(epochs[0].images[:256])) == 1
    assert neighbours.mean() < 0.05


def test_a_block_larger_than_a_window_is_a_window() -> None:
    found = drawn(1, 100, 30, order.WINDOW)
    assert sorted(np.diff([0, *found.ends]).tolist()) == [10, 30, 30, 30]
    assert all(len(ranges) == 1 for ranges in found.ranges)
