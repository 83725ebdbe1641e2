"""`Network`: how it is made, asked, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glassnet.data import Dataset
from glassnet.errors import InputError, ShapeError
from glassnet.network import Network
from glassnet.nn import Dense, Dropout, Flatten, LeakyReLU, Pixels, Scale, Sigmoid, Softmax
from glassnet.nn.losses import BinaryCrossEntropy, SoftmaxCrossEntropy
from glassnet.nn.optimizers import SGD

Array = np.ndarray[Any, Any]


def test_shorthand_is_the_tutorials_network() -> None:
    net = Network([784, 30, 10], seed=1)
    assert [type(layer) for layer in net.layers] == [Flatten, Pixels, Dense, Sigmoid, Dense, Sigmoid]
    assert (net.features, net.outputs, net.input_shape) == (784, 10, (784,))
    assert net.parameters.mean() == pytest.approx(0, abs=0.02)
    assert net.parameters.std() == pytest.approx(1, abs=0.02)
    assert net.classes == tuple("0123456789")


def test_same_seed_same_weights() -> None:
    np.testing.assert_array_equal(Network([5, 3], seed=1).parameters, Network([5, 3], seed=1).parameters)
    assert (Network([5, 3], seed=1).parameters != Network([5, 3], seed=2).parameters).any()
    assert Network([5, 3]).seed != Network([5, 3]).seed


def test_layers_by_name_and_by_description() -> None:
    net = Network(
        ["Flatten", {"type": "Dense", "units": 4, "initializer": "HeNormal"}, "ReLU", Dense(2)], input_shape=(2, 2, 1)
    )
    assert [type(layer).__name__ for layer in net.layers] == ["Flatten", "Dense", "ReLU", "Dense"]


def test_predict_proba() -> None:
    z = np.log(np.array([[2.0, 1, 1], [1, 1, 1e-30]]))
    for net in (
        Network([Scale(1.0)], input_shape=(3,), loss=SoftmaxCrossEntropy()),
        Network([Scale(1.0), Softmax()], input_shape=(3,), loss=SoftmaxCrossEntropy()),
        Network([Scale(1.0), Softmax()], input_shape=(3,)),
    ):
        np.testing.assert_allclose(net.predict_proba(z), [[0.5, 0.25, 0.25], [0.5, 0.5, 0]], atol=1e-6)
    several = Network([Scale(1.0), Sigmoid()], input_shape=(2,)).predict_proba(np.log([[1.0, 3.0], [3.0, 1.0]]))
    np.testing.assert_allclose(several, [[0.4, 0.6], [0.6, 0.4]], rtol=1e-6)  # ½ and ¾ of their sum
    one = Network([Scale(1.0), Sigmoid()], input_shape=(1,), loss=BinaryCrossEntropy()).predict_proba(np.log([[3.0]]))
    np.testing.assert_allclose(one, [[0.25, 0.75]], rtol=1e-6)
    blank = Network([Scale(1.0), Sigmoid()], input_shape=(2,), loss=BinaryCrossEntropy())
    np.testing.assert_allclose(blank.predict_proba(np.array([[-1e30, -1e30]])), [[0.5, 0.5]])
    with pytest.raises(InputError, match="not probabilities"):
        Network([Scale(1.0)], input_shape=(2,)).predict_proba(np.zeros((1, 2)))


def test_outputs_of_many_images_are_those_of_each() -> None:
    net = Network([17, 5, 3], seed=1)
    images = np.random.default_rng(1).random((2500, 17), dtype=np.float32)
    together = net(images)
    np.testing.assert_allclose(together[2400:2410], np.concatenate([net(image) for image in images[2400:2410]]), atol=1e-6)
    np.testing.assert_array_equal(net.predict(images), together.argmax(axis=1))
    np.testing.assert_allclose(together, net.astype("float64")(images), atol=1e-6)


def test_prediction_sees_new_weights_at_once() -> None:
    net = Network([4, 3], seed=1)
    images = np.ones((2, 4))
    before = net(images)
    net.parameters = np.zeros(15)
    np.testing.assert_array_equal(net(images), np.full((2, 3), 0.5))
    assert (before != 0.5).any()


def test_images_give_their_shape_and_classes() -> None:
    net = Network([4, 3], seed=1)
    data = Dataset(np.zeros((3, 2, 2), np.uint8), [0, 1, 2], classes=("a", "b", "c"))
    net.fit(data, 1, seed=1)
    assert net.input_shape == (2, 2, 1)
    assert net.classes == ("a", "b", "c")


def test_dropout_is_off_in_prediction() -> None:
    net = Network([Dropout(0.9), Dense(2)], input_shape=(50,), seed=1)
    images = np.ones((3, 50), np.float32)
    np.testing.assert_array_equal(net(images), net(images))
    np.testing.assert_allclose(net(images), net.astype("float64")(images), atol=1e-5)


X, Y = np.random.default_rng(1).random((12, 4), dtype=np.float32), np.arange(12) % 3
NAN = np.where(np.arange(48).reshape(12, 4) == 9, np.nan, X)


@pytest.mark.parametrize(
    ("action", "parts"),
    [
        (lambda: Network([]), ["A network needs layers."]),
        (lambda: Network([784]), ["A list of sizes needs at least two numbers", "[784]"]),
        (lambda: Network([784, 0]), ["all above 0", "[784, 0]"]),
        (lambda: Network([Dense(3)]), ["The shape of the images is missing.", "Network(input_shape)"]),
        (lambda: Network([Dense(3)], input_shape=()), ["Every axis of an image must be at least 1."]),
        (lambda: Network([Dense(3)], input_shape=(0,)), ["Every axis of an image must be at least 1."]),
        (lambda: Network(["Desne"], input_shape=(3,)), ["Unknown layer.", "layer 1", "did you mean 'Dense'?"]),
        (lambda: Network([{"type": "Dense", "unit": 3}], input_shape=(3,)), ["Unknown option of Dense.", "'units'?"]),
        (lambda: Network([{"type": "Dense"}], input_shape=(3,)), ["Dense can't be created with these options.", "units"]),
        (lambda: Network([3, 2], loss="Quadrtic"), ["Unknown loss.", "did you mean 'Quadratic'?"]),
        (lambda: Network([3, 2], seed=-1), ["A seed is a whole number of at least 0.", "-1"]),
        (lambda: Network([3, 2], seed=1.5), ["A seed is a whole number", "1.5"]),  # type: ignore[arg-type]
        (lambda: Dense(0), ["needs at least one unit", "received: 0"]),
        (lambda: Dense(True), ["needs at least one unit", "True"]),
        (lambda: Dense(2.5), ["needs at least one unit", "2.5"]),  # type: ignore[arg-type]
        (lambda: Dropout(1.0), ["The rate of dropout must lie in [0, 1)."]),
        (lambda: LeakyReLU(1.5), ["The slope must lie in [0, 1)."]),
        (lambda: Scale(float("inf")), ["A scale must be finite."]),
    ],
)
def test_networks_that_cannot_be(action: Any, parts: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        action()
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("data", "options", "parts"),
    [
        ((X, Y), {"epochs": 0}, ["epochs must be a whole number above 0.", "fit(epochs)", "received: 0"]),
        ((X, Y), {"epochs": -3}, ["epochs must be a whole number above 0.", "-3"]),
        ((X, Y), {"epochs": 1.5}, ["epochs must be a whole number above 0.", "1.5"]),
        ((X, Y), {"batch_size": 0}, ["batch_size must be a whole number above 0.", "fit(batch_size)"]),
        ((X, Y), {"batch_size": True}, ["batch_size must be a whole number above 0."]),
        ((X, Y), {"optimizer": "Adan"}, ["Unknown optimizer.", "did you mean 'Adam'?"]),
        ((X, Y), {"keep": "worst"}, ["Unknown choice.", "'last' | 'best'"]),
        ((X, Y), {"seed": -1}, ["A seed is a whole number of at least 0."]),
        ((X, Y + 1), {}, ["A label lies beyond the network's outputs.", "fit(train), item 2", "0 … 2", "4 units"]),
        ((X, Y[:5]), {}, ["not as many labels as images"]),
        ((X[:, :3], Y), {}, ["The images do not fit the network.", "(N, 4)", "(12, 3)"]),
        ((NAN, Y), {}, ["NaN", "item 2"]),
        ((X, np.ones((12, 2))), {}, ["The targets do not fit the network's outputs.", "(N, 3)", "(12, 2)"]),
        (X, {}, ["This is not a data set.", "(images, labels)"]),
        ((X, Y), {"validation": (X, Y + 2)}, ["A label lies beyond", "fit(validation)"]),
        ((X, Y), {"validation": (X[:, :3], Y)}, ["The images do not fit the network."]),
        ((X, Y), {"class_weight": "even"}, ["Unknown class weights.", "'balanced'"]),
        ((X, Y), {"class_weight": {7: 2.0}}, ["There is no such class.", "0 … 2"]),
        ((X, Y), {"class_weight": {1: -2.0}}, ["sample_weight must hold one non-negative number for each image."]),
        ((X, Y), {"sample_weight": np.ones(11)}, ["one non-negative number for each image", "(12,)", "(11,)"]),
        ((X, Y), {"sample_weight": np.full(12, np.nan)}, ["one non-negative number for each image"]),
        ((X, Y), {"checkpoint": 3}, ["This is not a path."]),
    ],
)
def test_training_that_cannot_be(data: Any, options: dict[str, Any], parts: list[str]) -> None:
    net = Network([4, 3], seed=1)
    before = net.parameters
    with pytest.raises(InputError) as caught:
        net.fit(data, **{"epochs": 1, **options})
    for part in parts:
        assert part in str(caught.value)
    np.testing.assert_array_equal(net.parameters, before)  # nothing half done


@pytest.mark.parametrize("rate", [0, -0.1, float("nan")])
def test_rates_must_be_positive(rate: float) -> None:
    with pytest.raises(InputError, match="The learning rate must be positive"):
        Network([4, 3]).fit((X, Y), 1, optimizer=SGD(rate))


def test_evaluation_that_cannot_be() -> None:
    net = Network([4, 3], seed=1)
    with pytest.raises(InputError, match="A label lies beyond"):
        net.evaluate((X, Y + 1))
    with pytest.raises(ShapeError, match="do not fit the network"):
        net.evaluate((X[:, :2], Y))
    with pytest.raises(InputError, match="defined only for classes"):
        net.evaluate((X, np.ones((12, 3))))
    with pytest.raises(InputError, match="A label lies beyond"):
        net.loss_and_gradient(X, Y + 1)


@pytest.mark.parametrize(
    ("outputs", "names", "expected"),
    [
        (3, ["a", "b"], "3 names"),
        (3, [], "3 names"),
        (1, ["a"], "2 names, as a single output"),
        (1, ["a", "b", "c"], "2 names"),
    ],
)
def test_class_names_are_as_many_as_classes(outputs: int, names: list[str], expected: str) -> None:
    with pytest.raises(InputError, match="number of class names does not fit") as caught:
        Network([4, outputs], classes=names)
    assert caught.value.where == "Network(classes)"
    assert str(caught.value.expected).startswith(expected)
    assert str(caught.value.received).startswith(f"{len(names)}")
    assert Network([4, 1], classes=["cat", "dog"]).classes == ("cat", "dog")
