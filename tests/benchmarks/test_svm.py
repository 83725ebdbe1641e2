"""The baseline is tuned on validation images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import glassnet as gn
from benchmarks import svm
from glassnet.analysis.comparison.baselines import Fitted, fit_svc, tune_svc


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
    assert tune_svc(splits.train, splits.validation, grid) == {"gamma": 1.0}
    poor = Fitted(fit_svc(splits.train, {"gamma": 0.001})).predict(splits.validation.images)
    mislabelled = gn.Dataset(splits.validation.images, poor, classes=splits.classes)
    assert tune_svc(splits.train, mislabelled, grid) == {"gamma": 0.001}


def test_with_all_images_validation_is_trained_on_once_the_options_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    splits = gn.load_dataset("digits")
    assert splits.validation is not None
    both = svm.join(splits.train, splits.validation)
    np.testing.assert_array_equal(both.labels, np.concatenate([splits.train.labels, splits.validation.labels]))
    assert both.classes == splits.classes
    trained: list[int] = []

    def fit(train: gn.Dataset, options: dict[str, Any], *, cache_size: float) -> Any:
        trained.append(len(train))
        return fit_svc(train, options)

    monkeypatch.setattr(svm, "fit_svc", fit)
    found = list(svm.measure(splits, grid={"gamma": (0.001, 1.0)}, joined=True))
    assert [measured.options for measured in found] == [{"gamma": "auto"}, {"gamma": 1.0}]
    assert trained == [len(both)] * 2
