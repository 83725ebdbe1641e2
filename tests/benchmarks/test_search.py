"""The benchmark of searches: both sides search the same points and learn."""

from __future__ import annotations

from benchmarks import search


def test_what_is_not_training() -> None:
    text = search.overhead("random", 3, 2)
    assert text.startswith("random, 2 epochs: 3 trials of ")
    assert text.endswith(" % outside training")


def test_both_search_the_same_grid() -> None:
    for seconds, accuracy in (search.ours("digits", quick=True), search.theirs("digits", quick=True)):
        assert seconds > 0
        assert accuracy > 0.9
