"""Networks made in Keras give the same outputs here; what glassnet lacks is refused by its name."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.errors import InputError, ShapeError

Array = np.ndarray[Any, Any]
Make = Callable[[Any, Any], Any]  # from keras and keras.layers
IMAGE, FLAT, STEPS = (9, 8, 3), (12,), (6, 5)

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own, on PyTorch


@pytest.fixture(scope="module")
def keras() -> Iterator[Any]:
    """Keras on PyTorch; imported for these tests alone, as it takes seconds."""
    pytest.importorskip("torch", reason="PyTorch, which Keras computes with here, is not installed (the group `parity`)")
    os.environ["KERAS_BACKEND"] = "torch"
    library = pytest.importorskip("keras", reason="Keras is not installed (the group `parity`)")
    library.utils.set_random_seed(1)
    yield library
    library.utils.clear_session()


def functional(keras: Any, shape: tuple[int, ...], *layers: Any) -> Any:
    value = start = keras.Input(shape)
    for layer in layers:
        value = layer(value)
    return keras.Model(start, value)


def normalization(L: Any) -> Any:
    layer = L.Normalization()
    layer.adapt(np.random.default_rng(3).standard_normal((50, *IMAGE)).astype(np.float32) * 3 + 1)
    return layer


NETWORKS: dict[str, tuple[Make, tuple[int, ...]]] = {
    "mlp": (
        lambda K, L: K.Sequential([
            K.Input(FLAT), L.Dense(7, activation="relu"), L.Dropout(0.3), L.Dense(4, activation="softmax"),
        ]),
        FLAT,
    ),
    "activations": (
        lambda K, L: functional(
            K, FLAT, L.Dense(8, activation="gelu", use_bias=False), L.Dense(8, activation="silu"), L.Activation("tanh"),
            L.Dense(8, activation="leaky_relu"), L.LeakyReLU(negative_slope=0.3), L.ReLU(), L.ReLU(negative_slope=0.1),
            L.Dense(6, activation="sigmoid"), L.Dense(3, activation="linear"), L.Softmax(),
        ),
        FLAT,
    ),
    "lenet": (
        lambda K, L: K.Sequential([
            K.Input(IMAGE), L.Rescaling(1 / 128, offset=-0.5), L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D(2),
            L.Conv2D(5, (2, 3), use_bias=False), L.Flatten(), L.Dense(6, activation="tanh"), L.Dense(4),
        ]),
        IMAGE,
    ),
    "vgg": (
        lambda K, L: functional(
            K, IMAGE, L.Conv2D(6, 3, padding="same", use_bias=False), L.BatchNormalization(), L.Activation("relu"),
            L.Conv2D(5, 4, padding="same"), L.BatchNormalization(center=False, scale=False), L.MaxPooling2D(2),
            L.GlobalAveragePooling2D(), L.Dense(3),
        ),
        IMAGE,
    ),
    "strides": (
        lambda K, L: K.Sequential([
            K.Input(IMAGE), L.Conv2D(4, 3, strides=2, padding="same"), L.MaxPooling2D(3, 2, padding="same"),
            L.Conv2D(3, (2, 1), strides=(1, 2), padding="same"), L.Flatten(), L.Dense(1, activation="sigmoid"),
        ]),
        IMAGE,
    ),
    "average-same": (
        lambda K, L: K.Sequential([
            K.Input(IMAGE), L.AveragePooling2D(3, 1, padding="same"), L.AveragePooling2D(2), L.Conv2D(4, 1),
            L.GlobalMaxPooling2D(), L.LayerNormalization(), L.Dense(2),
        ]),
        IMAGE,
    ),
    "nested-and-normalized": (
        lambda K, L: K.Sequential([
            K.Input(IMAGE), K.Sequential([normalization(L), L.Conv2D(2, 3)]), K.Sequential([L.Flatten(), L.Dense(3)]),
        ]),
        IMAGE,
    ),
    "lstm": (
        lambda K, L: K.Sequential([K.Input(STEPS), L.LSTM(4, return_sequences=True), L.LSTM(3, use_bias=False), L.Dense(2)]),
        STEPS,
    ),
    "gru": (
        lambda K, L: functional(K, STEPS, L.GRU(4, return_sequences=True), L.GRU(3, use_bias=False), L.Dense(2)),
        STEPS,
    ),
    "rnn": (
        lambda K, L: K.Sequential([
            K.Input(STEPS), L.SimpleRNN(4, activation="relu", return_sequences=True), L.LayerNormalization(epsilon=1e-2),
            L.SimpleRNN(3), L.Dense(2, activation="sigmoid"),
        ]),
        STEPS,
    ),
    "built-later": (lambda K, L: built(K.Sequential([L.Flatten(), L.Dense(3)]), IMAGE), IMAGE),
}  # fmt: skip


def built(model: Any, shape: tuple[int, ...]) -> Any:
    model.build((None, *shape))
    return model


def disturbed(model: Any) -> Any:
    """The model with biases, scales and running statistics as training leaves them."""
    rng = np.random.default_rng(1)
    for layer in model._flatten_layers():
        if hasattr(layer, "layers") or type(layer).__name__ == "Normalization":
            continue
        for variable in layer.weights:
            if variable.path.endswith("moving_variance"):
                variable.assign(rng.uniform(0.5, 2.0, variable.shape))
            elif not variable.path.endswith("kernel") and "seed" not in variable.path:
                variable.assign(rng.standard_normal(variable.shape) / 3)
    return model


def images(shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(1).standard_normal((20, *shape)).astype(np.float32)


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_those_of_the_model(name: str, keras: Any) -> None:
    make, shape = NETWORKS[name]
    model = disturbed(make(keras, keras.layers))
    x = images(shape)
    wanted = np.asarray(model.predict(x, verbose=0))
    network = gn.from_keras(model)
    np.testing.assert_allclose(network(x), wanted.reshape(len(x), -1), rtol=0, atol=1e-5)
    assert network.input_shape == shape


def test_layers_in_front_take_the_bytes(keras: Any) -> None:
    model = keras.Sequential([keras.Input(IMAGE), keras.layers.Flatten(), keras.layers.Dense(3)])
    x = np.random.default_rng(1).integers(0, 256, (5, *IMAGE), dtype=np.uint8)
    wanted = model.predict(x.astype(np.float32) / 255, verbose=0)
    np.testing.assert_allclose(gn.from_keras(model, before=[gn.Pixels()])(x), wanted, rtol=0, atol=1e-5)


def branched(K: Any, L: Any) -> Any:
    start = K.Input(FLAT)
    return K.Model(start, L.Add(name="sum")([L.Dense(12, name="left")(start), start]))


def twice(K: Any, L: Any) -> Any:
    start, layer = K.Input(FLAT), L.Dense(12, name="shared")
    return K.Model(start, layer(layer(start)))


def two_outputs(K: Any, L: Any) -> Any:
    start = K.Input(FLAT)
    first = L.Dense(4, name="first")(start)
    return K.Model(start, [first, L.Dense(2, name="second")(first)])


def of_a_class(K: Any, L: Any) -> Any:
    class Mine(K.Model):  # type: ignore[misc,name-defined]
        def call(self, x: Any) -> Any:
            return x

    return Mine()


def overridden(K: Any, L: Any) -> Any:
    class Mine(K.Sequential):  # type: ignore[misc,name-defined]
        def call(self, x: Any, **options: Any) -> Any:
            return x + super().call(x, **options)

    return Mine([K.Input(FLAT), L.Dense(12)])


def row(*layers: Any) -> Make:
    """A Sequential of FLAT images of what the functions make."""
    return lambda K, L: K.Sequential([K.Input(FLAT), *(layer(L) for layer in layers)])


def on_images(layer: Callable[[Any], Any]) -> Make:
    return lambda K, L: K.Sequential([K.Input(IMAGE), layer(L)])


REFUSED: dict[str, tuple[Make, str, str]] = {
    "layer": (row(lambda L: L.Dense(4), lambda L: L.PReLU(name="bent")), "does not have this layer", "bent, PReLU"),
    "lambda": (row(lambda L: L.Lambda(lambda x: x, name="own")), "does not have this layer", "own, Lambda"),
    "activation": (row(lambda L: L.Dense(4, activation="elu", name="d")), "does not have this activation", "d, Dense"),
    "function": (row(lambda L: L.Dense(4, activation=abs, name="d")), "does not have this activation", "d, Dense"),
    "groups": (on_images(lambda L: L.Conv2D(6, 3, groups=3, name="c")), "this option", "c, Conv2D"),
    "dilation": (on_images(lambda L: L.Conv2D(6, 3, dilation_rate=2, name="c")), "this option", "c, Conv2D"),
    "axis": (on_images(lambda L: L.BatchNormalization(axis=1, name="b")), "this option", "b, BatchNormalization"),
    "relu6": (row(lambda L: L.ReLU(max_value=6, name="r")), "this option", "r, ReLU"),
    "gru": (
        lambda K, L: K.Sequential([K.Input(STEPS), L.GRU(3, reset_after=False, name="g")]), "this option", "g, GRU",
    ),
    "lstm": (
        lambda K, L: K.Sequential([K.Input(STEPS), L.LSTM(3, activation="relu", name="l")]), "this activation", "l, LSTM",
    ),
    "rescaling": (on_images(lambda L: L.Rescaling([1.0, 2.0, 3.0], name="s")), "one factor", "s, Rescaling"),
    "average-same": (on_images(lambda L: L.AveragePooling2D(2, padding="same", name="a")), "Keras on PyTorch", "a, Average"),
    "branches": (branched, "do not stand in a row|does not have this layer", "sum, Add"),
    "twice": (twice, "do not stand in a row", "from_keras"),
    "two-outputs": (two_outputs, "do not stand in a row", "from_keras"),
    "not-built": (lambda K, L: K.Sequential([L.Dense(3)]), "does not know the shape", "from_keras"),
    "any-size": (lambda K, L: K.Sequential([K.Input((None, 5)), L.LSTM(2)]), "does not know the shape", "from_keras"),
    "own-call": (overridden, "does not have this layer", "from_keras"),
    "own-class": (of_a_class, "does not know the shape", "from_keras"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_lacking_is_refused_by_name(name: str, keras: Any) -> None:
    make, what, where = REFUSED[name]
    with pytest.raises(InputError, match=what) as caught:
        gn.from_keras(make(keras, keras.layers))
    assert str(caught.value.where).startswith(where)


def test_a_dense_on_sequences_is_a_matter_of_shapes(keras: Any) -> None:
    """Keras applies it to each step; ours takes flat images."""
    model = keras.Sequential([keras.Input(STEPS), keras.layers.Dense(3, name="each")])
    with pytest.raises(ShapeError) as caught:
        gn.from_keras(model)
    assert caught.value.where == "each, Dense"


def test_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    with pytest.raises(InputError, match="not a model of Keras 3"):
        gn.from_keras("model.keras")  # type: ignore[arg-type]
