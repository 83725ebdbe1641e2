"""Penalties, worked by hand; biases are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.nn import Dense
from glassnet.nn.optimizers import SGD
from glassnet.nn.penalties import L1, L1L2, L2, REGULARIZERS, Regularizer, as_regularizer
from glassnet.support.registry import describe


def network(regularizer: Regularizer | None) -> Network:
    net = Network([Dense(1)], input_shape=(3,), regularizer=regularizer, seed=1, dtype="float64")
    net.parameters = [2.0, -1.0, 0.0, 100.0]  # three weights, one bias
    return net


@pytest.mark.parametrize(
    ("regularizer", "value", "gradient"),
    [
        (None, 0.0, [0, 0, 0, 0]),
        (L2(0.5), 0.5 * 0.5 * 5, [1.0, -0.5, 0, 0]),
        (L1(0.5), 0.5 * 3, [0.5, -0.5, 0, 0]),
        (L1L2(0.5, 0.1), 1.5 + 0.05 * 5, [0.7, -0.6, 0, 0]),
    ],
)
def test_value_and_gradient(regularizer: Regularizer | None, value: float, gradient: list[float]) -> None:
    found, by_weights = network(regularizer).penalty_and_gradient()
    assert found == pytest.approx(value)
    np.testing.assert_allclose(by_weights, gradient)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_without_a_cost_shrinks_the_weights_and_not_the_bias(dtype: str) -> None:
    net = network(L2(0.5)).astype(dtype)
    images = np.array([[0.0, 0.0, 0.0]])
    net.fit((images, [[100.0]]), epochs=1, optimizer={"type": "SGD", "learning_rate": 0.1}, seed=1)
    np.testing.assert_allclose(net.parameters, [2.0 * 0.95, -1.0 * 0.95, 0.0, 100.0], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("regularizer", "weights"),
    [(L1(0.5), [2 - 4 * 0.05, -1 + 4 * 0.05, 0]), (L2(0.5), [2 * 0.95**4, -(0.95**4), 0]), (None, [2, -1, 0])],
    ids=str,
)
def test_every_plain_step_of_an_epoch_is_penalised(regularizer: Regularizer | None, weights: list[float], dtype: str) -> None:
    """Four steps, without a cost: nothing of them is left out, whichever of them are taken at once."""
    net = network(regularizer).astype(dtype)
    net.fit((np.zeros((4, 3)), np.full((4, 1), 100.0)), 1, batch_size=1, optimizer=SGD(0.1), seed=1)
    np.testing.assert_allclose(net.parameters, [*weights, 100.0], rtol=1e-6)


@pytest.mark.parametrize("name", REGULARIZERS)
def test_described_and_made_again(name: str) -> None:
    regularizer = REGULARIZERS[name]()
    assert as_regularizer(describe(regularizer), "here") == regularizer
    assert as_regularizer(name, "here") == regularizer


def test_wrong_input_is_refused() -> None:
    for make in (lambda: L2(-0.1), lambda: L1(float("inf")), lambda: L1L2(0.1, float("nan"))):
        with pytest.raises(InputError, match="can't be negative") as caught:
            make()
        assert "a number of at least 0" in str(caught.value)
    with pytest.raises(InputError, match="Unknown regularizer"):
        as_regularizer("L3", "here")
    assert as_regularizer(None, "here").rates == (0.0, 0.0)
