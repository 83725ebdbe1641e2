"""Each explanation is what its docstring says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glassnet.analysis import explain
from glassnet.data import Dataset
from glassnet.errors import InputError, ShapeError
from glassnet.network import Network
from glassnet.nn import (
    LSTM,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPool2D,
    Pixels,
    ReLU,
    Residual,
    Scale,
    Sigmoid,
)
from glassnet.nn.losses import BinaryCrossEntropy, SoftmaxCrossEntropy

Array = np.ndarray[Any, Any]
SHAPE = (8, 6, 1)


def make_images(count: int, shape: tuple[int, ...] = SHAPE) -> Array:
    return np.random.default_rng(3).integers(0, 256, (count, *shape)).astype(np.uint8)


def convolutional(dtype: str = "float64", shape: tuple[int, ...] = SHAPE) -> Network:
    layers = [Pixels(), Conv2D(4, 3), BatchNorm(), ReLU(), MaxPool2D(2), Flatten(), Dense(5), ReLU(), Dropout(0.4), Dense(3)]
    return Network(layers, loss=SoftmaxCrossEntropy(), input_shape=shape, seed=2, dtype=dtype)


def score(network: Network, floats: Array, target: int) -> float:
    """The network's raw output for a class, by NumPy."""
    return float(network.forward(floats[None].reshape(1, -1))[0].ravel()[target])


@pytest.mark.parametrize("shape", [SHAPE, (8, 6, 3)])
def test_saliency_is_the_derivative_of_the_score(shape: tuple[int, ...], relative_error: Any) -> None:
    network, images = convolutional(shape=shape), make_images(1, shape)
    target, epsilon = 1, 1e-6
    floats = images[0] / 255
    wanted = np.empty(shape)
    for place in np.ndindex(shape):
        above, below = floats.copy(), floats.copy()
        above[place] += epsilon
        below[place] -= epsilon
        wanted[place] = (score(network, above, target) - score(network, below, target)) / (2 * epsilon)
    found = explain.saliency(network, images, target, signed=True)
    assert relative_error(found[0], wanted) < 1e-6
    largest = explain.saliency(network, images, [target])
    np.testing.assert_array_equal(largest, np.abs(found).max(axis=3))


def test_saliency_of_a_single_output_turns_its_sign_with_the_class() -> None:
    network = Network([Flatten(), Dense(1), Sigmoid()], loss=BinaryCrossEntropy(), input_shape=SHAPE, seed=1, dtype="float64")
    found = [explain.saliency(network, make_images(1) / 255, target, signed=True) for target in (0, 1)]
    np.testing.assert_allclose(found[1].ravel(), network.parameters[:48])
    np.testing.assert_array_equal(found[0], -found[1])


def test_saliency_looks_before_a_flat_sigmoid() -> None:
    layers = [Flatten(), Dense(2), Sigmoid()]
    network = Network(layers, input_shape=SHAPE, seed=1, dtype="float64")  # quadratic cost: no link
    network.parameters = network.parameters * 1e4
    slope = explain.saliency(network, make_images(2) / 255, 0, signed=True)
    np.testing.assert_allclose(slope[1].ravel(), network.parameters[:96].reshape(48, 2)[:, 0])


def test_saliency_explains_the_predicted_class_by_default() -> None:
    network, images = convolutional("float32"), make_images(70)
    predicted = network.predict(images)
    assert len(set(predicted.tolist())) > 1
    np.testing.assert_array_equal(explain.saliency(network, images), explain.saliency(network, images, predicted))
    assert explain.saliency(network, images).shape == (70, 8, 6)


def test_occlusion_is_the_drop_of_the_probability_under_each_square() -> None:
    """By hand: squares of 4 that do not overlap, so each pixel is covered by one of them."""
    network = Network([Flatten(), Pixels(), Dense(3)], loss=SoftmaxCrossEntropy(), input_shape=(8, 8, 1), seed=4)
    image = make_images(1, (8, 8, 1))
    found = explain.occlusion(network, image, 2, window=4, stride=4, fill=0)
    uncovered = network.predict_proba(image)[0, 2]
    for top in (0, 4):
        for left in (0, 4):
            covered = image.copy()
            covered[0, top : top + 4, left : left + 4] = 0
            drop = uncovered - network.predict_proba(covered)[0, 2]
            np.testing.assert_allclose(found[0, top : top + 4, left : left + 4], drop, atol=1e-12)


