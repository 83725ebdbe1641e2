"""Options of `load_dataset`: what is taken, and how what is wrong is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

from glassnet.data import load_dataset
from glassnet.data.options import ReadOptions, as_options
from glassnet.errors import InputError


def test_defaults_and_all_given() -> None:
    options = as_options()
    assert options == ReadOptions()
    assert (options.size, options.color, options.fit) == (None, None, "stretch")
    assert (options.split, options.fractions, options.fold, options.folds, options.seed) == (None, None, None, 5, 0)
    assert not options.given
    options = as_options(
        size=(4, 6), color="rgb", fit="pad", pattern="(?P<label>x)", split="random", fractions=(2 / 3, 1 / 3, 0), seed=3
    )
    assert (options.size, options.color, options.fit) == ((4, 6), "rgb", "pad")
    assert (options.split, options.fractions, options.fold, options.folds, options.seed) == (
        "random", (2 / 3, 1 / 3, 0.0), None, 5, 3
    )  # fmt: skip
    assert options.pattern == re.compile("(?P<label>x)")
    assert as_options(size=8).size == as_options(size=[8, 8]).size == (8, 8)
    assert as_options(fold=2, folds=3).given


@pytest.mark.parametrize(
    ("given", "what", "where"),
    [
        *(
            ({"size": size}, "This is not an image size.", "size")
            for size in (0, -3, (4,), (4, 0), (4.0, 4), "64", 10**6, True)
        ),
        ({"color": "gray"}, "Unknown color.", "color"),
        ({"fit": "squeeze"}, "Unknown fit.", "fit"),
        ({"fit": None}, "Unknown fit.", "fit"),
        ({"split": "groups"}, "Unknown split.", "split"),
        ({"pattern": "(?P<label>"}, "The pattern is not a regular expression.", "pattern"),
        ({"pattern": 3}, "The pattern is not a regular expression.", "pattern"),
        ({"pattern": r"\d+"}, "The pattern has no group named label.", "pattern"),
        *(
            ({"fractions": fractions}, "The fractions do not divide the data set.", "fractions")
            for fractions in ((0.5, 0.5), (0, 0.5, 0.5), (0.5, 0.3, 0.3), (1.1, -0.1, 0), (float("nan"), 0, 1), "abc", 1.0)
        ),
        ({"fold": 5}, "There is no such fold.", "fold"),
        ({"fold": -1}, "There is no such fold.", "fold"),
        ({"fold": 0, "folds": 1}, "There is no such fold.", "fold"),
        ({"fold": "first"}, "There is no such fold.", "fold"),
        ({"folds": 3}, "folds needs fold, the number of the fold that is the test set.", "fold"),
        ({"seed": -1}, "A seed is a whole number of at least 0.", "seed"),
        ({"seed": 1.5}, "A seed is a whole number of at least 0.", "seed"),
    ],
)  # fmt: skip
def test_refused(given: dict[str, Any], what: str, where: str) -> None:
    with pytest.raises(InputError) as caught:
        load_dataset("digits", **given)
    assert caught.value.what == what
    assert caught.value.where == f"load_dataset({where})"
    assert caught.value.received is not None
    assert caught.value.expected is not None


def test_a_near_name_is_the_hint() -> None:
    with pytest.raises(InputError, match="did you mean 'grey'"):
        load_dataset("digits", color="gray")
    with pytest.raises(InputError, match="did you mean 'group'"):
        load_dataset("digits", split="groups")
