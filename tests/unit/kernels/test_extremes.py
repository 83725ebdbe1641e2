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


def losses_and_gradients(z: Array, labels: Array, weights: Array, threads: int) -> tuple[Array, Array, Array]:
    """Losses, classes, and ∂loss/∂z of every image of one mini-batch: behind its outputs, each image has a 1 of its own."""
    count, width = z.shape
    images = np.concatenate([z, np.eye(count, dtype=np.float32)], axis=1)
    net = Network([Dense(width, initializer=Zeros())], input_shape=(width + count,), loss=SoftmaxCrossEntropy(), seed=1)
    net.parameters = np.concatenate([np.eye(width).ravel(), np.zeros((count + 1) * width)])
    plan = StepPlan(batch_size=count, optimizer=SGD(1e-9), threads=threads, weights=weights)
    trainer = CompiledTrainer(net, images, labels, plan)
    trainer.begin_epoch(np.arange(count), np.full(1, 1e-9), np.random.default_rng(1))
    trainer.run(0, 1, 0, keep_gradient=True)
    return trainer.losses, trainer.classes, trainer.gradient[width**2 : -width].reshape(count, width)


@pytest.mark.parametrize("width", [2, 10, 16, 17, 128, 129])
@pytest.mark.parametrize("count", [1, 15, 16, 17, 37])
@pytest.mark.parametrize("threads", [1, 2])
def test_labels_give_the_bits_of_their_one_hot_targets(width: int, count: int, threads: int) -> None:
    """Labels are taken one class of many images at a time, targets one image at a time."""
    rng = np.random.default_rng(width * count)
    z = rng.normal(0, 5, (count, width)).astype(np.float32)
    z[0], z[count // 2, 1] = z[0, 0], z[count // 2].max()  # the first of equal outputs is the class
    labels, weights = rng.integers(width, size=count), rng.uniform(0.5, 2, count)
    targets = np.eye(width, dtype=np.float32)[labels]
    by_label, by_target = (losses_and_gradients(z, of, weights, threads) for of in (labels, targets))
    for ours, theirs in zip(by_label, by_target, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    wanted, gradient = SoftmaxCrossEntropy().value_and_gradient(z.astype(np.float64), targets.astype(np.float64))
    np.testing.assert_allclose(by_label[0], weights * wanted, rtol=2e-7, atol=1e-6)
    np.testing.assert_array_equal(by_label[1], z.argmax(axis=1))
    np.testing.assert_allclose(by_label[2], weights[:, None] / count * gradient, rtol=0, atol=1e-6)


def test_an_output_that_is_not_a_number_spoils_its_own_loss_alone() -> None:
    z = np.tile(np.float32([1, 2, 3]), (20, 1))
    z[3, 1], z[7, 0], z[18] = np.nan, np.inf, -np.inf
    net = Network([Dense(3, initializer=Zeros())], input_shape=(3,), loss=SoftmaxCrossEntropy(), seed=1)
    net.parameters = np.concatenate([np.eye(3).ravel(), np.zeros(3)])
    found = Predictor(net).losses(z, np.zeros(20, dtype=np.int64))[0]
    np.testing.assert_array_equal(np.isnan(found), np.isin(np.arange(20), [3, 7, 18]))
    np.testing.assert_allclose(np.delete(found, [3, 7, 18]), np.log(1 + np.e + np.e**2), rtol=1e-6)


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
