"""A stack of layers: one flat vector, shapes, names, images as rows, classes from outputs."""

from __future__ import annotations

import gc
import re
from typing import Any

import numpy as np
import pytest

from glassnet.errors import InputError, ShapeError
from glassnet.network import Network
from glassnet.nn import Dense, Dropout, Flatten, Pixels, ReLU, Residual, Scale, Sigmoid, Softmax, Standardize
from glassnet.nn.initializers import Normal
from glassnet.nn.losses import BinaryCrossEntropy, Quadratic, SoftmaxCrossEntropy
from glassnet.nn.penalties import L2

Array = np.ndarray[Any, Any]


def test_forward_and_backward_by_hand() -> None:
    """Two units after one pixel: y = (2x + 1, −x), cost ½‖y − t‖² with t = (0, 1) and x = 3."""
    net = Network([Dense(2)], input_shape=(1,), loss="Quadratic", seed=1, dtype="float64")
    net.parameters = [2.0, -1.0, 1.0, 0.0]  # weight (1, 2), bias (2,)
    cost, gradient = net.loss_and_gradient(np.array([[3.0]]), np.array([1]))
    assert cost == 0.5 * (7**2 + (-3 - 1) ** 2)
    np.testing.assert_array_equal(gradient, [3 * 7, 3 * -4, 7, -4])


def test_two_layers_by_hand() -> None:
    """The error goes back through the second weight as it was, then through σ′."""
    net = Network([Dense(1), Sigmoid(), Dense(1, use_bias=False)], input_shape=(1,), seed=1, dtype="float64")
    net.parameters = [1.0, 0.0, 4.0]
    cost, gradient = net.loss_and_gradient(np.array([[0.0]]), np.array([[1.0]]))  # a = σ(0) = ½, y = 2
    assert cost == 0.5
    np.testing.assert_allclose(gradient, [0.0, 1 * 4 * 0.25, 0.5])


def test_parameters_are_one_flat_vector_of_views() -> None:
    net = Network([5, 4, 3], seed=1)
    assert [slot.name for slot in net.slots] == ["dense1.weight", "dense1.bias", "dense2.weight", "dense2.bias"]
    assert [slot.shape for slot in net.slots] == [(5, 4), (4,), (4, 3), (3,)]
    assert [slot.penalised for slot in net.slots] == [True, False, True, False]
    assert net.parameters.shape == (5 * 4 + 4 + 4 * 3 + 3,)
    net.parameters = np.arange(39)
    np.testing.assert_array_equal(net.layers[2].parameters["bias"], [20, 21, 22, 23])
    net.parameters[0] = 99  # a copy
    assert net.flat[0] == 0
    with pytest.raises(ShapeError, match="wrong length") as caught:
        net.parameters = np.zeros(38)
    assert "(39,)" in str(caught.value)
    assert "(38,)" in str(caught.value)


def test_twins_of_another_float_type_share_nothing() -> None:
    net = Network([5, 4, 3], seed=1)
    twin = net.astype("float64")
    np.testing.assert_array_equal(net.parameters, twin.parameters)
    twin.flat[...] = 0
    assert net.flat.any()
    assert (net.dtype, twin.dtype) == (np.float32, np.float64)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kinds_of_images(dtype: str) -> None:
    net = Network([6, 3], seed=1, input_shape=(2, 3, 1), dtype=dtype)
    bytes_ = np.random.default_rng(1).integers(0, 256, (4, 2, 3, 1)).astype(np.uint8)
    wanted = net(bytes_)
    np.testing.assert_array_equal(net(bytes_.astype(np.int64)), wanted)
    np.testing.assert_array_equal(net(bytes_.reshape(4, 6)), wanted)
    np.testing.assert_array_equal(net(np.asfortranarray(bytes_)), wanted)
    np.testing.assert_allclose(net(bytes_ / 255), wanted, rtol=1e-5)
    np.testing.assert_array_equal(net(bytes_[1]), wanted[1:2])  # one image
    np.testing.assert_array_equal(net.predict(bytes_[1:2]), wanted[1:2].argmax(axis=1))
    assert net(bytes_ > 127).shape == (4, 3)
    assert net(bytes_[:0]).shape == (0, 3)
    assert net.predict(bytes_[:0]).shape == (0,)


