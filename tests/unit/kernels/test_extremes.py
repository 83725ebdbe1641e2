"""Costs, sigmoid and softmax at the ends of what numbers can be: no overflow, no NaN, the right limits; both forms alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glassnet.network import Network
from glassnet.nn import LAYERS, Dense, Scale, activations, losses
from glassnet.nn.initializers import Zeros
from glassnet.nn.losses import BinaryCrossEntropy, Loss, SoftmaxCrossEntropy
from glassnet.nn.optimizers import SGD
from glassnet.runtime import CompiledTrainer, Predictor, StepPlan

Array = np.ndarray[Any, Any]
ROWS = np.array(
    [
        [1e30, 0, 0],
        [-1e30, 0, 0],
        [1e30, -1e30, 1e30],
        [-1e30, -1e30, -1e30],
        [0.0, -0.0, 0.0],
        [1e-45, -1e-45, 1e-38],
        [100, -100, 0],
        [1e4, 1e4, -1e4],
        [1e30, 1e30, 1e30],
    ],
    dtype=np.float32,
)
LOSSES = [BinaryCrossEntropy(), SoftmaxCrossEntropy(), SoftmaxCrossEntropy(label_smoothing=0.1)]


def compiled(loss: Loss, labels: Array) -> tuple[Array, Array]:
    """Costs, and the gradient by the raw outputs, of the kernels: the raw outputs are the images, by an identity."""
    net = Network([Dense(3, initializer=Zeros())], input_shape=(3,), loss=loss, seed=1)
    identity = np.concatenate([np.eye(3).ravel(), np.zeros(3)])
    deltas, costs = np.empty_like(ROWS), np.empty(len(ROWS))
    for i in range(len(ROWS)):
        net.parameters = identity
        trainer = CompiledTrainer(
            net, ROWS[i : i + 1], labels[i : i + 1], StepPlan(batch_size=1, optimizer=SGD(1e-9), threads=1)
        )
        trainer.begin_epoch(np.arange(1), np.full(1, 1e-9), np.random.default_rng(1))
        trainer.run(0, 1, 0, keep_gradient=True)
        deltas[i], costs[i] = trainer.gradient[9:12], trainer.losses[0]
    net.parameters = identity
    np.testing.assert_array_equal(Predictor(net).losses(ROWS, labels)[0], costs)
    return costs, deltas


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("label", [0, 1, 2])
def test_costs(loss: Loss, label: int) -> None:
    labels = np.full(len(ROWS), label)
    costs, deltas = compiled(loss, labels)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for dtype in (np.float32, np.float64):
            z = ROWS.astype(dtype)
            wanted, delta = loss.value_and_gradient(z, loss.targets(labels, 3, dtype))
            assert np.isfinite(wanted).all()
            np.testing.assert_allclose(costs, wanted, rtol=3e-7 * 4, atol=1e-6)
            np.testing.assert_allclose(deltas, delta, rtol=0, atol=1e-6)
    assert (costs >= 0).all()


@pytest.mark.parametrize("label", [0, 1])
def test_binary_cross_entropy_of_what_is_nearly_right_keeps_its_digits(label: int) -> None:
    """σ(z) − 1 of a σ(z) near 1 would have few of them; e^(−17) is 4e-8."""
    z = (2 * label - 1) * np.linspace(-3, 17, 41, dtype=np.float32)[:, None]
    net = Network([Dense(1, initializer=Zeros())], input_shape=(1,), loss=BinaryCrossEntropy(), seed=1)
    for value in z:
        net.parameters = np.array([1.0, 0.0])
        trainer = CompiledTrainer(net, value[None], np.array([label]), StepPlan(batch_size=1, optimizer=SGD(1e-9), threads=1))
        trainer.begin_epoch(np.arange(1), np.full(1, 1e-9), np.random.default_rng(1))
        trainer.run(0, 1, 0, keep_gradient=True)
        exact = (1 - 2 * label) / (1 + np.exp((2 * label - 1) * value.astype(np.float64)))
        np.testing.assert_allclose(trainer.gradient[1:], exact, rtol=1e-6)


def test_limits_of_binary_cross_entropy() -> None:
    z, right, wrong = np.array([[1e30]]), np.array([[1.0]]), np.array([[0.0]])
    assert losses.BinaryCrossEntropy().value_and_gradient(z, right)[0] == 0
    assert losses.BinaryCrossEntropy().value_and_gradient(z, wrong)[0] == 1e30
    assert losses.BinaryCrossEntropy().value_and_gradient(-z, wrong)[0] == 0
    assert losses.BinaryCrossEntropy().value_and_gradient(-z, right)[0] == 1e30
    assert losses.BinaryCrossEntropy().value_and_gradient(0 * z, right)[0] == pytest.approx(np.log(2))


def test_limits_of_softmax_cross_entropy() -> None:
    z = np.array([[1e30, -1e30, 0.0]])
    cost, delta = losses.SoftmaxCrossEntropy().value_and_gradient(z, np.array([[1.0, 0, 0]]))
    assert cost == 0
    np.testing.assert_array_equal(delta, [[0, 0, 0]])
    assert losses.SoftmaxCrossEntropy().value_and_gradient(z, np.array([[0, 1.0, 0]]))[0] == 2e30
    even = np.full((1, 4), -1e30)
    assert losses.SoftmaxCrossEntropy().value_and_gradient(even, np.eye(4)[:1])[0] == pytest.approx(np.log(4))
    np.testing.assert_array_equal(activations.softmax(even), np.full((1, 4), 0.25))


@pytest.mark.parametrize("name", ["Sigmoid", "Softmax", "Tanh", "GELU"])
def test_layers(name: str) -> None:
    net = Network([Scale(1.0, offset=1e-30), LAYERS[name]()], input_shape=(3,), seed=1)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        wanted = net.astype("float64")(ROWS.astype(np.float64))
        in_float32 = net.layers[1].forward(ROWS)[0]
    found = net(ROWS)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(in_float32, wanted, rtol=1e-6, atol=1e-6)
