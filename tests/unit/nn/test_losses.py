"""Costs, worked by hand."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from glassnet.errors import InputError
from glassnet.nn.losses import LOSSES, BinaryCrossEntropy, Loss, Quadratic, SoftmaxCrossEntropy, as_loss
from glassnet.support.registry import describe


def test_quadratic() -> None:
    cost, delta = Quadratic().value_and_gradient(np.array([[1.0, 3.0]]), np.array([[0.0, 1.0]]))
    assert cost == [0.5 * (1 + 4)]
    np.testing.assert_array_equal(delta, [[1, 2]])


def test_binary_cross_entropy_is_summed_over_outputs() -> None:
    z, t = np.array([[log(3), 0.0]]), np.array([[1.0, 0.0]])  # sigmoids: 3/4 and 1/2
    cost, delta = BinaryCrossEntropy().value_and_gradient(z, t)
    assert cost == pytest.approx([-log(3 / 4) - log(1 / 2)])
    np.testing.assert_allclose(delta, [[-1 / 4, 1 / 2]])


def test_softmax_cross_entropy() -> None:
    z = np.log([[2.0, 1.0, 1.0]])
    cost, delta = SoftmaxCrossEntropy().value_and_gradient(z, np.array([[1.0, 0, 0]]))
    assert cost == pytest.approx([log(2)])
    np.testing.assert_allclose(delta, [[-0.5, 0.25, 0.25]])


def test_softmax_cross_entropy_with_smoothing() -> None:
    loss = SoftmaxCrossEntropy(label_smoothing=0.3)
    target = loss.targets(np.array([0]), 3, np.float64)
    np.testing.assert_allclose(target, [[0.8, 0.1, 0.1]])
    cost, _ = loss.value_and_gradient(np.log([[2.0, 1.0, 1.0]]), target)
    assert cost == pytest.approx([-0.8 * log(1 / 2) - 0.2 * log(1 / 4)])


@pytest.mark.parametrize("shift", [-1e6, 1e6])
def test_softmax_cross_entropy_does_not_depend_on_a_shift(shift: float) -> None:
    z, t = np.array([[0.5, -1.0, 2.0]]), np.array([[0, 1.0, 0]])
    cost, delta = SoftmaxCrossEntropy().value_and_gradient(z, t)
    shifted, shifted_delta = SoftmaxCrossEntropy().value_and_gradient(z + shift, t)
    np.testing.assert_allclose(shifted, cost, rtol=1e-9)
    np.testing.assert_allclose(shifted_delta, delta, rtol=1e-9)


def test_targets() -> None:
    loss = Quadratic()
    np.testing.assert_array_equal(loss.targets(np.array([2, 0]), 3, np.float32), [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(loss.targets(np.array([1, 0]), 1, np.float32), [[1], [0]])
    given = np.array([[0.2, exp(1)]])
    np.testing.assert_array_equal(loss.targets(given, 2, np.float64), given)
    assert loss.targets(given, 2, np.float32).dtype == np.float32


@pytest.mark.parametrize("name", LOSSES)
def test_described_and_made_again(name: str) -> None:
    assert as_loss(describe(LOSSES[name]()), "here") == LOSSES[name]() == as_loss(name, "here")


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match="label smoothing") as caught:
        SoftmaxCrossEntropy(label_smoothing=1.0)
    assert "0 ≤ ε < 1" in str(caught.value)
    with pytest.raises(InputError, match="Unknown loss") as caught:
        as_loss("SoftmaxCrossEntrop", "Network(loss)")
    assert "did you mean 'SoftmaxCrossEntropy'?" in str(caught.value)
    with pytest.raises(TypeError, match="use one of its subclasses"):
        Loss().value_and_gradient(np.zeros((1, 1)), np.zeros((1, 1)))
