"""Confusion matrices of many classes stay small, and top-k accuracy counts as scikit-learn's does."""

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray
from sklearn.metrics import top_k_accuracy_score

import glassnet as gn
from glassnet.errors import InputError
from glassnet.nn.confusion import DENSE, confusion_matrix, top_k_hits
from glassnet.nn.metrics import Evaluation, evaluate_probabilities


@given(st.integers(0, 2**32 - 1), st.integers(2, 7), st.booleans())
def test_top_k_is_scikit_learns_with_ties(seed: int, k: int, tied: bool) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 8, 30)
    scores = rng.integers(0, 3, (30, 8)).astype(float) if tied else rng.random((30, 8))
    theirs = top_k_accuracy_score(labels, scores, k=k, labels=np.arange(8), normalize=False)
    assert top_k_hits(scores, labels, k) == theirs


def test_what_is_not_a_number_is_no_hit() -> None:
    scores = np.array([[np.nan, 1, 2], [np.nan, 3, 2], [1, np.nan, np.nan]])
    assert top_k_hits(scores, np.array([0, 1, 0]), 2) == 1


def test_a_sparse_matrix_counts_like_a_dense_one() -> None:
    classes = DENSE + 1
    labels, found = np.random.default_rng(0).integers(0, 40, (2, 900)) * 25
    sparse = confusion_matrix(labels, found, classes)
    dense = np.zeros((classes, classes), np.int64)
    np.add.at(dense, (labels, found), 1)
    assert not isinstance(sparse, np.ndarray)
    np.testing.assert_array_equal(sparse.toarray(), dense)
    names = tuple(map(str, range(classes)))
    here, there = Evaluation(0.0, 0, 900, sparse, names), Evaluation(0.0, 0, 900, dense, names)
    assert here.most_confused(50) == there.most_confused(50)
    assert here.to_dict() == there.to_dict()
    assert here.confusion[labels[0], found[0]] == dense[labels[0], found[0]]


def test_the_most_confused_are_mistakes_by_falling_frequency() -> None:
    result = Evaluation(0.0, 6, 15, np.array([[5, 1, 0], [4, 0, 2], [1, 1, 1]]), ("a", "b", "c"))
    assert [(one.truth, one.predicted, one.count) for one in result.most_confused(3)] == [
        ("b", "a", 4),
        ("b", "c", 2),
        ("a", "b", 1),
    ]
    assert [one.index for one in result.most_confused()] == [(1, 0), (1, 2), (0, 1), (2, 0), (2, 1)]


@pytest.fixture(scope="module")
def many() -> tuple[gn.Network, gn.Dataset]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (900, 8, 8, 1), dtype=np.uint8)
    data = gn.Dataset(images, np.arange(900) % 3000, classes=[f"c{i}" for i in range(3000)])
    return gn.Network(
        [gn.Flatten(), gn.Pixels(), gn.Dense(3000)], loss="SoftmaxCrossEntropy", input_shape=(8, 8, 1), seed=1
    ), data


def test_evaluation_takes_the_memory_of_the_images_not_of_classes_squared(many: tuple[gn.Network, gn.Dataset]) -> None:
    network, data = many
    network.evaluate(data)  # with programs and workspace, which are kept
    tracemalloc.start()
    result = network.evaluate(data)
    text = json.dumps(result.to_dict())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6  # 3,000² numbers of eight bytes are 72 MB
    assert len(text) < 1e6


@pytest.mark.parametrize("kernels", [True, False])
def test_top_5_is_measured_by_default_above_20_classes(many: tuple[gn.Network, gn.Dataset], kernels: bool) -> None:
    network, data = many
    chosen = network if kernels else network.astype("float64")
    result = chosen.evaluate(data)
    scores: NDArray[np.float64] = chosen(data.images)
    assert result.top_k == 5
    assert result.top_k_correct == top_k_accuracy_score(data.labels, scores, k=5, labels=np.arange(3000), normalize=False)
    assert chosen.evaluate(data, top_k=3000).top_k_accuracy == 1
    assert chosen.evaluate(data, top_k=1).top_k_correct == result.correct
    assert "top-5" in str(result)


def test_few_classes_have_no_top_k_unless_it_is_asked_for() -> None:
    labels = np.array([0, 1, 2])
    p = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    assert evaluate_probabilities(p, labels, ("a", "b", "c")).top_k_accuracy is None
    found = evaluate_probabilities(p, labels, ("a", "b", "c"), 2)
    assert (found.top_k_correct, found.to_dict()["top_k_accuracy"]) == (2, 2 / 3)


@pytest.mark.parametrize("k", [0, 4, 1.5, "two"])
def test_a_k_that_is_none_is_refused(k: object) -> None:
    with pytest.raises(InputError, match="1 to 3, the number of classes"):
        evaluate_probabilities(np.ones((1, 3)), np.array([0]), ("a", "b", "c"), k)  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_two_classes_of_one_output_are_both_among_the_top_two(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = gn.Network([gn.Flatten(), gn.Dense(1)], loss="BinaryCrossEntropy", input_shape=(2, 2, 1), seed=seed)
    data = gn.Dataset(rng.random((6, 2, 2, 1)), np.array([0, 1, 0, 1, 0, 1]))
    assert network.evaluate(data, top_k=2).top_k_correct == 6
    assert network.evaluate(data).top_k is None
