"""Layers of images and sequences on examples that can be followed with a pencil."""

from __future__ import annotations

from math import exp, sqrt, tanh
from typing import Any

import numpy as np
import pytest

from glassnet.errors import InputError, ShapeError
from glassnet.nn import (
    GRU,
    LSTM,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    GlobalAveragePool2D,
    GlobalMaxPool2D,
    Layer,
    LayerNorm,
    MaxPool2D,
    SimpleRNN,
    Swish,
)

Array = np.ndarray[Any, Any]


def built(layer: Layer, shape: tuple[int, ...], **parameters: Any) -> Layer:
    """The layer for images of `shape`, with parameters as given."""
    layer.build(shape, np.random.default_rng(1))
    for name, values in parameters.items():
        layer.parameters[name][...] = np.reshape(values, layer.parameters[name].shape)
    return layer


def image(rows: Any) -> Array:
    """One image with one channel."""
    return np.array(rows, dtype=float)[None, :, :, None]


def plain(y: Array) -> Any:
    return y[0, :, :, 0].tolist()


SQUARE = image([[1, 2, 3], [4, 5, 6], [7, 8, 9]])


def test_convolution_is_a_sum_of_products_without_turning_the_window() -> None:
    layer = built(Conv2D(1, 2), (3, 3, 1), weight=[1, 0, 0, 10], bias=[100])
    y, backward = layer.forward(SQUARE)
    assert plain(y) == [[151, 162], [184, 195]]
    dx, gradients = backward(image([[1, 0], [0, 2]]))
    assert plain(dx) == [[1, 0, 0], [0, 10 + 2, 0], [0, 0, 20]]
    assert gradients["weight"][:, :, 0, 0].tolist() == [[1 + 2 * 5, 2 + 2 * 6], [4 + 2 * 8, 5 + 2 * 9]]
    assert gradients["bias"].tolist() == [3]


def test_convolution_over_channels_and_filters() -> None:
    """Two channels into two filters by a 1×1 window: the product of a matrix at each place."""
    layer = built(Conv2D(2, 1), (1, 2, 2), weight=[[1, 2], [3, 4]], bias=[0, 1])
    y = layer.forward(np.array([[[[1.0, 10.0], [2.0, 20.0]]]]))[0]
    assert y[0, 0].tolist() == [[31, 43], [62, 85]]


def test_same_padding_lies_at_the_end_where_it_is_odd_as_in_keras() -> None:
    layer = Conv2D(1, 3, strides=2, padding="same", use_bias=False)
    assert layer.margins((4, 5, 1)) == (0, 1, 1, 1)
    assert layer.margins((6, 1, 1)) == (0, 1, 1, 1)
    assert Conv2D(1, 2, padding="same").margins((3, 3, 1)) == (0, 1, 0, 1)
    assert Conv2D(1, (1, 4), padding="same").margins((3, 3, 1)) == (0, 0, 1, 2)
    assert Conv2D(1, 2, strides=3, padding="same").margins((7, 7, 1)) == (0, 1, 0, 1)
    assert Conv2D(1, 1, strides=2, padding="same").margins((6, 6, 1)) == (0, 0, 0, 0)
    assert Conv2D(1, 3).margins((6, 6, 1)) == (0, 0, 0, 0)
    y = built(layer, (2, 2, 1), weight=np.arange(9)).forward(image([[1, 10], [100, 1000]]))[0]
    assert plain(y) == [[0 * 1 + 1 * 10 + 3 * 100 + 4 * 1000]]


@pytest.mark.parametrize(("size", "window", "stride", "valid", "same"), [
    (5, 2, 2, 2, 3), (6, 3, 2, 2, 3), (28, 5, 1, 24, 28), (7, 1, 3, 3, 3), (3, 3, 5, 1, 1),
])  # fmt: skip
@pytest.mark.parametrize("kind", [MaxPool2D, AveragePool2D, lambda *options: Conv2D(2, *options[:1])])
def test_sizes(kind: Any, size: int, window: int, stride: int, valid: int, same: int) -> None:
    for padding, wanted in (("valid", valid), ("same", same)):
        layer = kind(window, stride, padding)
        layer.strides, layer.padding = (stride, stride), padding
        assert layer.build((size, size, 2), np.random.default_rng(1)) == (wanted, wanted, 2)


