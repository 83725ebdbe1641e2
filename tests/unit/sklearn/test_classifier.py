"""`NetworkClassifier` on digits: images, weights, validation, partial_fit, warm starts, errors."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

import glassnet as gn
from glassnet.errors import InputError, ShapeError
from glassnet.sklearn import NetworkClassifier
from glassnet.sklearn.samples import MOST_REPEATS, arrange, hashes

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def digits() -> tuple[Array, Array]:
    """Images (600, 8, 8) of bytes, and labels."""
    X, y = load_digits(return_X_y=True)
    return (X[:600].reshape(-1, 8, 8) * 15.9375).astype(np.uint8), y[:600]


def small(**options: Any) -> NetworkClassifier:
    given = {"hidden_layer_sizes": (30,), "batch_size": 20, "max_iter": 15, "learning_rate_init": 0.01, "random_state": 1}
    return NetworkClassifier(**{**given, **options})


def test_images_of_bytes_are_pixels(digits: tuple[Array, Array]) -> None:
    images, y = digits
    flat = small().fit(images[:400].reshape(400, 64), y[:400])
    found = [small().fit(shaped, y[:400]) for shaped in (images[:400], images[:400, ..., None])]
    for classifier in found:
        assert classifier.network_.input_shape == (8, 8, 1)
        assert (classifier.n_features_in_, classifier.network_.takes_pixels) == (64, True)
        assert np.array_equal(classifier.predict_proba(images), flat.predict_proba(images.reshape(-1, 64)))
        assert classifier.score(images[400:], y[400:]) > 0.8
        assert np.array_equal(classifier.predict(images), classifier.predict(images.reshape(-1, 64)))
        assert np.array_equal(classifier.predict(images), classifier.predict(images.astype(np.int64)))
        assert np.allclose(classifier.predict_proba(images), classifier.predict_proba(images / 255), atol=1e-5)


def test_other_numbers_are_taken_as_they_are(digits: tuple[Array, Array]) -> None:
    images, y = digits
    classifier = small().fit(images / 255.0, y)
    assert not classifier.network_.takes_pixels
    weights = classifier.network_.layers[1].weight
    assert weights.shape == (64, 30)
    hidden = np.maximum((images.reshape(-1, 64) / 255) @ weights + classifier.network_.layers[1].bias, 0)
    last = classifier.network_.layers[-1]
    assert np.array_equal(classifier.predict(images / 255.0), (hidden @ last.weight + last.bias).argmax(axis=1))
    assert np.array_equal(classifier.predict_log_proba(images / 255.0), np.log(classifier.predict_proba(images / 255.0)))


@pytest.mark.parametrize(
    "layers",
    [
        [gn.Pixels(), gn.Conv2D(8, 3), gn.ReLU(), gn.MaxPool2D(2), gn.Flatten(), gn.Dense(10)],
        {"type": "lenet", "filters": [6], "kernel_size": 3},
        lambda shape, classes: [gn.Flatten(), gn.Pixels(), gn.Dense(sum(shape)), gn.Tanh(), gn.Dense(classes)],
    ],
    ids=["list", "architecture", "function"],
)
def test_layers_of_ones_own(digits: tuple[Array, Array], layers: Any) -> None:
    images, y = digits
    classifier = small(layers=layers, max_iter=12)
    classifier.fit(images[:450, ..., None], y[:450])
    assert classifier.score(images[450:], y[450:]) > 0.8
    assert classifier.network_.outputs == classifier.n_outputs_ == 10
    if isinstance(layers, list):
        assert not layers[1].parameters  # the parameter itself is not trained
        again = clone(classifier).fit(images[:450], y[:450])
        assert np.array_equal(again.predict_proba(images), classifier.predict_proba(images))


def test_names_of_classes_reach_the_network(digits: tuple[Array, Array]) -> None:
    images, y = digits
    names = np.array(["zero", "one", "two"])
    chosen = y < 3
    classifier = small().fit(images[chosen], names[y[chosen]])
    assert classifier.classes_.tolist() == sorted(names.tolist())
    assert classifier.network_.classes == ("one", "two", "zero")
    assert set(classifier.predict(images[chosen])) <= set(names)
    assert classifier.score(images[chosen], names[y[chosen]]) > 0.95


def test_the_result_depends_on_the_random_state_alone(digits: tuple[Array, Array]) -> None:
    images, y = digits
    order = np.random.default_rng(0).permutation(len(y))
    found = small(max_iter=2).fit(images, y).predict_proba(images)
    assert np.array_equal(small(max_iter=2).fit(images[order], y[order]).predict_proba(images), found)
    assert np.array_equal(small(max_iter=2, n_jobs=2).fit(images, y).predict_proba(images), found)
    assert np.array_equal(small(max_iter=2, n_jobs=-1).fit(images, y).predict_proba(images), found)
    state = np.random.RandomState(1)
    assert np.array_equal(small(max_iter=2, random_state=state).fit(images, y).predict_proba(images), found)
    assert not np.array_equal(small(max_iter=2, random_state=state).fit(images, y).predict_proba(images), found)


def test_validation_samples_stop_training_and_choose_the_weights(digits: tuple[Array, Array]) -> None:
    images, y = digits
    classifier = small(max_iter=200, n_iter_no_change=3)
    classifier.fit(images[:400], y[:400], X_val=images[400:], y_val=y[400:])
    scores = classifier.validation_scores_
    assert scores is not None
    assert classifier.n_iter_ == len(scores) == len(classifier.loss_curve_) < 200
    assert classifier.score(images[400:], y[400:]) == max(scores)
    assert max(scores) == max(scores[:-3])
    assert classifier.t_ == 400 * classifier.n_iter_
    assert small(max_iter=2).fit(images, y).validation_scores_ is None


def test_early_stopping_sets_a_part_aside(digits: tuple[Array, Array]) -> None:
    images, y = digits
    classifier = small(early_stopping=True, validation_fraction=0.25, max_iter=3).fit(
        np.repeat(images, 2, axis=0), np.repeat(y, 2)
    )
    assert classifier.history_.epochs[0].validation_total == 2 * 150
    assert classifier.t_ == 3 * 2 * 450
    splits = classifier._trained_on
    rows = [{image.tobytes() for image in part.images} for part in (splits.train, splits.validation)]
    assert not rows[0] & rows[1]  # no copy of a training image validates


def test_training_ends_when_its_loss_no_longer_falls(digits: tuple[Array, Array]) -> None:
    images, y = digits
    assert small(tol=10.0, n_iter_no_change=2).fit(images, y).n_iter_ == 3
    assert small(tol=10.0, n_iter_no_change=np.inf, max_iter=6).fit(images, y).n_iter_ == 6


def test_class_weights_and_sample_weights_are_the_same(digits: tuple[Array, Array]) -> None:
    images, y = digits
    by_class = small(max_iter=3, class_weight={0: 0.5, **dict.fromkeys(range(1, 10), 1.5)}).fit(images, y)
    by_sample = small(max_iter=3).fit(images, y, np.where(y == 0, 0.5, 1.5))
    assert np.array_equal(by_class.predict_proba(images), by_sample.predict_proba(images))
    plain = small(max_iter=3).fit(images, y)
    assert by_class.predict_proba(images)[:, 0].mean() < plain.predict_proba(images)[:, 0].mean()
    half = small(max_iter=3).fit(images, y, np.full(len(y), 0.5))  # only their ratios count
    assert np.array_equal(half.predict_proba(images), plain.predict_proba(images))


def test_partial_fit_goes_on_with_the_optimizer(digits: tuple[Array, Array]) -> None:
    """Epoch by epoch as in `fit`, to the last bit: the same order of samples, moments and step numbers."""
    images, y = digits
    parts = small()
    for _ in range(3):
        parts.partial_fit(images, y, classes=np.arange(10))
    assert (parts.n_iter_, parts.t_) == (3, 1800)
    assert parts.loss_curve_ == sorted(parts.loss_curve_, reverse=True)
    whole = small(max_iter=3).fit(images, y)
    assert np.array_equal(parts.network_.parameters, whole.network_.parameters)
    forgetful = pickle.loads(pickle.dumps(parts))
    forgetful._moments = [np.zeros_like(array) for array in parts._moments]
    more = pickle.loads(pickle.dumps(parts))
    for classifier in (more, forgetful):
        classifier.partial_fit(images[:50], y[:50])
        assert classifier.n_iter_ == 4
    assert not np.array_equal(forgetful.network_.parameters, more.network_.parameters)
    after_fit = small(max_iter=2).fit(images, y).partial_fit(images, y)
    assert after_fit.n_iter_ == 3


def test_partial_fit_knows_classes_that_it_has_not_seen(digits: tuple[Array, Array]) -> None:
    images, y = digits
    classifier = small()
    for start in range(0, 600, 50):
        classifier.partial_fit(images[start : start + 50], y[start : start + 50], classes=range(10))
    assert classifier.predict_proba(images).shape == (600, 10)
    first = small().partial_fit(images[y < 2], y[y < 2], classes=range(10))
    assert first.predict_proba(images).shape == (600, 10)


def test_a_warm_start_goes_on_with_the_weights(digits: tuple[Array, Array]) -> None:
    images, y = digits
    classifier = small(warm_start=True, max_iter=3).fit(images, y)
    network, loss = classifier.network_, classifier.loss_
    classifier.fit(images, y)
    assert classifier.network_ is network
    assert (classifier.n_iter_, classifier.loss_curve_[0] < 1.1 * loss) == (3, True)
    classifier.set_params(warm_start=False).fit(images, y)
    assert classifier.network_ is not network


def test_lbfgs_takes_all_samples_at_once(digits: tuple[Array, Array]) -> None:
    images, y = digits
    classifier = small(optimizer="lbfgs", max_iter=40, alpha=1e-3).fit(images[:400], y[:400])
    assert classifier.score(images[400:], y[400:]) > 0.8
    with pytest.raises(InputError, match="mini-batches"):
        classifier.partial_fit(images, y)


def test_loss_optimizer_and_penalty(digits: tuple[Array, Array]) -> None:
    images, y = digits
    classifier = small(activation="logistic", loss="quadratic", optimizer=gn.SGD(3.0), learning_rate_init=None, batch_size=10)
    classifier.fit(images, y)
    assert [type(layer).__name__ for layer in classifier.network_.layers[-3:]] == ["Sigmoid", "Dense", "Sigmoid"]
    assert classifier.network_.loss == gn.Quadratic()
    assert classifier.history_.learning_rate[-1] == 3.0
    assert classifier.score(images, y) > 0.9
    assert small(loss="binary_crossentropy", max_iter=1).fit(images, y).network_.loss == gn.BinaryCrossEntropy()
    assert small(loss="log_loss", max_iter=1).fit(images, y).network_.loss == gn.SoftmaxCrossEntropy()
    strong = small(alpha=0.1).fit(images, y)
    assert np.linalg.norm(strong.network_.parameters) < 0.6 * np.linalg.norm(small().fit(images, y).network_.parameters)


def test_the_diagnosis_needs_the_samples(digits: tuple[Array, Array]) -> None:
    images, y = digits
    with pytest.raises(NotFittedError):
        _ = small().diagnosis_
    classifier = small(optimizer="sgd", learning_rate_init=1e-6, max_iter=3).fit(images, y)
    copied = pickle.loads(pickle.dumps(classifier))
    assert np.array_equal(copied.predict_proba(images), classifier.predict_proba(images))
    assert len(pickle.dumps(classifier)) < images.nbytes + 60_000
    with pytest.raises(NotFittedError, match="pickle"):
        _ = copied.diagnosis_
    assert "learning-rate-too-low" in [finding.name for finding in classifier.diagnosis_.findings]
    assert pickle.loads(pickle.dumps(classifier)).diagnosis_.findings == classifier.diagnosis_.findings


def test_samples_are_sorted_by_their_values() -> None:
    rng = np.random.default_rng(0)
    for X in (rng.integers(0, 256, (50, 3, 3, 1), dtype=np.uint8), rng.normal(size=(50, 7)).astype(np.float32)):
        assert len(set(hashes(X).tolist())) == 50
        assert np.array_equal(hashes(X[::-1]), hashes(X)[::-1])
        labels, order = rng.integers(0, 2, 50), rng.permutation(50)
        weights = rng.integers(0, 3, 50).astype(np.float64)
        found, other = arrange(X, labels, weights), arrange(X[order], labels[order], weights[order])
        assert np.array_equal(X[found.chosen], X[order][other.chosen])
        assert np.bincount(found.chosen, minlength=50).tolist() == weights.astype(int).tolist()
        assert len(np.unique(found.groups)) == np.count_nonzero(weights)
        assert found.weights is None
    many = arrange(X, labels, np.full(50, MOST_REPEATS + 1.0))
    assert many.weights is not None
    assert sorted(many.chosen) == list(range(50))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"max_iter": 0}, "max_iter must be a whole number above 0"),
    ({"batch_size": "many"}, "batch_size must be a whole number above 0"),
    ({"activation": "rellu"}, "did you mean 'relu'"),
    ({"optimizer": "adan"}, "did you mean 'adam'"),
    ({"alpha": -1}, "alpha can't be negative"),
    ({"hidden_layer_sizes": (0,)}, "units"),
    ({"layers": [gn.Flatten(), gn.Dense(9)]}, "not as many outputs as there are classes"),
    ({"layers": "lenets"}, "did you mean 'lenet'"),
    ({"class_weight": "even"}, "class_weight"),
    ({"class_weight": {11: 2.0}}, "class_weight"),
    ({"n_iter_no_change": 0}, "early stopping"),
    ({"early_stopping": "maybe"}, "early_stopping"),
    ({"loss": "hinges"}, "Unknown loss"),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_wrong_parameters_are_refused_in_fit(digits: tuple[Array, Array], options: dict[str, Any], message: str) -> None:
    classifier = small(**options)
    with pytest.raises(ValueError, match=message):
        classifier.fit(*digits)


def test_wrong_calls_are_refused(digits: tuple[Array, Array]) -> None:
    images, y = digits
    fitted = small(max_iter=1).fit(images, y)
    with pytest.raises(ShapeError, match="shape of those in fit"):
        fitted.predict(images[:, :7])
    with pytest.raises(ValueError, match="63 features"):
        fitted.predict(images.reshape(-1, 64)[:, :63])
    with pytest.raises(InputError, match="X_val is given without y_val"):
        small().fit(images, y, X_val=images)
    with pytest.raises(InputError, match="y_val is given without X_val"):
        small().fit(images, y, y_val=y)
    with pytest.raises(InputError, match="early_stopping is False"):
        small(early_stopping=False).fit(images, y, X_val=images, y_val=y)
    with pytest.raises(InputError, match="other classes"):
        small().fit(images, y, X_val=images, y_val=y + 1)
    with pytest.raises(InputError, match="one class: 1"):
        small().fit(images, y, (y == 1).astype(float))
    with pytest.raises(InputError, match="negative"):
        small().fit(images, y, np.where(y == 1, -1.0, 1.0))
    with pytest.raises(InputError, match="as many labels"):
        small().fit(images, y[:-1])
    with pytest.raises(InputError, match="classes must be passed"):
        small().partial_fit(images, y)
    with pytest.raises(InputError, match="not the same as on the last call"):
        fitted.partial_fit(images, y, classes=range(11))
    with pytest.raises(InputError, match="early_stopping"):
        small(early_stopping=True).partial_fit(images, y, classes=range(10))
    with pytest.raises(InputError, match="class_weight"):
        small(class_weight="balanced").partial_fit(images, y, classes=range(10))
    with pytest.raises(NotFittedError):
        small().predict(images)