@pytest.mark.parametrize(
    "layers", [[Scale(1.0), Pixels()], [Dropout(0.5), Pixels()], [ReLU(), Pixels()], [Pixels(), Pixels()]]
)
def test_pixels_scale_only_what_is_still_integers(layers: list[Any]) -> None:
    net = Network([Flatten(), *layers], input_shape=(3,), seed=1)
    images = np.array([[0, 51, 255]], dtype=np.uint8)
    wanted = np.array([[0, 0.2, 1]]) if isinstance(layers[0], Pixels) else np.array([[0, 51, 255]])
    np.testing.assert_allclose(net(images), wanted, rtol=1e-6)
    np.testing.assert_allclose(net.astype("float64")(images), wanted, rtol=1e-6)


def test_wrong_images_are_refused() -> None:
    net = Network([6, 3], seed=1, input_shape=(2, 3, 1))
    with pytest.raises(ShapeError, match="do not fit the network") as caught:
        net.predict(np.zeros((4, 7)))
    assert "(N, 2, 3, 1)" in str(caught.value)
    assert "(4, 7)" in str(caught.value)
    bad = np.zeros((4, 6))
    bad[2, 1] = np.nan
    for value in (np.nan, np.inf):
        bad[2, 1] = value
        with pytest.raises(InputError, match="NaN or infinity") as caught:
            net(bad)
        assert "image 2" in str(caught.value)
    with pytest.raises(InputError, match="arrays of numbers"):
        net(np.array([["a"] * 6]))


def test_layers_that_do_not_fit_say_what_to_do() -> None:
    with pytest.raises(ShapeError, match="takes flat images") as caught:
        Network([Pixels(), Dense(3)], input_shape=(2, 3, 1))
    for part in ("layer 2, Dense(units=3", "after Pixels()", "(2, 3, 1)", "put a Flatten() before it"):
        assert part in str(caught.value)
    with pytest.raises(ShapeError, match="do not fit the images"):
        Network([Standardize(mean=[1, 2], std=[1, 1])], input_shape=(3,))
    layer = Dense(3)
    with pytest.raises(InputError, match="appears twice"):
        Network([layer, layer], input_shape=(3,))
    with pytest.raises(InputError, match="float32 or float64"):
        Network([3, 2], dtype="float16")


@pytest.mark.parametrize(
    ("loss", "end", "fused", "threshold"),
    [
        (Quadratic(), Sigmoid(), False, 0.5),
        (BinaryCrossEntropy(), Sigmoid(), True, 0.0),
        (BinaryCrossEntropy(), Scale(1.0), False, 0.0),
        (SoftmaxCrossEntropy(), Softmax(), True, 0.0),
        (SoftmaxCrossEntropy(), Sigmoid(), False, 0.0),
    ],
)
def test_a_loss_computes_its_own_activation(loss: Any, end: Any, fused: bool, threshold: float) -> None:
    net = Network([Dense(2), end], input_shape=(3,), loss=loss, seed=1)
    assert net.fuses_activation == fused
    assert net.layers_before_loss == 2 - fused
    assert net.threshold == threshold


def test_classes_are_the_first_largest_output_or_above_the_threshold() -> None:
    net = Network([Scale(1.0)], input_shape=(3,), seed=1)
    np.testing.assert_array_equal(net.predict(np.array([[1, 3, 3], [5, 5, 5], [-1, -2, 0.0]])), [1, 0, 2])
    single = Network([Scale(1.0)], input_shape=(1,), seed=1)
    np.testing.assert_array_equal(single.predict(np.array([[0.5], [0.51], [-3]])), [0, 1, 0])
    logit = Network([Scale(1.0)], input_shape=(1,), seed=1, loss=BinaryCrossEntropy())
    np.testing.assert_array_equal(logit.predict(np.array([[0.0], [0.1], [-0.1]])), [0, 1, 0])


