"""Layers made of layers: names, views, statistics, descriptions, summaries and errors all the way down."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.nn import Layer, norm, walk

Array = np.ndarray[Any, Any]


def window(filters: int, **options: Any) -> gn.Conv2D:
    return gn.Conv2D(filters, 3, **{"padding": "same", "use_bias": False, **options})


def nested() -> gn.Network:
    """A block in a block, beside a branch with statistics of both kinds."""
    inner = gn.Residual([window(4), gn.BatchNorm()])
    layers = [
        gn.Pixels(),
        gn.Residual([window(4, strides=2), gn.BatchNorm(), gn.ReLU(), inner]),
        gn.Concatenate([[gn.Standardize(), window(2)], []]),
        gn.GlobalAveragePool2D(),
        gn.Dense(3),
    ]
    return gn.Network(layers, input_shape=(5, 4, 2), loss="SoftmaxCrossEntropy", regularizer=gn.L2(0.01), seed=1)


def images(count: int = 12) -> tuple[Array, Array]:
    rng = np.random.default_rng(2)
    return rng.integers(0, 256, (count, 5, 4, 2)).astype(np.uint8), np.arange(count) % 3


def test_a_residual_adds_its_input_or_a_projection_of_it() -> None:
    x = np.array([[1.0, 2.0]])
    block = gn.Residual([gn.Dense(2)])
    block.build((2,), np.random.default_rng(1))
    block.parameters["0.dense1.weight"][...] = [[1, 0], [5, 1]]
    y, backward = block.forward(x)
    assert y.tolist() == [[1 + 1 + 10, 2 + 2]]
    dx, gradients = backward(np.array([[1.0, 1.0]]))
    assert dx.tolist() == [[1 + 1, 1 + 5 + 1]]
    assert gradients["0.dense1.weight"].tolist() == [[1, 1], [2, 2]]
    wider = gn.Residual([gn.Dense(3)])
    assert wider.build((2,), np.random.default_rng(1)) == (3,)
    weight, beside = wider.parameters["0.dense1.weight"], wider.parameters["1.dense1.weight"]
    np.testing.assert_allclose(wider.forward(x)[0], x @ weight + x @ beside)
    assert "1.dense1.bias" not in wider.parameters


def test_a_projection_has_the_strides_that_the_block_has() -> None:
    block = gn.Residual([window(8, strides=(3, 2)), gn.MaxPool2D(1)])
    assert block.build((7, 5, 2), np.random.default_rng(1)) == (3, 3, 8)
    (made,) = block.branches[1]
    assert (made.kernel_size, made.strides, made.use_bias) == ((1, 1), (3, 2), False)  # type: ignore[attr-defined]
    assert block.branch_shapes == [[(7, 5, 2), (3, 3, 8), (3, 3, 8)], [(7, 5, 2), (3, 3, 8)]]
    assert block.build((7, 5, 8), np.random.default_rng(1)) == (3, 3, 8)  # again, for other images
    assert block.describe()["projection"] is None


def test_concatenate_is_side_by_side_in_the_last_axis() -> None:
    layer = gn.Concatenate([[], [gn.Scale(10.0)], [gn.Scale(100.0)]])
    assert layer.build((1, 2), np.random.default_rng(1)) == (1, 6)
    y, backward = layer.forward(np.array([[[1.0, 2.0]]]))
    assert y.tolist() == [[[1, 2, 10, 20, 100, 200]]]
    assert backward(np.array([[[1.0, 2, 3, 4, 5, 6]]]))[0].tolist() == [[[1 + 30 + 500, 2 + 40 + 600]]]


def test_names_lead_to_the_arrays_of_the_layers_inside() -> None:
    net = nested()
    assert [slot.name for slot in net.slots] == [
        "residual1.0.conv2d1.weight",
        "residual1.0.batchnorm1.gamma",
        "residual1.0.batchnorm1.beta",
        "residual1.0.residual1.0.conv2d1.weight",
        "residual1.0.residual1.0.batchnorm1.gamma",
        "residual1.0.residual1.0.batchnorm1.beta",
        "residual1.1.conv2d1.weight",
        "concatenate1.0.conv2d1.weight",
        "dense1.weight",
        "dense1.bias",
    ]
    assert [slot.name for slot in net.slots if slot.penalised] == [s.name for s in net.slots if s.name.endswith("weight")]
    assert [(slot.name, slot.offset - net.flat.size) for slot in net.running_slots] == [
        ("residual1.0.batchnorm1.mean", 0),
        ("residual1.0.batchnorm1.variance", 4),
        ("residual1.0.residual1.0.batchnorm1.mean", 8),
        ("residual1.0.residual1.0.batchnorm1.variance", 12),
    ]
    assert [type(layer).__name__ for layer in walk(net.layers[1:2])] == [
        "Residual", "Conv2D", "BatchNorm", "ReLU", "Residual", "Conv2D", "BatchNorm", "Conv2D",
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_state_is_one_vector_of_views(dtype: str) -> None:
    net = nested().astype(dtype)
    assert np.shares_memory(net.flat, net.state)
    assert net.flat.ctypes.data == net.state.ctypes.data
    assert net.state.size == net.flat.size + 16
    inner = net.layers[1].branches[0][3].branches[0]
    for kept in (inner[0].parameters["weight"], inner[1].parameters["gamma"], inner[1].statistics["variance"]):
        assert np.shares_memory(kept, net.state)
        assert kept.dtype == dtype
    np.testing.assert_array_equal(inner[1].statistics["variance"], 1)
    net.state[...] = np.arange(net.state.size)
    np.testing.assert_array_equal(inner[1].statistics["variance"], net.flat.size + np.arange(12, 16))
    np.testing.assert_array_equal(net.layers[1].parameters["0.residual1.0.conv2d1.weight"], inner[0].parameters["weight"])
    twin = net.astype("float64")
    twin.state[...] = 0
    assert net.state[1:].all()
    x = images()[0]
    assert twin(x).dtype == np.float64


def test_training_saving_and_loading(tmp_path: Any) -> None:
    net = nested()
    x, labels = images()
    history = net.fit((x, labels), 30, batch_size=6, optimizer=gn.Adam(0.02), seed=1)
    assert history.train_cost[-1] < 0.5 * history.train_cost[0]
    assert net.layers[2].adapted
    net.save(tmp_path / "model.safetensors")
    loaded = gn.Network.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.state, net.state)
    np.testing.assert_array_equal(loaded(x), net(x))
    assert loaded.describe() == net.describe()
    assert loaded.layers[2].adapted
    assert repr(loaded) == repr(net)


def test_statistics_inside_are_taken_from_what_reaches_their_layer() -> None:
    net = gn.Network(
        [gn.Concatenate([[gn.Scale(2.0), gn.Standardize()], [gn.Residual([gn.Standardize()])]])], input_shape=(1,), seed=1
    )
    assert not net.layers[0].adapted
    net.adapt(np.array([[1.0], [5.0]]))
    assert net.layers[0].adapted
    assert {key: array.item() for key, array in net.layers[0].statistics.items()} == {
        "0.standardize1.mean": 6,
        "0.standardize1.std": 4,
        "1.residual1.0.standardize1.mean": 3,
        "1.residual1.0.standardize1.std": 2,
    }
    net.adapt(np.array([[7.0], [7.0]]))  # only once
    np.testing.assert_allclose(net(np.array([[5.0]])), [[1, 5 + 1]])


def test_dropout_inside_is_off_when_asked_and_drawn_anew_in_training() -> None:
    layer = gn.Residual([gn.Dropout(0.5)])
    layer.build((50,), np.random.default_rng(1))
    x, rng = np.ones((1, 50)), np.random.default_rng(1)
    assert (layer.forward(x)[0] == 2).all()
    first, second = (layer.forward(x, training=True, rng=rng)[0] for _ in range(2))
    assert set(first.ravel()) == {1, 3}
    assert (first != second).any()


def test_the_gradient_check_names_what_is_inside() -> None:
    x, labels = images()
    found = gn.check_gradients(nested(), x, labels)
    assert found.passed, str(found)
    assert found.relative_error < 1e-7
    assert "residual1.0.residual1.0.batchnorm1.gamma" in found.arrays


def test_networks_with_batch_norm_are_checked_as_they_train(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backward pass that takes mean and variance for constants is wrong, and right once training is over."""

    x, labels = images()
    net = gn.Network(
        [window(3), gn.BatchNorm(), gn.ReLU(), gn.Dropout(0.3), gn.Flatten(), gn.Dense(3)], input_shape=(5, 4, 2), seed=1
    )
    before = net.state.copy()
    assert gn.check_gradients(net, x, labels).passed
    np.testing.assert_array_equal(net.state, before)
    monkeypatch.setattr(norm, "normalise_backward", lambda dnormal, normal, inverse, axes: dnormal * inverse)
    assert not gn.check_gradients(net, x, labels).passed


