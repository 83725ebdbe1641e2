"""The learning-rate range test: what it measures, what it suggests, and that it leaves the network alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.errors import InputError
from glassnet.experiment.lr_finder import LEAST, find_learning_rate
from glassnet.network import Network
from glassnet.nn import Dense, Dropout, ReLU, Standardize
from glassnet.nn.losses import SoftmaxCrossEntropy
from glassnet.nn.optimizers import SGD, Adam, ScipyMinimize
from glassnet.nn.schedules import CosineDecay

Array = np.ndarray[Any, Any]
Data = tuple[Array, Array]


def network(dtype: str = "float32") -> Network:
    layers = [Standardize(), Dense(30), ReLU(), Dropout(0.1), Dense(3)]
    return Network(layers, input_shape=(6,), loss=SoftmaxCrossEntropy(), seed=1, dtype=dtype)


def test_costs_are_those_of_plain_steps_at_rising_rates() -> None:
    """w·x with w = 0, x = 1, t = 1, cost ½(w − 1)²: each step leaves (1 − rate) of the error."""
    net = Network([Dense(1, use_bias=False)], input_shape=(1,), seed=1, dtype="float64")
    net.parameters = [0.0]
    result = find_learning_rate(net, (np.ones((4, 1)), np.ones((4, 1))), batch_size=2, low=1e-3, high=0.5, steps=20)
    rates = np.geomspace(1e-3, 0.5, 20)
    np.testing.assert_array_equal(result.rates, rates)
    error = np.concatenate([[1.0], np.cumprod(1 - rates)[:-1]])
    np.testing.assert_allclose(result.raw, 0.5 * error**2, rtol=1e-12)
    assert (np.diff(result.costs) < 0).all()
    assert result.suggested == pytest.approx(0.5 / 3)
    assert "still falling at the highest rate" in result.reason
    assert "Suggested learning rate: 0.17: a third of 0.5" in str(result)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_network_is_left_as_it_is(dtype: str, blobs: Data) -> None:
    net = network(dtype)
    before, statistics = net.parameters, net.layers[0].statistics["mean"].copy()
    find_learning_rate(net, blobs, optimizer=Adam(), batch_size=16)
    np.testing.assert_array_equal(net.parameters, before)
    np.testing.assert_array_equal(net.layers[0].statistics["mean"], statistics)
    assert not net.layers[0].adapted


@pytest.mark.parametrize("optimizer", [None, SGD(0.1, momentum=0.9), Adam(CosineDecay(0.5))], ids=repr)
def test_the_suggestion_teaches(optimizer: Any, blobs: Data) -> None:
    result = find_learning_rate(network(), blobs, optimizer=optimizer, batch_size=16, seed=3)
    assert result.suggested is not None
    assert result.rates[0] < result.suggested < result.rates[-1]
    kind = SGD() if optimizer is None else optimizer
    net = network()
    first = net.evaluate(blobs).loss
    net.fit(blobs, 20, batch_size=16, optimizer=type(kind)(result.suggested), seed=1)
    assert net.evaluate(blobs).loss < 0.5 * first


def test_same_seed_same_result_whatever_the_threads(blobs: Data) -> None:
    results = [find_learning_rate(network(), blobs, seed=seed, threads=threads) for seed, threads in ((1, 1), (1, 2), (2, 1))]
    np.testing.assert_array_equal(results[0].raw, results[1].raw)
    assert results[0].suggested == results[1].suggested
    assert not np.array_equal(results[0].raw[:10], results[2].raw[:10])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("high", [1e3, 1e30])
def test_a_cost_that_explodes_ends_the_test(dtype: str, high: float) -> None:
    rng = np.random.default_rng(0)
    images = rng.standard_normal((64, 5))
    net = Network([Dense(20), ReLU(), Dense(1)], input_shape=(5,), seed=1, dtype=dtype)
    result = find_learning_rate(net, (images, images[:, :1]), high=high, steps=200)
    assert LEAST < len(result.rates) == len(result.costs) == len(result.raw) < 200
    assert np.isfinite(result.raw).all()
    assert np.isfinite(result.costs).all()
    assert result.suggested is not None
    assert result.suggested < 1


def test_no_suggestion_where_the_cost_does_not_fall(blobs: Data) -> None:
    result = find_learning_rate(network(), blobs, low=1e-9, high=1e-8)
    assert result.suggested is None
    assert str(result) == f"No learning rate can be suggested: {result.reason}"
    assert "did not fall clearly" in result.reason


def test_a_range_longer_than_an_epoch_and_a_batch_larger_than_the_data(blobs: Data) -> None:
    assert len(find_learning_rate(network(), blobs, batch_size=1000, high=0.1, steps=30).raw) == 30


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"low": 1.0, "high": 0.1}, "The lowest rate must be below the highest."),
        ({"low": 0.0}, "The lowest rate must be below the highest."),
        ({"high": float("inf")}, "The lowest rate must be below the highest."),
        ({"low": float("nan")}, "The lowest rate must be below the highest."),
        ({"steps": 9}, "steps must be a whole number of at least 10."),
        ({"steps": 50.0}, "steps must be a whole number of at least 10."),
        ({"batch_size": 0}, "batch_size must be a whole number above 0."),
        ({"seed": -1}, "A seed is a whole number of at least 0."),
        ({"optimizer": ScipyMinimize()}, "This optimizer has no learning rate."),
    ],
    ids=str,
)
def test_ranges_that_are_none(options: dict[str, Any], what: str, blobs: Data) -> None:
    with pytest.raises(InputError) as caught:
        find_learning_rate(network(), blobs, **options)
    assert caught.value.what == what


def test_a_network_that_overflows_at_once() -> None:
    net = Network([Dense(1)], input_shape=(1,), seed=1)
    with pytest.raises(InputError, match="not finite even at the lowest rate"):
        find_learning_rate(net, (np.full((4, 1), 1e30), np.ones((4, 1))))


def test_the_figure_shows_costs_and_suggestion(blobs: Data) -> None:
    assert gn.find_learning_rate is find_learning_rate
    result = gn.find_learning_rate(network(), blobs)
    figure = gn.figures.learning_rate_figure(result, "blobs")
    (axes,) = figure.axes
    raw, smooth, mark = axes.lines
    np.testing.assert_array_equal(raw.get_ydata(), result.raw)
    np.testing.assert_array_equal(smooth.get_ydata(), result.costs)
    assert set(mark.get_xdata()) == {result.suggested}
    assert axes.get_xscale() == "log"
    none = find_learning_rate(network(), blobs, low=1e-9, high=1e-8)
    assert len(gn.figures.learning_rate_figure(none).axes[0].lines) == 2
