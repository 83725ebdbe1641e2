"""Numbers that JSON has no word for come back from its lines, and everything else as it was."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from glassnet.support.strict_json import line, numbers, plain


def test_what_is_not_finite_is_a_word() -> None:
    value = {"cost": float("nan"), "norms": [float("inf"), (-float("inf"), 1.5)], "deep": {"w": np.float64("inf")}}
    assert plain(value) == {"cost": "NaN", "norms": ["Infinity", ["-Infinity", 1.5]], "deep": {"w": "Infinity"}}
    assert line(value) == '{"cost": "NaN", "norms": ["Infinity", ["-Infinity", 1.5]], "deep": {"w": "Infinity"}}\n'


@pytest.mark.parametrize(
    "value",
    [
        {"cost": float("inf"), "norms": {"w": [float("-inf"), float("nan"), 0.5]}},
        {"stopped": "the cost was no longer finite", "names": ["nan", "inf", "", "12", "零"]},
        {"epoch": 3, "accuracy": None, "finite": True, "none": []},
        [],
    ],
)
def test_all_comes_back(value: Any) -> None:
    found = numbers(json.loads(line(value)))
    np.testing.assert_equal(found, value)  # to which NaN equals NaN
    assert repr(found) == repr(value)  # and of the same kinds: 3 is not 3.0
