"""The builders of well-known networks: their layers, their sizes, and how recipes name them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.nn import Layer
from glassnet.nn.architectures import ARCHITECTURES, as_layers, lenet, mlp, resnet, row_rnn, vgg

NETWORK = """
[network]
{network}
loss = "SoftmaxCrossEntropy"

[training]
epochs = 1
"""


def kinds(layers: list[Layer]) -> list[str]:
    return [type(layer).__name__ for layer in layers]


def network(layers: list[Layer], shape: tuple[int, ...] = (28, 28, 1)) -> gn.Network:
    return gn.Network(layers, input_shape=shape, loss="SoftmaxCrossEntropy", seed=1)


def test_lenet_is_nielsens() -> None:
    """Conv 5×5 20, pool, conv 5×5 40, pool, dense 100, and ten scores: 28 → 24 → 12 → 8 → 4."""
    net = network(lenet())
    assert kinds(list(net.layers)) == [
        "Pixels", "Conv2D", "ReLU", "MaxPool2D", "Conv2D", "ReLU", "MaxPool2D", "Flatten", "Dense", "ReLU", "Dense",
    ]  # fmt: skip
    assert [net.shapes[i] for i in (2, 4, 5, 7, 8, 9)] == [
        (24, 24, 20), (12, 12, 20), (8, 8, 40), (4, 4, 40), (640,), (100,),
    ]  # fmt: skip
    assert net.flat.size == (25 * 20 + 20) + (25 * 20 * 40 + 40) + (640 * 100 + 100) + (100 * 10 + 10)


def test_vgg_is_that_of_the_benchmark() -> None:
    """32-32-pool-64-64-pool-128-mean, each convolution without bias before its batch norm."""
    net = network(vgg(10))
    window = ["Conv2D", "BatchNorm", "ReLU"]
    assert kinds(list(net.layers)) == [
        "Pixels", *window, *window, "MaxPool2D", *window, *window, "MaxPool2D", *window, "GlobalAveragePool2D", "Dense",
    ]  # fmt: skip
    weights = 9 * (1 * 32 + 32 * 32 + 32 * 64 + 64 * 64 + 64 * 128)
    assert net.flat.size == weights + 2 * (32 + 32 + 64 + 64 + 128) + 128 * 10 + 10
    assert net.state.size - net.flat.size == 2 * (32 + 32 + 64 + 64 + 128)
    plain = network(vgg(3, [[4], [5]], batch_norm=False, activation="Swish", dropout=0.2, block_dropout=0.1))
    assert kinds(list(plain.layers)) == [
        "Pixels", "Conv2D", "Swish", "MaxPool2D", "Dropout", "Conv2D", "Swish", "GlobalAveragePool2D", "Dropout", "Dense",
    ]  # fmt: skip
    assert plain.flat.size == (9 * 4 + 4) + (9 * 4 * 5 + 5) + (5 * 3 + 3)


def test_resnet_halves_the_image_at_each_stage_but_the_first() -> None:
    net = network(resnet(10, (4, 8), (2, 1)), (9, 8, 3))
    assert kinds(list(net.layers)) == [
        "Pixels", "Conv2D", "BatchNorm", "ReLU", *["Residual", "ReLU"] * 3, "GlobalAveragePool2D", "Dense",
    ]  # fmt: skip
    blocks = [layer for layer in net.layers if isinstance(layer, gn.Residual)]
    assert [block.branch_shapes[0][-1] for block in blocks] == [(9, 8, 4), (9, 8, 4), (5, 4, 8)]
    assert [kinds(block.branches[1]) for block in blocks] == [[], [], ["Conv2D"]]
    assert kinds(blocks[0].branches[0]) == ["Conv2D", "BatchNorm", "ReLU", "Conv2D", "BatchNorm"]
    with pytest.raises(gn.InputError, match="filters and blocks must have the same length") as caught:
        resnet(10, (4, 8), (2,))
    assert "2 numbers of blocks" in str(caught.value)


def test_row_rnn_gives_the_last_state_of_the_last_layer() -> None:
    net = network(row_rnn(10, [16, 8], cell="GRU", dropout=0.1))
    assert kinds(list(net.layers)) == ["Pixels", "GRU", "Dropout", "GRU", "Dropout", "Dense"]
    assert net.shapes[2:] == [(28, 16), (28, 16), (8,), (8,), (10,)]
    assert kinds(row_rnn()) == ["Pixels", "LSTM", "Dense"]
    with pytest.raises(gn.InputError, match=r"Unknown cell\."):
        row_rnn(cell="LSTN")
    with pytest.raises(gn.InputError, match="needs at least one recurrent layer"):
        row_rnn(units=[])


def test_mlp() -> None:
    net = network(
        mlp(5, [20], activation={"type": "LeakyReLU", "slope": 0.1}, batch_norm=True, dropout=0.5, input_dropout=0.2)
    )
    assert kinds(list(net.layers)) == [
        "Flatten", "Pixels", "Dropout", "Dense", "BatchNorm", "LeakyReLU", "Dropout", "Dense",
    ]  # fmt: skip
    assert kinds(mlp(units=[])) == ["Flatten", "Pixels", "Dense"]


@pytest.mark.parametrize(("activation", "spread"), [("ReLU", 2 / 784), ("Tanh", 2 / (784 + 400))])
def test_weights_start_as_their_activation_needs(activation: str, spread: float) -> None:
    weight = network(mlp(10, [400], activation=activation)).layers[2].parameters["weight"]
    assert weight.var() == pytest.approx(spread, rel=0.05)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_trains_on_digits(name: str) -> None:
    small: dict[str, dict[str, Any]] = {
        "mlp": {"units": [16]},
        "lenet": {"filters": [4, 8], "units": [16], "kernel_size": 3, "padding": "same"},
        "vgg": {"blocks": [[4], [8]]},
        "resnet": {"filters": [4, 8], "blocks": [1, 1]},
        "row_rnn": {"units": [16]},
    }
    data = gn.load_dataset("digits").train
    net = network(as_layers({"type": name, **small[name]}, 10, "here"), (8, 8, 1))
    history = net.fit(data, 2, optimizer=gn.Adam(0.01), seed=1)
    assert history.train_cost[1] < 0.85 * history.train_cost[0]


def test_each_is_named_by_itself_with_the_classes_of_the_data() -> None:
    for name in ARCHITECTURES:
        assert as_layers(name, 7, "here")[-1].units == 7  # type: ignore[attr-defined]
    assert as_layers({"type": "mlp", "classes": 1}, 7, "here")[-1].units == 1  # type: ignore[attr-defined]
    for wrong, what, parts in (
        ("lenett", "Unknown architecture.", ("mlp", "did you mean 'lenet'?", "network.architecture")),
        ({"units": [3]}, "Unknown architecture.", ("None",)),
        ({"type": "vgg", "block": []}, "Unknown option of vgg.", ("did you mean 'blocks'?",)),
        ({"type": "vgg", "blocks": 3}, "vgg can't be created with these options.", ("{'blocks': 3}", "not iterable")),
        ({"type": "mlp", "units": [0]}, "A dense layer needs at least one unit.", ("received: 0",)),
        ({"type": "mlp", "activation": "Relu"}, "Unknown layer.", ("mlp(activation)", "did you mean 'ReLU'?")),
    ):
        with pytest.raises(gn.InputError) as caught:
            as_layers(wrong, 7, "network.architecture")  # type: ignore[arg-type]
        assert caught.value.what == what
        for part in parts:
            assert part in str(caught.value)


# ------------------------------------------------------------------ in recipes


def recipe(tmp_path: Any, text: str) -> gn.Recipe:
    path = tmp_path / "mine.toml"
    path.write_text(NETWORK.format(network=text), encoding="utf-8")
    return gn.load_recipe(path)


def test_a_recipe_may_name_an_architecture(tmp_path: Any) -> None:
    mine = recipe(tmp_path, 'architecture = { type = "vgg", blocks = [[4], [8]], dropout = 0.1 }')
    made = mine.make_network(gn.load_dataset("digits"))
    assert kinds(list(made.layers)) == kinds(vgg(10, [[4], [8]], dropout=0.1))
    assert made.outputs == 10
    (tmp_path / "again.toml").write_text(mine.to_toml(), encoding="utf-8")
    assert gn.load_recipe(tmp_path / "again.toml") == mine


def test_a_run_by_architecture_can_be_run_again(tmp_path: Any) -> None:
    mine = recipe(tmp_path, 'architecture = "row_rnn"')
    run = gn.train(mine, out=tmp_path / "run", epochs=1, seed=3)
    again = gn.load_recipe(tmp_path / "run" / "recipe.toml")
    assert again.network.architecture == "row_rnn"
    assert again.network.layers is None
    twice = gn.train(again, out=tmp_path / "again")
    np.testing.assert_array_equal(run.network.state, twice.network.state)


@pytest.mark.parametrize(("text", "received"), [("", "neither"), ('architecture = "vgg"\nlayers = [64, 10]', "both")])
def test_either_layers_or_an_architecture(tmp_path: Any, text: str, received: str) -> None:
    with pytest.raises(gn.RecipeError, match=r"A network needs either layers or an architecture\.") as caught:
        recipe(tmp_path, text)
    assert f"received: {received}" in str(caught.value)
    assert "mine.toml, network" in str(caught.value)


def test_one_takes_the_others_place(tmp_path: Any) -> None:
    mine = recipe(tmp_path, 'architecture = { type = "vgg", dropout = 0.1 }')
    assert mine.changed({"layers": [64, 10]}).network.architecture is None
    assert mine.changed({"architecture.dropout": 0.3}).network.architecture == {"type": "vgg", "dropout": 0.3}
    sized = recipe(tmp_path, "layers = [64, 10]")
    assert sized.changed({"architecture": "mlp"}).network.layers is None
    changed = sized.changed({"architecture.type": "mlp", "architecture.units": [7]}).network
    assert (changed.layers, changed.architecture) == (None, {"type": "mlp", "units": [7]})
    for wrong in ({"architecture": "mlp", "layers": [3, 2]}, {"architecture.units": [3]}):
        with pytest.raises(gn.RecipeError, match=r"A network needs either layers or an architecture\."):
            sized.changed(wrong)


def test_a_wrong_architecture_names_the_recipe(tmp_path: Any) -> None:
    with pytest.raises(gn.RecipeError, match=r"Unknown architecture\.") as caught:
        recipe(tmp_path, 'architecture = "vgggg"').make_network(gn.load_dataset("digits"))
    assert "recipe mine, network.architecture" in str(caught.value)
