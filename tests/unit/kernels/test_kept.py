"""The fingerprint of weights: any change of one word, and those of several that simple sums would miss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from glassnet.kernels.sizes import KEPT_WORDS

Array = np.ndarray[Any, Any]


class Kept:
    """Two stretches of floats, and their fingerprint."""

    def __init__(self, kernels: Any, *stretches: Array) -> None:
        self.keep, self.stretches = kernels["glassnet_keep"], stretches
        self.table = np.array([(values.ctypes.data, values.size // 2) for values in stretches], np.int64)
        self.kept = np.zeros(2 * KEPT_WORDS + 1, np.int64)

    def changed(self) -> bool:
        self.keep(self.table.ctypes.data, len(self.stretches), self.kept.ctypes.data)
        return bool(self.kept[-1])


def floats(size: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(2 * size).astype(np.float32)


@settings(max_examples=60)
@given(sizes=st.lists(st.integers(1, 200), min_size=1, max_size=3), data=st.data())
def test_a_bit_of_any_word_is_seen(kernels: Any, sizes: list[int], data: st.DataObject) -> None:
    kept = Kept(kernels, *(floats(size, number) for number, size in enumerate(sizes)))
    assert kept.changed()  # since there was none
    assert not kept.changed()
    stretch = data.draw(st.sampled_from(kept.stretches)).view(np.uint32)
    place, bit = data.draw(st.integers(0, stretch.size - 1)), data.draw(st.integers(0, 31))
    stretch[place] ^= np.uint32(1 << bit)
    assert kept.changed()
    assert not kept.changed()
    stretch[place] ^= np.uint32(1 << bit)
    assert kept.changed()


def negated(values: Array) -> None:
    values *= -1


def swapped(values: Array) -> None:
    """Words that belong to one sum."""
    blocks = values.reshape(-1, 2 * KEPT_WORDS)
    blocks[[0, -1]] = blocks[[-1, 0]]


def two_signs(values: Array) -> None:
    values[[1, 1 + 2 * KEPT_WORDS]] *= -1


def two_halved_and_doubled(values: Array) -> None:
    values[1] *= 2
    values[1 + 2 * KEPT_WORDS] /= 2


def rolled(values: Array) -> None:
    values[...] = np.roll(values, 2 * KEPT_WORDS)


@pytest.mark.parametrize("change", [negated, swapped, two_signs, two_halved_and_doubled, rolled])
@pytest.mark.parametrize("powers", [False, True])
def test_changes_that_sums_would_miss_are_seen(kernels: Any, change: Callable[[Array], None], powers: bool) -> None:
    values = floats(8 * KEPT_WORDS)
    if powers:  # with many zeros among their bits
        values[...] = np.exp2(np.floor(values))
    kept = Kept(kernels, values)
    kept.changed()
    change(values)
    assert kept.changed()


def test_what_lies_beside_a_stretch_does_not_count(kernels: Any) -> None:
    values = floats(100)
    kept = Kept(kernels, values[20:120])
    kept.changed()
    values[:20], values[120:] = 7, 7
    assert not kept.changed()
