"""The gradient check passes for correct gradients and finds faults planted in any layer or loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.analysis.gradient_check import GradientCheck
from glassnet.nn import LAYERS, activations, as_layer
from glassnet.nn.initializers import Normal
from glassnet.nn.losses import LOSSES

Array = np.ndarray[Any, Any]
Backward = Callable[[Array], tuple[Array, dict[str, Array]]]


def tutorial(loss: str) -> tuple[gn.Network, Array, Array]:
    """Andrew Ng's 3-5-3 network: five examples, weights and inputs sin(1) / 10, sin(2) / 10, …"""
    layers = [gn.Dense(5), gn.Sigmoid(), gn.Dense(3), gn.Sigmoid()]
    network = gn.Network(layers, loss=loss, input_shape=(3,), dtype="float64", seed=0)
    network.parameters = np.sin(np.arange(1, network.parameters.size + 1)) / 10
    images = (np.sin(np.arange(1, 16)) / 10).reshape(5, 3)
    return network, images, np.arange(1, 6) % 3


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_the_tutorials_network(loss: str) -> None:
    network, images, labels = tutorial(loss)
    found = gn.check_gradients(network, images, labels)
    assert found.relative_error <= 1e-9
    assert found.passed
    assert found.checked == found.total == 3 * 5 + 5 + 5 * 3 + 3
    assert len(found.parameters) == found.total
    assert found.directions == ()
    assert set(found.arrays) == {"dense1.weight", "dense1.bias", "dense2.weight", "dense2.bias"}
    assert "gradient check: passed" in str(found)


@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("regularizer", [None, gn.L2(0.1), gn.L1(0.1), gn.L1L2(0.1, 0.2)])
def test_the_tutorials_network_with_penalties(loss: str, regularizer: Any) -> None:
    network, images, labels = tutorial(loss)
    layers = list(network.layers)
    penalised = gn.Network(layers, loss=loss, input_shape=(3,), dtype="float64", regularizer=regularizer, seed=0)
    assert gn.check_gradients(penalised, images, labels).relative_error <= 1e-9


def test_each_array_is_checked_separately_whatever_its_name() -> None:
    net = gn.Network([2, 3, 2], seed=1)
    result = gn.check_gradients(net, np.ones((1, 2)), np.zeros(1, dtype=int))
    assert [check.array for check in result.parameters] == [slot.name for slot in net.slots for _ in range(slot.size)]
    off = replace(
        result.parameters[0], gradient=result.parameters[0].gradient + 1e-4
    )  # small compared with all others together
    large = tuple(replace(check, gradient=1e6, numerical=1e6) for check in result.parameters if check.array != off.array)
    small = tuple(check for check in result.parameters[1:] if check.array == off.array)
    for rename in (lambda check: check, lambda check: replace(check, name="one name")):
        assert not replace(result, parameters=tuple(map(rename, (off, *small, *large)))).passed


def test_the_parameters_are_left_as_they_were() -> None:
    network, images, labels = tutorial("Quadratic")
    before = network.parameters
    gn.check_gradients(network, images, labels)
    np.testing.assert_array_equal(network.parameters, before)


def test_the_trained_digits_network_passes() -> None:
    splits = gn.load_dataset("digits")
    recipe = gn.load_recipe("digits")
    network = recipe.make_network(splits)
    network.fit(splits.train, 30, optimizer=recipe.make_optimizer(), seed=0)
    found = gn.check_gradients(network, splits.train[:20])
    assert found.passed
    assert found.checked < found.total == network.parameters.size
    assert len(found.directions) == 10


# ------------------------------------------------------------------ planted faults