def test_pools() -> None:
    """3×3 by 2×2, valid: the last row and column fill no window; same: they fill smaller ones."""
    y, backward = MaxPool2D(2).forward(SQUARE)
    assert plain(y) == [[5]]
    assert plain(backward(image([[7]]))[0]) == [[0, 0, 0], [0, 7, 0], [0, 0, 0]]
    y, backward = MaxPool2D(2, padding="same").forward(-SQUARE)  # padding is never the largest
    assert plain(y) == [[-1, -3], [-7, -9]]
    y, backward = AveragePool2D(2, padding="same").forward(SQUARE)
    assert plain(y) == [[3, 4.5], [7.5, 9]]
    assert plain(backward(image([[4, 2], [6, 1]]))[0]) == [[1, 1, 1], [1, 1, 1], [3, 3, 1]]
    y, backward = AveragePool2D(2, 1).forward(SQUARE)  # windows that overlap
    assert plain(y) == [[3, 4], [6, 7]]
    assert plain(backward(image([[4, 4], [4, 4]]))[0]) == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]


def test_of_equal_values_the_first_has_the_gradient() -> None:
    x = image([[3, 1, 0], [3, 3, 3], [0, 3, 3]])
    assert plain(MaxPool2D(3).forward(x)[1](image([[5]]))[0]) == [[5, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert plain(MaxPool2D(2, 1).forward(x)[1](image([[1, 2], [4, 8]]))[0]) == [[1, 0, 0], [4, 2 + 8, 0], [0, 0, 0]]
    assert plain(GlobalMaxPool2D().forward(x)[1](np.array([[5.0]]))[0]) == [[5, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_pools_of_whole_images() -> None:
    x = np.stack([SQUARE[..., 0], -SQUARE[..., 0]], axis=-1)
    y, backward = GlobalAveragePool2D().forward(x)
    assert y.tolist() == [[5, -5]]
    assert backward(np.array([[9.0, 18.0]]))[0][0, 1, 1].tolist() == [1, 2]
    assert GlobalMaxPool2D().forward(x)[0].tolist() == [[9, -1]]


def test_batch_norm_in_training_and_after() -> None:
    """A batch 1, 3: mean 2, variance 1 (not 2). dx is 0, as two numbers always become −1 and 1."""
    layer = built(BatchNorm(momentum=0.8, epsilon=3.0), (1,), gamma=[10], beta=[1])
    x = np.array([[1.0], [3.0]])
    y, _ = layer.forward(x, training=True)
    assert y.ravel().tolist() == [1 - 10 / 2, 1 + 10 / 2]
    assert layer.statistics["mean"] == pytest.approx(0.2 * 2)
    assert layer.statistics["variance"] == pytest.approx(0.8 * 1 + 0.2 * 1)
    layer.forward(np.array([[0.0], [4.0]]), training=True)
    assert layer.statistics["mean"] == pytest.approx(0.8 * 0.4 + 0.2 * 2)
    assert layer.statistics["variance"] == pytest.approx(0.8 * 1 + 0.2 * 4)
    y, backward = layer.forward(x)
    root = sqrt(0.8 + 0.8 + 3)
    np.testing.assert_allclose(y.ravel(), [1 + 10 * (1 - 0.72) / root, 1 + 10 * (3 - 0.72) / root])
    dx, gradients = backward(np.array([[1.0], [2.0]]))
    np.testing.assert_allclose(dx.ravel(), [10 / root, 20 / root])
    np.testing.assert_allclose(gradients["gamma"], [((1 - 0.72) + 2 * (3 - 0.72)) / root])
    assert gradients["beta"].tolist() == [3]
    sharp = built(BatchNorm(epsilon=1e-12), (1,))
    np.testing.assert_allclose(sharp.forward(x, training=True)[1](np.array([[1.0], [0.0]]))[0], 0, atol=1e-9)


def test_batch_norm_counts_all_places_of_all_images() -> None:
    layer = built(BatchNorm(), (2, 1, 2))
    x = np.array([[[[0.0, 5]], [[2, 5]]], [[[4, 5]], [[6, 7]]]])
    layer.forward(x, training=True)
    np.testing.assert_allclose(layer.statistics["mean"], [0.1 * 3, 0.1 * 5.5])
    np.testing.assert_allclose(layer.statistics["variance"], [0.9 + 0.1 * 5, 0.9 + 0.1 * 0.75])


@pytest.mark.parametrize("dtype", ["float32", "float64", "longdouble"])
def test_batch_norm_of_a_large_mean_is_exact(dtype: str) -> None:
    """Σx² − (Σx)² would lose every digit."""
    x = (1000 + np.random.default_rng(1).integers(0, 2, (20000, 1))).astype(dtype)
    y = built(BatchNorm(epsilon=1e-9), (1,)).forward(x, training=True)[0]
    assert abs(float(y.std()) - 1) < 1e-5


def test_layer_norm() -> None:
    layer = built(LayerNorm(epsilon=3.0), (2,), gamma=[2, 4], beta=[0, 1])
    y, backward = layer.forward(np.array([[1.0, 3.0], [5.0, 5.0]]))
    assert y.tolist() == [[-1, 3], [0, 1]]
    assert backward(np.ones((2, 2)))[1]["gamma"].tolist() == [-0.5, 0.5]


def sigma(x: float) -> float:
    return 1 / (1 + exp(-x))


def test_simple_rnn_two_steps() -> None:
    x = np.array([[[1.0], [2.0]]])
    first = tanh(3 * 1 + 0.5)
    second = tanh(3 * 2 + 0.7 * first + 0.5)
    parameters = {"weight": [3], "recurrent_weight": [0.7], "bias": [0.5]}
    every = built(SimpleRNN(1, return_sequences=True), (2, 1), **parameters)
    np.testing.assert_allclose(every.forward(x)[0].ravel(), [first, second], rtol=1e-14)
    last = built(SimpleRNN(1), (2, 1), **parameters)
    y, backward = last.forward(x)
    np.testing.assert_allclose(y, [[second]], rtol=1e-14)
    dx, gradients = backward(np.array([[1.0]]))
    at_second = 1 - second**2
    at_first = at_second * 0.7 * (1 - first**2)
    np.testing.assert_allclose(dx.ravel(), [3 * at_first, 3 * at_second])
    np.testing.assert_allclose(gradients["weight"], [[1 * at_first + 2 * at_second]])
    np.testing.assert_allclose(gradients["recurrent_weight"], [[first * at_second]])
    np.testing.assert_allclose(gradients["bias"], [at_first + at_second])


def test_lstm_two_steps() -> None:
    """Gates i, f, g, o of the input 1, then 2, with weights 0.1 … 0.4, recurrent 0.5 … 0.8, biases 0, 1, 0, 0."""
    layer = built(LSTM(1), (2, 1), weight=[0.1, 0.2, 0.3, 0.4], recurrent_weight=[0.5, 0.6, 0.7, 0.8], bias=[0, 1, 0, 0])
    c = sigma(0.1) * tanh(0.3)
    h = sigma(0.4) * tanh(c)
    c = sigma(0.2 * 2 + 0.6 * h + 1) * c + sigma(0.1 * 2 + 0.5 * h) * tanh(0.3 * 2 + 0.7 * h)
    h = sigma(0.4 * 2 + 0.8 * h) * tanh(c)
    np.testing.assert_allclose(layer.forward(np.array([[[1.0], [2.0]]]))[0], [[h]], rtol=1e-14)


def test_gru_two_steps() -> None:
    """Gates r, z, n; the reset gate acts on Uₙ·h + b′."""
    layer = built(
        GRU(1), (2, 1), weight=[0.1, 0.2, 0.3], recurrent_weight=[0.5, 0.6, 0.7], bias=[0.01, 0.02, 0.03],
        recurrent_bias=[0.4],
    )  # fmt: skip
    h = (1 - sigma(0.22)) * tanh(0.33 + sigma(0.11) * 0.4)
    r, z = sigma(0.2 + 0.01 + 0.5 * h), sigma(0.4 + 0.02 + 0.6 * h)
    h = (1 - z) * tanh(0.6 + 0.03 + r * (0.7 * h + 0.4)) + z * h
    np.testing.assert_allclose(layer.forward(np.array([[[1.0], [2.0]]]))[0], [[h]], rtol=1e-14)


def test_recurrent_layers_read_images_row_by_row() -> None:
    layer = built(LSTM(3), (4, 5, 2))
    x = np.random.default_rng(1).standard_normal((6, 4, 5, 2))
    again = built(LSTM(3), (4, 10), **layer.parameters)
    y, backward = layer.forward(x)
    np.testing.assert_array_equal(y, again.forward(x.reshape(6, 4, 10))[0])
    assert backward(np.ones_like(y))[0].shape == x.shape


@pytest.mark.parametrize(("kind", "gates"), [(SimpleRNN, 1), (GRU, 3), (LSTM, 4)])
def test_recurrent_weights_start_orthogonal_gate_by_gate(kind: Any, gates: int) -> None:
    layer = built(kind(6), (3, 2))
    for gate in np.split(layer.parameters["recurrent_weight"], gates, axis=1):
        np.testing.assert_allclose(gate @ gate.T, np.eye(6), atol=1e-12)
    assert layer.penalised == ("weight", "recurrent_weight")
    bias = layer.parameters["bias"].reshape(gates, 6)
    np.testing.assert_array_equal(bias, np.eye(gates)[:, [1 if kind is LSTM else 0] * 6] * (kind is LSTM))
    if kind is GRU:
        np.testing.assert_array_equal(layer.parameters["recurrent_bias"], np.zeros(6))


def test_swish() -> None:
    y, backward = Swish().forward(np.array([[0.0, 2.0, -800.0]]))
    np.testing.assert_allclose(y, [[0, 2 * sigma(2), 0]], atol=1e-300)
    np.testing.assert_allclose(backward(np.ones((1, 3)))[0], [[0.5, sigma(2) + 2 * sigma(2) * (1 - sigma(2)), 0]])


# ------------------------------------------------------------------ wrong input


@pytest.mark.parametrize(("make", "what", "parts"), [
    (lambda: Conv2D(0, 3), "A convolution needs at least one filter.", ("Conv2D(filters)", "received: 0")),
    (lambda: Conv2D(True, 3), "A convolution needs at least one filter.", ("received: True",)),
    (lambda: Conv2D(3, 0), "A window size is one whole number or two.", ("Conv2D(kernel_size)", "received: 0")),
    (lambda: Conv2D(3, 2.5), "A window size is one whole number or two.", ("received: 2.5",)),
    (lambda: Conv2D(3, (2, 2, 2)), "A window size is one whole number or two.", ("for example 3, or (3, 3)",)),
    (lambda: Conv2D(3, 3, strides=(1, -1)), "A window size is one whole number or two.", ("Conv2D(strides)",)),
    (lambda: Conv2D(3, 3, padding="full"), "Unknown padding.", ("'valid' | 'same'", "Conv2D(padding)", "'full'")),
    (lambda: MaxPool2D("2"), "A window size is one whole number or two.", ("MaxPool2D(pool_size)",)),
    (lambda: AveragePool2D(2, padding="Same"), "Unknown padding.", ("AveragePool2D(padding)",)),
    (lambda: BatchNorm(momentum=1.0), "The momentum of running statistics must lie in [0, 1).", ("received: 1.0",)),
    (lambda: BatchNorm(epsilon=0), "epsilon must be positive.", ("BatchNorm(epsilon)",)),
    (lambda: LayerNorm(epsilon=0.0), "epsilon must be positive.", ("LayerNorm(epsilon)", "0")),
    (lambda: LayerNorm(epsilon=float("nan")), "epsilon must be positive.", ("LayerNorm(epsilon)", "nan")),
    (lambda: LSTM(0), "A recurrent layer needs at least one unit.", ("LSTM(units)", "received: 0")),
    (lambda: GRU(2.0), "A recurrent layer needs at least one unit.", ("GRU(units)",)),
    (lambda: SimpleRNN(2, activation="Tanh"), "Unknown activation.", ("'tanh' | 'relu'", "'Tanh'")),
])  # fmt: skip
def test_wrong_options(make: Any, what: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert caught.value.what == what
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(("layer", "shape", "what", "parts"), [
    (Conv2D(2, 5), (4, 6, 1), "The window is larger than its image.", ("at most 4 × 6", "5 × 5", "padding='same'")),
    (MaxPool2D((1, 3)), (4, 2, 1), "The window is larger than its image.", ("MaxPool2D", "at most 4 × 2", "1 × 3")),
    (Conv2D(2, 3), (16,), "Conv2D takes images with channels.", ("(rows, columns, channels)", "before any Flatten()")),
    (AveragePool2D(2), (4, 4), "AveragePool2D takes images with channels.", ("images of shape (4, 4)",)),
    (GlobalMaxPool2D(), (16,), "GlobalMaxPool2D takes images with channels.", ("shape (16,)",)),
    (GRU(2), (16,), "GRU takes sequences.", ("(steps, features)", "before any Flatten()")),
])  # fmt: skip
def test_wrong_shapes(layer: Layer, shape: tuple[int, ...], what: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(ShapeError) as caught:
        layer.build(shape, np.random.default_rng(1))
    assert caught.value.what == what
    for part in parts:
        assert part in str(caught.value)


def test_a_window_larger_than_its_image_may_be_padded() -> None:
    assert Conv2D(2, 5, padding="same").build((3, 2, 1), np.random.default_rng(1)) == (3, 2, 2)