def test_summary_lists_what_is_inside() -> None:
    lines = str(nested()).splitlines()
    assert any(line.startswith("2  Residual ") for line in lines)
    assert any(line.startswith("     0: Conv2D(filters=4, kernel_size=3, strides=2") for line in lines)
    assert any(line.startswith("          0: BatchNorm(") for line in lines)
    assert any(
        line.startswith("     1: Conv2D(filters=4, kernel_size=1, strides=2, padding='valid', use_bias=False)")
        for line in lines
    )
    residual = next(line for line in lines if line.startswith("2  Residual "))
    parameters = 9 * 2 * 4 + 8 + 9 * 4 * 4 + 8 + 2 * 4
    operations = 3 * 2 * (9 * 2 * 4 + 9 * 4 * 4 + 2 * 4)
    assert residual.split()[-3:] == [f"{parameters:,}", f"{operations:,}", f"{4 * parameters:,}"]
    assert "3 × 2 × 4" in residual
    assert repr(gn.Residual([gn.ReLU()])) == "Residual(layers=[ReLU()], projection=None)"


# ------------------------------------------------------------------ wrong input


def test_the_layers_that_do_not_chain_are_named_inside_branches_too() -> None:
    block = gn.Residual([window(2), gn.Concatenate([[], [gn.Flatten(), gn.MaxPool2D()]])])
    with pytest.raises(gn.ShapeError) as caught:
        gn.Network([gn.Pixels(), block], input_shape=(4, 4, 2))
    assert caught.value.what == "MaxPool2D takes images with channels."
    where = "layer 2, Residual, branch 0, layer 2, Concatenate, branch 1, layer 2, MaxPool2D(pool_size=2"
    assert str(caught.value.where).startswith(where)
    assert str(caught.value.where).endswith(", after Flatten()")
    with pytest.raises(gn.ShapeError) as caught:
        gn.Network([gn.ReLU(), gn.Residual([gn.Dense(3)])], input_shape=(4, 4, 2))
    assert str(caught.value.where) == "layer 2, Residual, branch 0, layer 1, Dense(units=3, use_bias=True), after ReLU()"