# Networks in which each kind of layer comes after parameters, so that its input gradient matters.
PLACES: dict[str, Any] = {
    "Pixels": gn.Pixels,
    "Scale": lambda: gn.Scale(0.5, 0.1),
    "Standardize": lambda: gn.Standardize(0.1, 0.7),
    "Flatten": gn.Flatten,
    "Dense": lambda: gn.Dense(5, initializer=Normal(), bias_initializer=Normal()),
    "Sigmoid": gn.Sigmoid,
    "Tanh": gn.Tanh,
    "ReLU": gn.ReLU,
    "LeakyReLU": lambda: gn.LeakyReLU(0.3),
    "GELU": gn.GELU,
    "Softmax": gn.Softmax,
    "Dropout": lambda: gn.Dropout(0.5),
    "Swish": gn.Swish,
    "BatchNorm": gn.BatchNorm,
    "LayerNorm": gn.LayerNorm,
    "Residual": lambda: gn.Residual([gn.Dense(5), gn.Tanh()]),
    "Concatenate": lambda: gn.Concatenate([[gn.Dense(2)], [gn.Tanh()]]),
    "Conv2D": lambda: gn.Conv2D(3, 3, strides=2, padding="same"),
    "MaxPool2D": gn.MaxPool2D,
    "AveragePool2D": gn.AveragePool2D,
    "GlobalAveragePool2D": gn.GlobalAveragePool2D,
    "GlobalMaxPool2D": gn.GlobalMaxPool2D,
    "SimpleRNN": lambda: gn.SimpleRNN(4),
    "GRU": lambda: gn.GRU(4),
    "LSTM": lambda: gn.LSTM(4),
}
SMALL, LARGE = 6, 60  # units of the first layer: 2,000 parameters lie between the two


def network_with(name: str, units: int, loss: str = "SoftmaxCrossEntropy") -> tuple[gn.Network, Array, Array]:
    shape: tuple[int, ...]
    try:
        PLACES[name]().build((units,), np.random.default_rng(1))
        shape = (4 if units == SMALL else 40,)
        biased = name != "BatchNorm"  # the gradient of a bias before it is 0
        before: gn.Layer = gn.Dense(units, initializer=Normal(), bias_initializer=Normal(), use_bias=biased)
    except gn.ShapeError:  # a layer of images
        shape, before = (4, 4, 4), gn.Conv2D(units, 3, padding="same", bias_initializer=Normal())
    layers = [before, PLACES[name](), gn.Flatten(), gn.Dense(3)]
    network = gn.Network(layers, loss=loss, input_shape=shape, dtype="float64", seed=1)
    images = np.random.default_rng(2).standard_normal((8, *shape)) / np.sqrt(shape[-1])
    return network, images, np.arange(8) % 3


def check(name: str, units: int = SMALL, loss: str = "SoftmaxCrossEntropy") -> GradientCheck:
    return gn.check_gradients(*network_with(name, units, loss))


def plant(monkeypatch: pytest.MonkeyPatch, kind: type[gn.Layer], change: Callable[[Array, dict[str, Array]], Any]) -> None:
    """Apply `change` to the result of backward in every layer of a kind."""
    forward = kind.forward

    def spoilt(self: gn.Layer, x: Array, **options: Any) -> tuple[Array, Backward]:
        y, backward = forward(self, x, **options)
        return y, lambda dy: change(*backward(dy))

    monkeypatch.setattr(kind, "forward", spoilt)


def test_every_kind_of_layer_has_a_network() -> None:
    assert set(PLACES) == set(LAYERS)
    for name, make in PLACES.items():
        assert type(make()) is LAYERS[name]
        assert isinstance(as_layer(make().describe(), "here"), LAYERS[name])


@pytest.mark.parametrize("units", [SMALL, LARGE])
@pytest.mark.parametrize("name", sorted(LAYERS))
def test_without_a_fault_it_passes(name: str, units: int) -> None:
    found = check(name, units)
    assert found.passed, str(found)
    assert found.relative_error < 1e-7
    assert (found.checked == found.total) == (units == SMALL)
    assert bool(found.directions) == (units == LARGE)


@pytest.mark.parametrize("units", [SMALL, LARGE])
@pytest.mark.parametrize("name", sorted(LAYERS))
def test_a_gradient_a_thousandth_off_is_found_in_any_layer(monkeypatch: pytest.MonkeyPatch, name: str, units: int) -> None:
    plant(monkeypatch, LAYERS[name], lambda dx, found: (1.001 * dx, found))
    network, images, labels = network_with(name, units)
    result = gn.check_gradients(network, images, labels)
    assert not result.passed
    assert "gradient check: FAILED" in str(result)
    first, *_, last = network.names
    assert result.worst.name.startswith(f"{first}.")  # what lies before the fault is wrong
    assert result.arrays[f"{first}.weight"] > 1e-4 > result.arrays[f"{last}.weight"]


@pytest.mark.parametrize("units", [SMALL, LARGE])
def test_a_gradient_a_millionth_off_is_found(monkeypatch: pytest.MonkeyPatch, units: int) -> None:
    plant(monkeypatch, gn.Dense, lambda dx, found: (dx, {**found, "weight": (1 + 1e-6) * found["weight"]}))
    assert not check("Tanh", units).passed