def test_summary_counts() -> None:
    net = Network([784, 30, 10], seed=1, input_shape=(28, 28, 1))
    text = str(net)
    for part in ("28 × 28 × 1", "Dense(units=30", "23,550", "23,520", "23,860", "95,440", "loss: Quadratic()"):
        assert part in text, part
    assert len({len(line) for line in text.splitlines() if line.startswith("─")}) == 1
    assert "penalty: L2(rate=0.1)" in str(Network([3, 2], regularizer=L2(0.1)))
    assert re.fullmatch(r"Network\(\[.*\], loss=Quadratic\(\), input_shape=\(28, 28, 1\)\)", repr(net))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("value", [0.1, 1 / 3, 0.7, 1e-12, -123.456])
def test_a_place_that_never_changes_keeps_std_1(dtype: str, value: float) -> None:
    """The mean of 1000 times 0.1 is not 0.1, and a last digit that differs is rounding; one of 1e-6 is a signal."""
    images = np.full((1000, 3), value, dtype=dtype)
    images[::2, 1] = np.nextafter(images[0, 1], np.inf)
    images[::2, 2] *= 1 + 1e-6
    net = Network([Standardize()], input_shape=(3,), seed=1, dtype=dtype)
    net.adapt(images)
    np.testing.assert_array_equal(net.layers[0].statistics["std"][:2], [1, 1])
    np.testing.assert_allclose(net.layers[0].statistics["std"][2], abs(value) * 5e-7, rtol=0.1)
    if dtype == "float64":
        np.testing.assert_array_equal(net(images)[:, 0], np.zeros(1000))


def test_a_std_that_float32_can_not_divide_by_is_none() -> None:
    images = np.zeros((10, 1), dtype=np.float32)
    images[0] = 1e-44
    net = Network([Standardize()], input_shape=(1,), seed=1)
    net.adapt(images)
    np.testing.assert_allclose(net(images), images, atol=1e-38)


def test_statistics_are_taken_from_a_layers_own_input() -> None:
    net = Network([Pixels(), Scale(2.0), Standardize(), Dense(2, initializer=Normal())], input_shape=(3,), seed=1)
    images = np.array([[0, 51, 7], [255, 51, 9]], dtype=np.uint8)
    net.adapt(images)
    np.testing.assert_allclose(net.layers[2].statistics["mean"], [1, 0.4, 16 / 255], rtol=1e-6)
    np.testing.assert_allclose(net.layers[2].statistics["std"], [1, 1, 2 / 255], rtol=1e-5)  # never changing: 1
    np.testing.assert_allclose(net.forward(net.rows(images), stop=3)[0], [[-1, 0, -1], [1, 0, 1]], atol=1e-4)
    net.adapt(images[:1])  # only once
    assert net.layers[2].statistics["mean"][0] == 1


def test_a_layer_of_another_network_is_copied() -> None:
    """Otherwise its parameters would lie in the vector of the second network, and the first would no longer train."""
    dense = Dense(3)
    first = Network([dense], input_shape=(4,), seed=1)
    before = first.parameters
    second = Network([Residual([dense])], input_shape=(4,), seed=2)
    second.parameters = second.parameters + 1
    first.flat[:] *= 2
    assert first.layers[0] is dense
    np.testing.assert_array_equal(dense.parameters["bias"], 2 * before[-3:])
    np.testing.assert_array_equal(dense.parameters["weight"].ravel(), 2 * before[:-3])
    del first
    gc.collect()
    assert Network([dense], input_shape=(4,), seed=2).layers[0] is dense  # nobody else has it any more
