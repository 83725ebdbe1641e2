"""`NetworkClassifier` inside scikit-learn's tools, on real digits."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.inspection import permutation_importance
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from glassnet.sklearn import NetworkClassifier

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def digits() -> tuple[Array, Array]:
    X, y = load_digits(return_X_y=True)
    return X[:800] / 16, np.array([f"digit {label}" for label in y[:800]])


def small(**options: Any) -> NetworkClassifier:
    given = {"hidden_layer_sizes": (20,), "batch_size": 20, "max_iter": 15, "learning_rate_init": 0.02, "random_state": 1}
    return NetworkClassifier(**{**given, **options})


def test_a_pipeline_with_a_scaler(digits: tuple[Array, Array]) -> None:
    X, y = digits
    model = make_pipeline(StandardScaler(), small()).fit(X[:600], y[:600])
    assert model.score(X[600:], y[600:]) > 0.85
    copied = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copied.predict_proba(X), model.predict_proba(X))


def test_cross_validation(digits: tuple[Array, Array]) -> None:
    X, y = digits
    scores = cross_val_score(small(), X, y, cv=3)
    assert scores.mean() > 0.8
    assert np.array_equal(cross_val_score(small(), X, y, cv=3), scores)
    by_loss = cross_validate(small(), X, y, cv=2, scoring=["accuracy", "neg_log_loss"])
    assert by_loss["test_neg_log_loss"].min() > -1


def test_a_grid_search(digits: tuple[Array, Array]) -> None:
    X, y = digits
    grid = {"hidden_layer_sizes": [(5,), (30,)], "learning_rate_init": [1e-5, 0.02]}
    search = GridSearchCV(small(max_iter=4), grid, cv=2).fit(X, y)
    assert search.best_params_ == {"hidden_layer_sizes": (30,), "learning_rate_init": 0.02}
    assert search.best_score_ > 0.75
    in_processes = GridSearchCV(small(max_iter=4), grid, cv=2, n_jobs=2).fit(X, y)
    assert np.array_equal(in_processes.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"])
    assert np.array_equal(in_processes.predict_proba(X), search.predict_proba(X))


def test_calibration(digits: tuple[Array, Array]) -> None:
    X, y = digits
    overconfident = small(max_iter=60, hidden_layer_sizes=(50,), n_iter_no_change=np.inf)
    calibrated = CalibratedClassifierCV(overconfident, cv=3, ensemble=False).fit(X[:400], y[:400])
    assert calibrated.score(X[400:], y[400:]) > 0.8
    assert calibrated.classes_.tolist() == sorted(set(y))
    assert log_loss(y[400:], calibrated.predict_proba(X[400:])) < 0.8


def test_permutation_importance(digits: tuple[Array, Array]) -> None:
    X, y = digits
    found = permutation_importance(small().fit(X, y), X[:200], y[:200], n_repeats=2, random_state=0)
    blank = X.std(axis=0) == 0  # pixels that never change tell nothing
    assert blank.any()
    assert not found.importances_mean[blank].any()
    assert found.importances_mean.max() > 0.01


def test_names_of_features_come_through_set_output(digits: tuple[Array, Array]) -> None:
    pandas = pytest.importorskip("pandas")
    X, y = digits
    frame = pandas.DataFrame(X, columns=[f"pixel {place}" for place in range(64)])
    model = make_pipeline(StandardScaler(), small(max_iter=1)).set_output(transform="pandas").fit(frame, y)
    assert model[-1].feature_names_in_.tolist() == list(frame.columns)
    with pytest.raises(ValueError, match="feature names"):
        model[-1].predict(frame.rename(columns={"pixel 0": "first"}))
    bare = make_pipeline(StandardScaler(), small(max_iter=1)).fit(X, y)
    assert np.array_equal(model.predict_proba(frame), bare.predict_proba(X))


def test_metadata_is_routed(digits: tuple[Array, Array]) -> None:
    X, y = digits
    weights = np.where(y == "digit 1", 0.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        weighted = clone(small(max_iter=3)).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        found = cross_validate(weighted, X, y, cv=2, params={"sample_weight": weights}, return_estimator=True)
        for classifier in found["estimator"]:
            assert "digit 1" not in classifier.predict(X)
        with pytest.raises(ValueError, match="sample_weight"):
            cross_validate(small(max_iter=1), X, y, cv=2, params={"sample_weight": weights})


def test_validation_samples_go_through_a_pipeline(digits: tuple[Array, Array]) -> None:
    X, y = digits
    with sklearn.config_context(enable_metadata_routing=True):
        last = small(early_stopping=True, max_iter=100, n_iter_no_change=4).set_fit_request(X_val=True, y_val=True)
        model = Pipeline([("scale", StandardScaler()), ("network", last)], transform_input=["X_val"])
        model.fit(X[:500] * 16, y[:500], X_val=X[500:] * 16, y_val=y[500:])
    network = model["network"]
    assert network.n_iter_ < 100
    assert network.history_.epochs[0].validation_total == 300
    assert model.score(X[500:] * 16, y[500:]) == max(network.validation_scores_)
