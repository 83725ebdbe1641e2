"""The contract that every layer keeps. A layer that is not among CASES fails the suite."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet.errors import ShapeError
from glassnet.network import Network
from glassnet.nn import (
    GRU,
    LAYERS,
    LSTM,
    AveragePool2D,
    BatchNorm,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    GlobalMaxPool2D,
    Layer,
    LayerNorm,
    MaxPool2D,
    Residual,
    SimpleRNN,
    Standardize,
    Swish,
    Tanh,
    as_layer,
)
from glassnet.nn.initializers import Normal
from glassnet.nn.losses import SoftmaxCrossEntropy
from glassnet.nn.optimizers import SGD
from glassnet.runtime import CompiledTrainer, Predictor, ReferenceTrainer, StepPlan, make_trainer, use_kernels

Array = np.ndarray[Any, Any]
Case = tuple[Callable[[], Layer], tuple[int, ...]]

ANY_SHAPE = ((7,), (1,), (2, 3, 2))


def unbiased() -> Conv2D:
    """What BatchNorm may follow: the gradient of a bias would be 0, and its relative error without meaning."""
    return Conv2D(2, 3, padding="same", use_bias=False)


CASES: dict[str, list[Case]] = {
    **{
        name: [(LAYERS[name], shape) for shape in ANY_SHAPE]
        for name in ("Pixels", "Flatten", "Sigmoid", "Tanh", "ReLU", "LeakyReLU", "GELU", "Swish", "Softmax", "Dropout")
    },
    "Scale": [(lambda: LAYERS["Scale"](factor=-1.5, offset=0.25), shape) for shape in ANY_SHAPE]
    + [(lambda: LAYERS["Scale"](factor=1 / 255), (7,))],
    "Standardize": [(LAYERS["Standardize"], shape) for shape in ANY_SHAPE]
    + [(lambda: LAYERS["Standardize"](mean=[0.1, -0.2], std=[2.0, 0.5]), (2, 3, 2))],
    "Dense": [
        (lambda: Dense(4), (7,)),
        (lambda: Dense(1, use_bias=False), (5,)),
        (lambda: Dense(3, initializer=Normal(0.5), bias_initializer=Normal()), (1,)),
        (lambda: Dense(33), (17,)),
    ],
    "Conv2D": [
        (lambda: Conv2D(4, 3), (5, 6, 1)),
        (lambda: Conv2D(2, (2, 3), strides=(2, 1), use_bias=False), (5, 6, 3)),
        (lambda: Conv2D(3, 3, padding="same"), (4, 4, 2)),
        (lambda: Conv2D(3, 3, strides=2, padding="same"), (5, 4, 3)),
        (lambda: Conv2D(3, (4, 2), strides=(3, 2), padding="same"), (7, 5, 1)),
        (lambda: Conv2D(2, 1, strides=3, bias_initializer=Normal()), (7, 8, 2)),
        (lambda: Conv2D(5, 4, initializer=Normal(0.02)), (4, 4, 3)),  # small, so that bytes as they are give small costs
        (lambda: Conv2D(17, 3, padding="same"), (3, 3, 16)),
        (lambda: Conv2D(1, 5, padding="same"), (2, 3, 1)),
    ],
    **{
        kind.__name__: [
            (lambda kind=kind: kind(2), (4, 6, 1)),
            (lambda kind=kind: kind(2), (5, 7, 3)),
            (lambda kind=kind: kind(2, padding="same"), (5, 7, 2)),
            (lambda kind=kind: kind((3, 2), strides=(2, 1)), (5, 4, 2)),
            (lambda kind=kind: kind(3, strides=2, padding="same"), (6, 5, 3)),
            (lambda kind=kind: kind(2, strides=3), (8, 7, 1)),
            (lambda kind=kind: kind(1), (2, 2, 3)),
        ]
        for kind in (MaxPool2D, AveragePool2D)
    },
    **{
        kind.__name__: [(kind, (3, 4, 3)), (kind, (1, 1, 2)), (kind, (5, 5, 1))]
        for kind in (GlobalAveragePool2D, GlobalMaxPool2D)
    },
    "BatchNorm": [
        (BatchNorm, (7,)),
        (lambda: BatchNorm(momentum=0.6, epsilon=1e-3), (3, 4, 2)),
        (BatchNorm, (4, 3)),
        (BatchNorm, (2, 2, 1)),
    ],
    "LayerNorm": [(LayerNorm, (7,)), (lambda: LayerNorm(epsilon=1e-3), (3, 4, 3)), (LayerNorm, (4, 5))],
    "SimpleRNN": [
        (lambda: SimpleRNN(4), (5, 3)),
        (lambda: SimpleRNN(3, activation="relu", return_sequences=True), (4, 2)),
        (lambda: SimpleRNN(2), (3, 4, 2)),
        (lambda: SimpleRNN(1, return_sequences=True), (1, 1)),
    ],
    **{
        kind.__name__: [
            (lambda kind=kind: kind(4), (5, 3)),
            (lambda kind=kind: kind(3, return_sequences=True), (4, 2)),
            (lambda kind=kind: kind(2), (3, 4, 2)),
            (lambda kind=kind: kind(1, return_sequences=True), (1, 1)),
        ]
        for kind in (LSTM, GRU)
    },
    "Residual": [
        (lambda: Residual([Dense(5), Tanh()]), (5,)),
        (lambda: Residual([Dense(4), Swish(), Dense(3)]), (5,)),  # a Dense beside it
        (lambda: Residual([unbiased(), BatchNorm(), Swish()]), (4, 5, 2)),
        (lambda: Residual([Conv2D(3, 3, strides=2, padding="same"), Tanh(), Dropout(0.3)]), (5, 4, 2)),
        (lambda: Residual([Conv2D(2, 3)], projection=[AveragePool2D(3, strides=1), Conv2D(2, 1)]), (4, 5, 1)),
        (lambda: Residual([LSTM(3, return_sequences=True)]), (4, 3)),
        (lambda: Residual([Residual([Dense(3), Standardize()]), LayerNorm()]), (4,)),
    ],
    "Concatenate": [
        (lambda: Concatenate([[Dense(2)], [Dense(3), Tanh()]]), (4,)),
        (
            lambda: Concatenate([[], [unbiased(), BatchNorm()], [MaxPool2D(2, strides=1, padding="same")]]),
            (4, 3, 2),
        ),
        (lambda: Concatenate([[GRU(2, return_sequences=True)], [Swish()]]), (4, 3)),
        (lambda: Concatenate([[Residual([Dense(2), Concatenate([[], [Dense(1)]])])], [Dropout(0.4)]]), (3,)),
    ],
}
CASES["LeakyReLU"].append((lambda: LAYERS["LeakyReLU"](slope=0.3), (7,)))
CASES["Dropout"].append((lambda: LAYERS["Dropout"](rate=0.2), (7,)))

ALL = [
    pytest.param(factory, shape, id=f"{name}-{'x'.join(map(str, shape))}-{number}")
    for name, cases in CASES.items()
    for number, (factory, shape) in enumerate(cases)
]
each_layer = pytest.mark.parametrize(("factory", "shape"), ALL)


def images(shape: tuple[int, ...], count: int = 5, seed: int = 3) -> Array:
    """Float64 images; no value lies within 0.05 of the kink at 0."""
    x = np.random.default_rng(seed).standard_normal((count, *shape))
    return np.where(np.abs(x) < 0.05, x + 0.1, x)


def built(factory: Callable[[], Layer], shape: tuple[int, ...]) -> tuple[Layer, tuple[int, ...]]:
    """The layer with random parameters, biases too, and with statistics; and its output shape."""
    layer, rng = factory(), np.random.default_rng(1)
    shape_out = layer.build(shape, rng)
    for array in layer.parameters.values():
        array[...] = rng.standard_normal(array.shape)
    for name in layer.running:
        layer.statistics[name][...] = rng.uniform(0.5, 2.0, layer.statistics[name].shape)
    if not layer.adapted:
        layer.adapt(images(shape, 20))
    return layer, shape_out


def around(factory: Callable[[], Layer], shape: tuple[int, ...], dtype: str = "float32") -> Network:
    """A network with the layer at its start and once more, behind parameters; it ends in three outputs."""
    features = int(np.prod(shape))
    inside = factory()
    if getattr(inside, "mean", None) is not None:  # given for images of this shape alone
        inside = LAYERS["Standardize"]()
    before: list[Layer]
    if takes(factory, (features,)):
        before = [factory(), Flatten(), Dense(features)]
    elif len(shape) == 3:
        before = [Conv2D(shape[-1], 1)]
    else:
        before = [SimpleRNN(shape[-1], return_sequences=True)]
    return Network(
        [*before, inside, Flatten(), Dense(3)],
        input_shape=shape,
        loss=SoftmaxCrossEntropy(),
        seed=5,
        dtype=dtype,
    )


def pickled(net: Network) -> Network:
    return pickle.loads(pickle.dumps(net))  # type: ignore[no-any-return]


def takes(factory: Callable[[], Layer], shape: tuple[int, ...]) -> bool:
    """Whether the layer can be built for images of `shape`."""
    try:
        factory().build(shape, np.random.default_rng(1))
    except ShapeError:
        return "mean" in factory().options
    return True


def test_every_layer_is_held_to_the_contract() -> None:
    assert set(CASES) == set(LAYERS)


@each_layer
@pytest.mark.parametrize("training", [False, True], ids=["asked", "training"])
def test_gradients_are_those_of_central_differences(
    factory: Any, shape: Any, training: bool, central_differences: Any, relative_error: Any
) -> None:
    layer, shape_out = built(factory, shape)
    x = images(shape)
    direction = np.random.default_rng(2).standard_normal((len(x), *shape_out))

    def forward() -> Any:
        return layer.forward(x, training=training, rng=np.random.default_rng(4))

    def cost() -> float:
        return float((forward()[0] * direction).sum())

    dx, gradients = forward()[1](direction)
    assert dx.shape == x.shape
    assert relative_error(dx, central_differences(cost, x)) < 1e-7
    assert gradients.keys() == layer.parameters.keys()
    for name, array in layer.parameters.items():
        assert gradients[name].shape == array.shape
        assert relative_error(gradients[name], central_differences(cost, array)) < 1e-7


@each_layer
@pytest.mark.parametrize("count", [1, 2, 5])
def test_shape_is_the_one_that_build_promises(factory: Any, shape: Any, count: int) -> None:
    layer, shape_out = built(factory, shape)
    x = images(shape)
    y, backward = layer.forward(x[:count])
    assert y.shape == (count, *shape_out)
    assert backward(np.ones_like(y))[0].shape == (count, *shape)
    np.testing.assert_allclose(y, layer.forward(x)[0][:count], rtol=1e-12, atol=1e-15)  # each image by itself


@each_layer
@pytest.mark.parametrize("training", [False, True], ids=["asked", "training"])
def test_no_images_give_no_outputs_and_gradients_of_0(factory: Any, shape: Any, training: bool) -> None:
    layer, shape_out = built(factory, shape)
    kept = {name: array.copy() for name, array in layer.statistics.items()}
    y, backward = layer.forward(np.zeros((0, *shape)), training=training, rng=np.random.default_rng(1))
    dx, gradients = backward(np.zeros_like(y))
    assert (y.shape, dx.shape) == ((0, *shape_out), (0, *shape))
    for name, array in layer.parameters.items():
        np.testing.assert_array_equal(gradients[name], np.zeros_like(array))
    for name, array in layer.statistics.items():
        np.testing.assert_array_equal(array, kept[name])


@each_layer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_network_is_asked_about_no_images(factory: Any, shape: Any, dtype: str) -> None:
    net = around(factory, shape, dtype)
    for kind in (np.uint8, np.float32):
        none = np.zeros((0, *shape), dtype=kind)
        assert (net(none).shape, net.predict(none).shape, net.predict_proba(none).shape) == ((0, 3), (0,), (0, 3))
    with pytest.raises(ShapeError, match="do not fit"):
        net.predict(np.zeros((0, *shape, 2)))


def by_hand(layer: Layer, shape: tuple[int, ...]) -> int:
    """Each number of a weight is used once, at each place of a window or at each step; of a composite, as its parts say."""
    if layer.branches:
        return sum(
            by_hand(inside, before)
            for branch, shapes in zip(layer.branches, layer.branch_shapes, strict=True)  # type: ignore[attr-defined]
            for inside, before in zip(branch, shapes, strict=False)
        )
    weights = sum(array.size for name, array in layer.parameters.items() if name.endswith("weight"))
    times = shape[0] if isinstance(layer, (SimpleRNN, GRU, LSTM)) else 1
    if isinstance(layer, Conv2D):
        times = int(np.prod(layer.build(shape, np.random.default_rng(1))[:2]))
    return weights * times


@each_layer
def test_operations_count_is_a_number(factory: Any, shape: Any) -> None:
    layer, _ = built(factory, shape)
    assert layer.operations(shape) == by_hand(layer, shape)


@each_layer
def test_input_is_left_alone_and_passes_do_not_disturb_each_other(factory: Any, shape: Any) -> None:
    layer, shape_out = built(factory, shape)
    first, second = images(shape, seed=3), images(shape, count=2, seed=4)
    kept = first.copy()
    dy, other = np.ones((5, *shape_out)), np.full((2, *shape_out), -2.0)
    y, backward = layer.forward(first)
    y_kept = y.copy()
    alone = backward(dy)
    layer.forward(second)[1](other)
    again = backward(dy)
    np.testing.assert_array_equal(layer.forward(first)[0], y_kept)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(y, y_kept)
    np.testing.assert_array_equal(dy, np.ones_like(dy))
    np.testing.assert_array_equal(alone[0], again[0])
    for name, gradient in alone[1].items():
        np.testing.assert_array_equal(gradient, again[1][name])


@each_layer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_network_computes_in_its_own_float_type(factory: Any, shape: Any, dtype: str) -> None:
    net = around(factory, shape, dtype)
    x = images(shape)
    net.adapt(x)
    y, back = net.forward(net.rows(x))
    dx, gradients = back(np.ones_like(y))
    assert {y.dtype, net(x).dtype, net.flat.dtype} == {np.dtype(dtype)}
    assert net(x.astype(np.float32)).dtype == dtype
    if dtype == "float64":
        assert {dx.dtype, *(g.dtype for found in gradients for g in found.values())} == {np.dtype(dtype)}


@each_layer
@pytest.mark.parametrize("kind", ["float32", "uint8"])
@pytest.mark.parametrize("count", [1, 7])
def test_kernels_agree_with_the_reference(factory: Any, shape: Any, kind: str, count: int) -> None:
    net = around(factory, shape)
    x = images(shape, 20)
    if kind == "float32" and net.takes_pixels:
        x = np.abs(x) / np.abs(x).max()  # Pixels takes floats in 0…1
    x = x.astype(np.float32) if kind == "float32" else (40 * np.abs(x)).clip(0, 255).astype(np.uint8)
    net.adapt(x)
    exact, x, labels = net.astype("float64"), x[:count], np.arange(count) % 3
    rows, exact_rows = net.rows(x), exact.rows(x)
    for purpose in ("raw", "outputs"):
        wanted = Predictor(exact).outputs(exact_rows, purpose)[0]
        found = Predictor(net).outputs(rows, purpose)[0]
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-5 * max(1.0, float(np.abs(wanted).max())))
    np.testing.assert_allclose(
        Predictor(net).losses(rows, labels)[0], Predictor(exact).losses(exact_rows, labels)[0], rtol=2e-5, atol=2e-5
    )
    plan = StepPlan(batch_size=3, optimizer=SGD(0.01, momentum=0.5), threads=1)
    compiled = make_trainer(net, rows, labels, plan)
    assert isinstance(compiled, CompiledTrainer)
    assert use_kernels(net)
    reference = ReferenceTrainer(exact, exact_rows, labels, plan)
    steps, order = -(-count // 3), np.random.default_rng(8).permutation(count)
    for trainer in (compiled, reference):  # the same generator: the same masks
        trainer.begin_epoch(order, np.full(steps, 0.01), np.random.default_rng(9))
        trainer.run(0, steps, 0)
    np.testing.assert_allclose(compiled.losses, reference.losses, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(net.flat, exact.flat, rtol=0, atol=2e-5 * max(1.0, float(np.abs(exact.flat).max())))


@each_layer
def test_saved_and_loaded_it_is_the_same(factory: Any, shape: Any, tmp_path: Path) -> None:
    net = around(factory, shape)
    x = images(shape, 20).astype(np.float32)
    net.fit((x, np.arange(20) % 3), epochs=1, seed=1)
    net.save(tmp_path / "model.safetensors")
    loaded = Network.load(tmp_path / "model.safetensors")
    assert loaded.describe() == net.describe()
    for mine, theirs in zip(net.layers, loaded.layers, strict=True):
        for part in ("parameters", "statistics"):
            assert getattr(mine, part).keys() == getattr(theirs, part).keys()
            for name, array in getattr(mine, part).items():
                np.testing.assert_array_equal(array, getattr(theirs, part)[name])
    np.testing.assert_array_equal(net(x), loaded(x))
    before = loaded.parameters  # a loaded network does not take its statistics anew
    loaded.adapt(x[:3])
    np.testing.assert_array_equal(net(x), loaded(x))
    np.testing.assert_array_equal(before, loaded.parameters)


@each_layer
@pytest.mark.parametrize(("dtype", "way"), [("float32", pickled), ("float64", pickled), ("float32", copy.copy)])
def test_copied_and_pickled_it_is_a_network_of_its_own(factory: Any, shape: Any, dtype: str, way: Any) -> None:
    net = around(factory, shape, dtype)
    x, labels = images(shape, 20).astype(np.float32), np.arange(20) % 3
    untouched = way(net)
    net.fit((x, labels), epochs=1, seed=1)
    wanted = net(x)
    twin = way(net)
    np.testing.assert_array_equal(twin(x), wanted)
    assert twin.describe() == net.describe()
    assert not np.shares_memory(twin.state, net.state)
    for slot in (*twin.slots, *twin.running_slots):
        layer = twin.layers[slot.layer]
        assert np.shares_memory((layer.parameters | layer.statistics)[slot.key], slot.part(twin.state))
    twin.fit((x, labels), epochs=1, seed=2)  # trains its own layers, and no other's
    np.testing.assert_array_equal(net(x), wanted)
    net.fit((x, labels), epochs=1, seed=2)
    np.testing.assert_array_equal(twin(x), net(x))
    untouched.fit((x, labels), epochs=1, seed=1)  # as if it had been the first
    np.testing.assert_array_equal(untouched(x), wanted)


@each_layer
def test_described_and_made_again_it_is_the_same(factory: Any, shape: Any) -> None:
    layer = factory()
    described = json.loads(json.dumps(layer.describe()))
    again = as_layer(described, "here")
    assert type(again) is type(layer)
    assert again.describe() == layer.describe() == described
    assert repr(again) == repr(layer)


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.5, 0.9])
def test_dropout_draws_the_same_mask_compiled_and_in_numpy(rate: float) -> None:
    """The gradient of a lone unit is the mask itself, on an image of ones."""

    def network(dtype: str) -> Network:
        return Network([LAYERS["Dropout"](rate), Dense(1)], input_shape=(1000,), seed=1, dtype=dtype)

    rows, masks = np.ones((1, 1000), dtype=np.float32), []
    for dtype, kind in (("float32", CompiledTrainer), ("float64", ReferenceTrainer)):
        net = network(dtype)
        trainer = kind(net, rows.astype(dtype), np.zeros(1, np.int64), StepPlan(batch_size=1, optimizer=SGD(1e-6), threads=1))
        for _ in range(3):  # three epochs of one step: each draws anew
            trainer.begin_epoch(np.arange(1), np.full(1, 1e-6), np.random.default_rng(len(masks)))
            trainer.run(0, 1, 0, keep_gradient=True)
            masks.append(trainer.gradient[:1000] != 0)
    again = [np.random.default_rng(i) for i in range(3)]
    reference = [LAYERS["Dropout"](rate).forward(rows, training=True, rng=rng)[0][0] != 0 for rng in again]
    for i in range(3):
        np.testing.assert_array_equal(masks[i], reference[i])
        assert abs(masks[i].mean() - (1 - rate)) < 0.06
