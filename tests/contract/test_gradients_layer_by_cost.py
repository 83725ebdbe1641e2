"""Backpropagation through every layer under every cost is the derivative of that cost, to 1e-7."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glassnet.network import Network
from glassnet.nn import LAYERS, Conv2D, Dense, Flatten, Layer
from glassnet.nn.initializers import Normal
from glassnet.nn.losses import LOSSES, BinaryCrossEntropy, Loss, Quadratic, SoftmaxCrossEntropy
from glassnet.nn.penalties import L1, L1L2, L2

WINDOW = {"type": "Conv2D", "filters": 3, "kernel_size": 2, "padding": "same"}
MAKE: dict[str, dict[str, Any]] = {
    "Dense": {"units": 4},
    "Scale": {"factor": 0.7, "offset": -0.2},
    "Conv2D": {"filters": 3, "kernel_size": 2, "strides": 2, "padding": "same"},
    "MaxPool2D": {"strides": 1},
    "AveragePool2D": {"strides": 1, "padding": "same"},
    "SimpleRNN": {"units": 3},
    "GRU": {"units": 3, "return_sequences": True},
    "LSTM": {"units": 3},
    "Residual": {"layers": [WINDOW, "Tanh"]},
    "Concatenate": {"branches": [[WINDOW], ["Swish"]]},
}
NOT_FLAT = {*MAKE, "GlobalAveragePool2D", "GlobalMaxPool2D"} - {"Dense", "Scale"}

COSTS: dict[str, dict[str, Any]] = {
    "quadratic": {"loss": Quadratic(), "end": ["Sigmoid"]},
    "quadratic-raw-l2": {"loss": Quadratic(), "regularizer": L2(0.1)},
    "binary": {"loss": BinaryCrossEntropy(), "end": ["Sigmoid"], "weighted": True},
    "binary-raw-l1": {"loss": BinaryCrossEntropy(), "regularizer": L1(0.05)},
    "binary-single": {"loss": BinaryCrossEntropy(), "end": ["Sigmoid"], "outputs": 1},
    "softmax": {"loss": SoftmaxCrossEntropy(), "end": ["Softmax"], "regularizer": L1L2(0.02, 0.1), "weighted": True},
    "softmax-raw-smoothed": {"loss": SoftmaxCrossEntropy(label_smoothing=0.2)},
    "targets": {"loss": Quadratic(), "targets": True},
}


def make(name: str) -> Layer:
    return LAYERS[name](**MAKE.get(name, {}))


def network(name: str, *, loss: Loss, end: Any = (), outputs: int = 3, regularizer: Any = None) -> Network:
    hidden = Dense(4, initializer=Normal(0.7), bias_initializer=Normal(0.5))
    last = Dense(outputs, initializer=Normal(0.7), bias_initializer=Normal(0.5))
    if name in NOT_FLAT:
        layers = [Conv2D(2, 1, initializer=Normal(0.7)), make(name), Flatten(), last]
    else:
        layers = [*([] if name == "Dense" else [make(name)]), Flatten(), hidden, make(name), last]
    return Network(
        [*layers, *end],
        input_shape=(2, 2, 1),
        loss=loss,
        regularizer=regularizer,
        seed=11,
        dtype="float64",
    )


def test_every_cost_is_among_the_cases() -> None:
    assert {type(case["loss"]).__name__ for case in COSTS.values()} == set(LOSSES)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("case", COSTS)
def test_gradient(name: str, case: str, central_differences: Any, relative_error: Any) -> None:
    options = dict(COSTS[case])
    weighted, targets = options.pop("weighted", False), options.pop("targets", False)
    rng = np.random.default_rng(6)
    net = network(name, **options)
    images = rng.uniform(0.1, 1.0, (6, 2, 2, 1))
    labels = rng.standard_normal((6, 3)) if targets else np.arange(6) % max(2, net.outputs)
    weights = rng.uniform(0.2, 3.0, 6) if weighted else None
    net.adapt(images)

    _, gradient = net.loss_and_gradient(images, labels, weights)
    numerical = central_differences(lambda: net.loss_and_gradient(images, labels, weights)[0], net.flat)
    assert gradient.dtype == np.float64
    assert np.linalg.norm(gradient) > 1e-3
    assert relative_error(gradient, numerical) < 1e-7


@pytest.mark.parametrize("name", LAYERS)
def test_float32_networks_give_the_gradient_in_float64_too(name: str) -> None:
    net = network(name, loss=SoftmaxCrossEntropy()).astype("float32")
    images, labels = np.random.default_rng(1).uniform(0.1, 1.0, (4, 2, 2, 1)), np.arange(4) % 3
    net.adapt(images)
    value, gradient = net.loss_and_gradient(images, labels)
    exact_value, exact = net.astype("float64").loss_and_gradient(images, labels)
    assert gradient.dtype == np.float64
    assert value == exact_value
    np.testing.assert_array_equal(gradient, exact)
