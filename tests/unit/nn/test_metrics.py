"""Counts of right and wrong, worked by hand."""

from __future__ import annotations

import json
from math import isnan

import numpy as np
import pytest

from glassnet.network import Network
from glassnet.nn import Scale
from glassnet.nn.metrics import Evaluation, Spread, confusion_matrix

LABELS, FOUND = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 0, 0])


def test_confusion_counts_what_is_by_what_it_was_called() -> None:
    np.testing.assert_array_equal(confusion_matrix(LABELS, FOUND, 3), [[2, 1, 0], [1, 1, 0], [1, 0, 0]])


def test_evaluation() -> None:
    found = Evaluation(0.25, 3, 6, confusion_matrix(LABELS, FOUND, 3), ("a", "b", "c"))
    assert found.accuracy == 0.5
    first, second, third = found.per_class
    assert (first.name, first.total, first.correct, first.precision) == ("a", 3, 2, 0.5)
    assert first.recall == pytest.approx(2 / 3)
    assert (second.precision, second.recall) == (0.5, 0.5)
    assert isnan(third.precision)  # never predicted
    assert third.recall == 0.0
    assert str(found).startswith("3 / 6 correct: 50.00 % (95 % interval 18.76–81.24), loss 0.2500")


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"), [(0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (95, 100, 0.8882, 0.9785)]
)
def test_interval_is_wilsons(correct: int, total: int, low: float, high: float) -> None:
    found = Evaluation(0.0, correct, total, np.zeros((2, 2), np.int64), ("0", "1"))
    assert found.interval == pytest.approx((low, high), abs=1e-4)


def test_spread_of_seeds() -> None:
    """Three seeds: Student's t of two degrees of freedom is 4.302653."""
    found = Spread((0.90, 0.92, 0.94))
    assert found.mean == pytest.approx(0.92)
    assert found.deviation == pytest.approx(0.02)
    half = 4.302653 * 0.02 / np.sqrt(3)
    assert found.interval == pytest.approx((0.92 - half, 0.92 + half), abs=1e-7)
    assert found.percent() == "92.00 ± 2.00 % (mean ± standard deviation; Student's 95 % interval of the mean 87.03–96.97)"
    two = "91.00 ± 1.41 % (mean ± standard deviation; Student's 95 % interval of the mean 78.29–100.00)"
    assert Spread((0.90, 0.92)).percent() == two
    assert Spread((0.99, 1.0)).interval[1] == 1.0  # no more than all
    assert Spread((0.01, 0.0)).interval[0] == 0.0
    assert Spread((0.5,)).percent() == "50.00 %"


def test_network_counts_its_own() -> None:
    """A network that hands on its images: the largest pixel is the class."""
    net = Network([Scale(1.0)], input_shape=(3,), seed=1)
    images = np.eye(3, dtype=np.float32)[FOUND]
    result = net.evaluate((images, LABELS))
    assert (result.correct, result.total) == (3, 6)
    assert result.loss == pytest.approx(0.5)  # ½‖e_i − e_j‖² is 1 for the three that are wrong
    np.testing.assert_array_equal(result.confusion, confusion_matrix(LABELS, FOUND, 3))


def test_an_evaluation_as_a_dictionary_is_json() -> None:
    result = Evaluation(float("inf"), 3, 6, confusion_matrix(LABELS, FOUND, 4), ("a", "b", "c", "d"))
    found = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert found == result.to_dict()
    assert (found["accuracy"], found["correct"], found["total"], found["loss"]) == (0.5, 3, 6, None)
    assert found["interval"] == pytest.approx(result.interval)
    assert found["classes"] == ["a", "b", "c", "d"]
    assert found["confusion"] == [[2, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert found["per_class"] == [
        {"name": "a", "total": 3, "correct": 2, "precision": 0.5, "recall": 2 / 3, "f1": 4 / 7},
        {"name": "b", "total": 2, "correct": 1, "precision": 0.5, "recall": 0.5, "f1": 0.5},
        {"name": "c", "total": 1, "correct": 0, "precision": None, "recall": 0.0, "f1": 0.0},
        {"name": "d", "total": 0, "correct": 0, "precision": None, "recall": None, "f1": None},
    ]


def test_f1_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import f1_score

    result = Evaluation(0.0, 3, 6, confusion_matrix(LABELS, FOUND, 3), ("a", "b", "c"))
    assert [report.f1 for report in result.per_class] == pytest.approx(list(f1_score(LABELS, FOUND, average=None)))
