"""scikit-learn's own checks of estimators: every one passes, none is expected to fail or skipped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import sklearn
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from glassnet.sklearn import NetworkClassifier

CHECKS = 63  # of scikit-learn 1.9
ARRAY_API = "check_array_api_input"  # needs SCIPY_ARRAY_API=1 before SciPy is imported

ALL = """
import json
from sklearn.utils.estimator_checks import check_estimator
from glassnet.sklearn import NetworkClassifier
found = check_estimator(NetworkClassifier(max_iter=50), on_skip=None, on_fail=None)
print(json.dumps([[check["check_name"], check["status"]] for check in found]))
"""


@parametrize_with_checks([NetworkClassifier(hidden_layer_sizes=(20,), learning_rate_init=0.01, max_iter=60)])
def test_a_check_of_scikit_learn(estimator: Any, check: Any) -> None:
    if ARRAY_API not in str(check):
        check(estimator)


def test_all_checks_pass_with_the_default_network() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALL],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [check for check in found if check[1] != "passed"] == []
    assert ARRAY_API in [name for name, _ in found]
    assert len(found) == sum(1 for _ in estimator_checks_generator(NetworkClassifier()))
    if sklearn.__version__.startswith("1.9."):
        assert len(found) == CHECKS


@pytest.mark.parametrize("batch_size", [4, "auto"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop", "adamw"])
def test_weights_are_repetitions_with_any_optimizer_and_mini_batch(optimizer: str, batch_size: Any) -> None:
    import numpy as np

    rng = np.random.default_rng(3)
    X, y, weights = rng.normal(size=(40, 5)), rng.integers(0, 3, 40), rng.integers(0, 4, 40)
    shuffled = rng.permutation(40)

    def fitted(*data: Any) -> Any:
        options = {"optimizer": optimizer, "batch_size": batch_size, "max_iter": 8, "random_state": 2}
        return NetworkClassifier(early_stopping=True, class_weight="balanced", **options).fit(*data)

    repeated = fitted(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    weighted = fitted(X[shuffled], y[shuffled], weights[shuffled])
    assert np.array_equal(repeated.predict_proba(X), weighted.predict_proba(X))
    assert repeated.loss_curve_ == weighted.loss_curve_
    assert repeated.validation_scores_ == weighted.validation_scores_


def test_the_example_of_the_docstring_runs() -> None:
    import doctest

    from glassnet.sklearn import classifier

    result = doctest.testmod(classifier, raise_on_error=True)
    assert result.attempted >= 5