def test_occlusion_covers_every_pixel_and_fills_with_the_border() -> None:
    network, images = convolutional("float32"), make_images(3)
    found = explain.occlusion(network, images)
    assert found.shape == (3, 8, 6)
    assert np.isfinite(found).all()
    blank = np.full((1, *SHAPE), 37, dtype=np.uint8)
    np.testing.assert_array_equal(explain.occlusion(network, blank, 0), np.zeros((1, 8, 6)))


def test_occlusion_of_outputs_that_are_no_probabilities() -> None:
    network = Network([Flatten(), Dense(2)], input_shape=SHAPE, loss="Quadratic", seed=1)
    image = make_images(1) / np.float32(255)
    found = explain.occlusion(network, image, 1, window=6, stride=6, fill=0.0)
    covered = image.copy()
    covered[0, :6, :6] = 0
    covered_below = image.copy()
    covered_below[0, 2:, :6] = 0
    drops = [float((network(image) - network(each))[0, 1]) for each in (covered, covered_below)]
    np.testing.assert_allclose(found[0, 0], drops[0], rtol=1e-4)
    np.testing.assert_allclose(found[0, 4], np.mean(drops), rtol=1e-4)
    np.testing.assert_allclose(found[0, 7], drops[1], rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "network",
    [
        convolutional("float32"),
        Network([Pixels(), Residual([Conv2D(1, 3, padding="same"), ReLU()]), Flatten(), Dense(3)], input_shape=SHAPE, seed=1),
        Network([Pixels(), LSTM(5), Dense(3)], input_shape=SHAPE, seed=1),
    ],
    ids=["convolution", "residual", "recurrence"],
)
def test_activations_are_the_outputs_of_each_layer(network: Network, dtype: str) -> None:
    images = make_images(5)
    found = explain.activations(network.astype(dtype), images)
    exact = network.astype("float64")
    assert list(found) == network.names
    for stop, name in enumerate(network.names, 1):
        wanted = exact.forward(exact.rows(images), stop=stop)[0]
        assert found[name].shape == wanted.shape == (5, *network.shapes[stop])
        np.testing.assert_allclose(found[name], wanted, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(explain.activations(network.astype(dtype), images, name), found[name])


def test_activations_leave_the_network_as_it_is() -> None:
    network, images = convolutional("float32"), make_images(4)
    before = network(images)
    explain.activations(network, images, "relu1")
    np.testing.assert_array_equal(network(images), before)
    assert len(network.layers) == 10


def test_nearest_training_images_are_the_nearest() -> None:
    network = convolutional("float64")
    train = Dataset(make_images(40), np.arange(40) % 3)
    queries = train.images[[7, 21]]
    near = explain.nearest_training_images(network, queries, train, count=4)
    assert near.layer == "relu2"
    hidden = explain.activations(network, train.images, "relu2")
    for row, place in enumerate((7, 21)):
        distances = np.linalg.norm(hidden - hidden[place], axis=1)
        np.testing.assert_allclose(near.distances[row], np.sort(distances)[:4], atol=1e-9)
        np.testing.assert_allclose(distances[near.indices[row]], near.distances[row], atol=1e-9)
        assert near.distances[row, 0] == 0


def test_nearest_by_another_layer() -> None:
    network, train = convolutional("float32"), Dataset(make_images(10), np.arange(10) % 3)
    near = explain.nearest_training_images(network, train.images[:1], train, count=10, layer="pixels1")
    assert near.layer == "pixels1"
    assert sorted(near.indices[0]) == list(range(10))
    np.testing.assert_array_equal(near.distances, np.sort(near.distances, axis=1))


def test_typical_input_of_a_linear_unit_follows_its_weights() -> None:
    network = Network([Flatten(), Pixels(), Dense(3)], loss=SoftmaxCrossEntropy(), input_shape=SHAPE, seed=5)
    found = explain.typical_input(network, "dense1.2", blur=0.0, decay=0.0)
    weights = network.parameters[:144].reshape(48, 3)[:, 2].reshape(SHAPE)
    clear = np.abs(weights) > 0.25 * np.abs(weights).max()
    np.testing.assert_array_equal(found.image[clear] > 0.5, weights[clear] > 0)
    assert found.value > found.before
    bias = network.parameters[144 + 2]
    assert found.value == pytest.approx(float((found.image * weights).sum() + bias), rel=1e-4)
    assert found.bounds == (0.0, 1.0)


def test_typical_input_maximises_a_filter_within_bounds() -> None:
    network = convolutional("float32")
    found = explain.typical_input(network, "conv2d1.3")
    maps = explain.activations(network, found.image[None].astype(np.float32), "conv2d1")
    assert found.value == pytest.approx(float(maps[0, :, :, 3].mean()), rel=1e-4)
    assert found.value > found.before
    assert found.image.min() >= 0
    assert found.image.max() <= 1
    again = explain.typical_input(network, "conv2d1.3")
    np.testing.assert_array_equal(found.image, again.image)


def test_typical_input_of_a_network_with_its_own_scaling_is_in_bytes() -> None:
    network = Network([Scale(1 / 255), Flatten(), Dense(2)], input_shape=SHAPE, seed=5)
    found = explain.typical_input(network, "dense1.0")
    assert found.bounds == (0.0, 255.0)
    assert found.image.max() > 100


def test_a_dead_unit_has_no_typical_input_but_does_not_fail() -> None:
    network = Network([Flatten(), Dense(2), ReLU()], input_shape=SHAPE, seed=5)
    network.parameters = -np.abs(network.parameters) - 1
    found = explain.typical_input(network, "relu1.0")
    assert (found.value, found.before) == (0.0, 0.0)


def test_wrong_input_is_an_error() -> None:
    network, images = convolutional("float32"), make_images(2)
    with pytest.raises(InputError, match="no such class") as error:
        explain.saliency(network, images, 3)
    assert error.value.where == "saliency(classes)"
    assert error.value.expected == "0 … 2: 0, 1, 2"
    with pytest.raises(InputError, match="no such class"):
        explain.occlusion(network, images, [0, -1])
    with pytest.raises(ShapeError, match="no image to explain"):
        explain.saliency(network, images[:0])
    with pytest.raises(InputError, match="stride does not fit") as error:
        explain.occlusion(network, images, window=2, stride=3)
    assert error.value.expected == "1 … 2, the side of the window"
    with pytest.raises(InputError, match="window does not fit"):
        explain.occlusion(network, images, window=7)
    with pytest.raises(InputError, match="layer") as error:
        explain.activations(network, images, "conv2d9")
    assert "conv2d1" in str(error.value)
    for unit, message in (
        ("dense1", "not the name of a unit"),
        ("dense1.5", "no such unit"),
        ("dense1.-1", "not the name of a unit"),
    ):
        with pytest.raises(InputError, match=message):
            explain.typical_input(network, unit)
    with pytest.raises(InputError, match="bounds are empty"):
        explain.typical_input(network, "dense1.0", bounds=(1.0, 1.0))
    train = Dataset(images, [0, 1])
    with pytest.raises(InputError, match="fewer training images"):
        explain.nearest_training_images(network, images, train, count=3)
    flat = Network([Flatten(), Dense(2)], input_shape=SHAPE, seed=1)
    with pytest.raises(InputError, match="no hidden layer"):
        explain.nearest_training_images(flat, images, train, count=1)
    with pytest.raises(ShapeError, match="can be covered"):
        explain.occlusion(Network([Dense(2)], input_shape=(6,), seed=1), np.ones((1, 6), dtype=np.float32))