APART = "The output of the residual block and its shortcut have different shapes."


@pytest.mark.parametrize(("layer", "shape", "what", "parts"), [
    (
        lambda: gn.Residual([gn.Conv2D(2, 3)]), (5, 5, 2), APART,
        ("(3, 3, 2), the output of Conv2D(filters=2", "(5, 5, 2), its input", "padding='same'"),
    ),
    (
        lambda: gn.Residual([gn.Conv2D(2, 3)], [gn.Conv2D(3, 3)]), (5, 5, 2),
        APART,
        ("(3, 3, 3) from Conv2D(filters=3",),
    ),
    (
        lambda: gn.Residual([gn.GRU(3)]), (4, 2), APART,
        ("(3,), the output of GRU(units=3", "(4, 2), its input"),
    ),
    (
        lambda: gn.Residual([gn.Dense(3)], []), (2,), APART,
        ("(2,), its input",),
    ),
    (
        lambda: gn.Concatenate([[gn.Conv2D(2, 3)], []]), (5, 5, 2), "The outputs of the branches can't be concatenated.",
        ("(3, 3, 2) from Conv2D(", "(5, 5, 2) from the input", "all axes but the last"),
    ),
])  # fmt: skip
def test_branches_that_do_not_join(layer: Any, shape: tuple[int, ...], what: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(gn.ShapeError) as caught:
        gn.Network([gn.ReLU(), layer()], input_shape=shape)
    assert caught.value.what == what
    for part in ("layer 2, ", ", after ReLU()", *parts):
        assert part in str(caught.value)


@pytest.mark.parametrize(("make", "what", "parts"), [
    (lambda: gn.Residual([]), "A residual block needs layers.", ("Residual(layers)",)),
    (lambda: gn.Residual(gn.ReLU()), "Layers must be given as a list.", ("Residual(layers)", "received: ReLU()")),
    (lambda: gn.Residual(["Relu"]), "Unknown layer.", ("Residual(layers), layer 1", "did you mean 'ReLU'?")),
    (lambda: gn.Concatenate([[gn.ReLU()]]), "Concatenate needs at least two branches.", ("two or more lists of layers",)),
    (lambda: gn.Concatenate([gn.ReLU(), gn.ReLU()]), "Layers must be given as a list.", ("Concatenate(branches), branch 0",)),
    (lambda: gn.Concatenate([[], [{"type": "Dense", "unit": 3}]]), "Unknown option of Dense.", ("branch 1, layer 1",)),
])  # fmt: skip
def test_wrong_branches(make: Any, what: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(gn.InputError) as caught:
        make()
    assert caught.value.what == what
    for part in parts:
        assert part in str(caught.value)


def test_the_same_layer_in_two_branches_is_refused() -> None:
    twice: Layer = gn.Dense(2)
    for layers in ([gn.Concatenate([[twice], [twice]])], [twice, gn.Residual([twice])]):
        with pytest.raises(gn.InputError, match="appears twice"):
            gn.Network(layers, input_shape=(2,))
