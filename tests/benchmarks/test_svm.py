"""The baseline is tuned on validation images."""

from __future__ import annotations

import glassnet as gn
from benchmarks import svm


def test_each_svc_is_measured_on_the_test_set() -> None:
    splits = gn.load_dataset("digits")
    assert splits.test is not None
    found = list(svm.measure(splits, grid={"C": (10.0,), "gamma": (0.001, 1.0)}))
    assert [measured.options for measured in found] == [{"gamma": "auto"}, {"gamma": "scale"}, {"C": 10.0, "gamma": 1.0}]
    assert {measured.total for measured in found} == {len(splits.test)}
    assert 0.95 * len(splits.test) < found[0].correct < found[1].correct
    assert found[2].correct > 0.95 * len(splits.test)
    assert str(found[1]).startswith(f"SVC(gamma='scale'): {found[1].correct} / {found[1].total} correct, 9")


def test_the_test_set_chooses_nothing() -> None:
    """With wrong validation labels, the SVC that agrees with them is selected."""
    splits = gn.load_dataset("digits")
    assert splits.validation is not None
    grid = {"gamma": (0.001, 1.0)}
    assert svm.tune(splits.train, splits.validation, grid) == {"gamma": 1.0}
    poor = svm.fit(splits.train, {"gamma": 0.001}).predict(svm.vectors(splits.validation))
    mislabelled = gn.Dataset(splits.validation.images, poor, classes=splits.classes)
    assert svm.tune(splits.train, mislabelled, grid) == {"gamma": 0.001}