def test_a_wrong_element_outside_the_sample_shows_in_the_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {parameter.name for parameter in check("Tanh", LARGE).parameters}
    place = next((i, j) for i in range(LARGE) for j in range(3) if f"dense2.weight[{i}, {j}]" not in chosen)

    def spoil(dx: Array, found: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        weight = found["weight"].copy()
        if weight.shape == (LARGE, 3):  # the last layer's
            weight[place] += 0.1
        return dx, {**found, "weight": weight}

    plant(monkeypatch, gn.Dense, spoil)
    result = check("Tanh", LARGE)
    assert result.relative_error < 1e-7
    assert not result.passed


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_a_missing_input_gradient_is_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    plant(monkeypatch, LAYERS[name], lambda dx, found: (np.zeros_like(dx), found))
    assert not check(name).passed


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_a_skipped_image_is_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def forget(dx: Array, found: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        dx = dx.copy()
        dx[-1] = 0
        return dx, found

    plant(monkeypatch, LAYERS[name], forget)
    assert not check(name).passed


WITH_PARAMETERS = [
    (name, key)
    for name in sorted(PLACES)
    for key in network_with(name, SMALL)[0].layers[1].parameters
]  # fmt: skip


def test_some_layers_have_parameters() -> None:
    assert ("Dense", "weight") in WITH_PARAMETERS
    assert ("Dense", "bias") in WITH_PARAMETERS
    assert ("Residual", "0.dense1.weight") in WITH_PARAMETERS


@pytest.mark.parametrize("units", [SMALL, LARGE])
@pytest.mark.parametrize(("name", "key"), WITH_PARAMETERS)
def test_the_worst_names_the_array(monkeypatch: pytest.MonkeyPatch, name: str, key: str, units: int) -> None:
    plant(monkeypatch, LAYERS[name], lambda dx, found: (dx, {**found, key: 1.001 * found[key]}))
    result = check(name, units)
    assert not result.passed
    assert result.worst.name.partition("[")[0].endswith(f".{key}")
    spoilt = {array for array in result.arrays if array.startswith(name.lower()) and array.endswith(f".{key}")}
    others = [error for array, error in result.arrays.items() if array not in spoilt]
    assert max(others) < 1e-7 < 1e-4 < min(result.arrays[array] for array in spoilt)


@pytest.mark.parametrize("place", [(0, 0), (3, 2), (5, 2)])
def test_a_single_wrong_element_is_named(monkeypatch: pytest.MonkeyPatch, place: tuple[int, int]) -> None:
    def spoil(dx: Array, found: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        weight = found["weight"].copy()
        if weight.shape == (SMALL, 3):  # the last layer's
            weight[place] += 1e-3
        return dx, {**found, "weight": weight}

    plant(monkeypatch, gn.Dense, spoil)
    result = check("Sigmoid")
    assert not result.passed
    assert result.worst.name == f"dense2.weight[{place[0]}, {place[1]}]"
    assert result.worst.gradient - result.worst.numerical == pytest.approx(1e-3, rel=1e-4)


# The faults that people make: a term or a factor forgotten, a transpose or a sum missed.
SLIPS: dict[str, tuple[str, str, Callable[..., Any]]] = {
    "sigmoid without 1 − y": ("Sigmoid", "sigmoid_backward", lambda dy, y: dy * y),
    "sigmoid's derivative of x, not y": (
        "Sigmoid", "sigmoid_backward", lambda dy, y: dy * activations.sigmoid(y) * (1 - activations.sigmoid(y)),
    ),
    "tanh without the square": ("Tanh", "tanh_backward", lambda dy, y: dy * (1 - y)),
    "ReLU that lets all through": ("ReLU", "leaky_relu_backward", lambda dy, x, slope: dy),
    "leaky ReLU without its slope": ("LeakyReLU", "leaky_relu_backward", lambda dy, x, slope: dy * (x > 0)),
    "softmax without its sum": ("Softmax", "softmax_backward", lambda dy, y: dy * y),
    "softmax, its diagonal only": ("Softmax", "softmax_backward", lambda dy, y: dy * y * (1 - y)),
    "bias: mean, not sum": (
        "Dense", "", lambda dy, x, weight: (dy @ weight.T, x.T @ dy, dy.mean(axis=0)),
    ),
    "weight taken before the gradient": (  # the framework tutorial's fault: multiplied by the weight first
        "Dense", "", lambda dy, x, weight: (dy @ weight.T, x.T @ dy * weight, dy.sum(axis=0)),
    ),
    "input: sign of the weight only": (
        "Dense", "", lambda dy, x, weight: (dy @ np.sign(weight).T, x.T @ dy, dy.sum(axis=0)),
    ),
}  # fmt: skip


def dense_with(wrong: Callable[..., Any]) -> Callable[..., Any]:
    """Dense.forward, with a function of (dy, x, weight) that gives (dx, dW, db) as its backward pass."""
    right = gn.Dense.forward

    def forward(layer: gn.Dense, x: Array, **options: Any) -> Any:
        def backward(dy: Array) -> tuple[Array, dict[str, Array]]:
            dx, dweight, dbias = wrong(dy, x, layer.parameters["weight"])
            return dx, {"weight": dweight, "bias": dbias}

        return right(layer, x, **options)[0], backward

    return forward


@pytest.mark.parametrize("slip", SLIPS)
def test_common_mistakes_are_found(monkeypatch: pytest.MonkeyPatch, slip: str) -> None:
    name, function, wrong = SLIPS[slip]
    assert check(name).passed
    if name == "Dense":  # its backward pass is a closure
        monkeypatch.setattr(gn.Dense, "forward", dense_with(wrong))
    else:
        monkeypatch.setattr(activations, function, wrong)
    assert not check(name).passed


def test_a_gelu_without_its_second_term_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The derivative is Φ(x) + x·φ(x)."""

    right = gn.GELU.forward

    def forward(layer: gn.GELU, x: Array, **options: Any) -> Any:
        def first_term(dy: Array) -> tuple[Array, dict[str, Array]]:
            with np.errstate(invalid="ignore", divide="ignore"):
                return dy * np.where(x == 0, 0.5, y / x), {}

        y = right(layer, x, **options)[0]
        return y, first_term

    monkeypatch.setattr(gn.GELU, "forward", forward)
    assert not check("GELU").passed


@pytest.mark.parametrize("units", [SMALL, LARGE])
@pytest.mark.parametrize("name", sorted(LOSSES))
def test_a_fault_in_a_loss_is_found(monkeypatch: pytest.MonkeyPatch, name: str, units: int) -> None:
    kind = LOSSES[name]
    right = kind.value_and_gradient
    assert check("Tanh", units, name).passed

    def wrong(self: Any, z: Array, target: Array) -> tuple[Array, Array]:
        costs, dz = right(self, z, target)
        return costs, 1.001 * dz

    monkeypatch.setattr(kind, "value_and_gradient", wrong)
    assert not check("Tanh", units, name).passed


@pytest.mark.parametrize("regularizer", [gn.L2(0.01), gn.L1(0.01)])
def test_a_forgotten_penalty_is_found(monkeypatch: pytest.MonkeyPatch, regularizer: Any) -> None:
    layers = [gn.Dense(6), gn.Tanh(), gn.Dense(3)]
    network = gn.Network(layers, input_shape=(4,), regularizer=regularizer, dtype="float64", seed=1)
    images, labels = np.random.default_rng(2).standard_normal((8, 4)), np.arange(8) % 3
    assert gn.check_gradients(network, images, labels).passed
    right = gn.Network.penalty_and_gradient
    monkeypatch.setattr(gn.Network, "penalty_and_gradient", lambda self: (right(self)[0], 0.99 * right(self)[1]))
    result = gn.check_gradients(network, images, labels)
    assert not result.passed
    assert ".weight" in result.worst.name


def test_wrong_input() -> None:
    network = gn.Network([gn.Flatten(), gn.Sigmoid()], input_shape=(3,), seed=0)
    with pytest.raises(gn.InputError, match=r"The network has no parameters to check\."):
        gn.check_gradients(network, np.zeros((2, 3)), np.arange(2))
    network, images, _ = tutorial("Quadratic")
    with pytest.raises(gn.InputError, match=r"Labels are missing\."):
        gn.check_gradients(network, images)
    with pytest.raises(gn.InputError, match=r"A label lies beyond the network's outputs\."):
        gn.check_gradients(network, images, np.full(5, 3))
