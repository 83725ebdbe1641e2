"""Networks as PyTorch modules and files: every layer and every recipe's network answers as it does here."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.errors import InputError
from glassnet.interop.export import metadata_of
from glassnet.interop.to_torch import _MODULES
from glassnet.interop.torch import encode, predictor
from glassnet.nn import LAYERS, Nested
from tests.interop import CASES_OF_LAYERS, Made, assert_same, networks_of_recipes, of_layer, of_recipe

torch = pytest.importorskip("torch", reason="PyTorch is not installed (the group `parity`)")

Array = np.ndarray[Any, Any]
PROGRAMS = [
    ("Conv2D", 4),
    ("AveragePool2D", 4),
    ("BatchNorm", 1),
    ("LSTM", 2),
    ("GRU", 1),
    ("Residual", 4),
    ("Concatenate", 1),
]


def answers(module: Any, images: Array) -> Array:
    with torch.no_grad():
        found: Array = module(torch.from_numpy(images)).numpy()
    return found


def assert_module_answers(network: gn.Network, images: Array) -> None:
    module = gn.to_torch(network)
    for given in (images, images[:1]):
        wanted = network(given)
        found = answers(module, given)
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_every_layer_has_a_module() -> None:
    assert set(_MODULES) == {name for name, kind in LAYERS.items() if not issubclass(kind, Nested)}


@pytest.mark.parametrize("make", CASES_OF_LAYERS)
def test_layers(make: Callable[[], Made]) -> None:
    network, images = make()
    assert_module_answers(network, images)
    assert_same(network, predictor(encode(network, metadata_of(network) | {"file": "net.safetensors"})), images)


@pytest.mark.parametrize("make", networks_of_recipes())
def test_recipes(make: Callable[[], Made]) -> None:
    network, images = make()
    assert_module_answers(network, images)
    assert_same(network, predictor(encode(network, metadata_of(network) | {"file": "net.safetensors"})), images)


@pytest.mark.parametrize("make", [pytest.param(lambda n=n, i=i: of_layer(n, i), id=f"{n}-{i}") for n, i in PROGRAMS])
def test_programs(make: Callable[[], Made]) -> None:
    network, images = make()
    predict = predictor(encode(network, metadata_of(network) | {"file": "net.pt2"}))
    assert_same(network, predict, images)
    assert_same(network, predict, images[:1])


def test_program_of_a_recipe() -> None:
    network, images = of_recipe("mnist-cnn")
    assert_same(network, predictor(encode(network, metadata_of(network) | {"file": "net.pt2"})), images)


def test_float64_stays_exact() -> None:
    layers = [gn.Pixels(), gn.Conv2D(3, 3, padding="same"), gn.LSTM(4), gn.Dense(3)]
    network = gn.Network(layers, input_shape=(5, 4, 2), dtype="float64")
    images = np.random.default_rng(1).integers(0, 256, (4, 5, 4, 2), dtype=np.uint8)
    found = answers(gn.to_torch(network), images)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, network(images), rtol=0, atol=1e-12)


def test_modules_are_named_as_the_layers_are() -> None:
    network, _ = of_recipe("mnist-99")
    module = gn.to_torch(network)
    assert isinstance(module, torch.nn.Sequential)
    assert not module.training
    assert isinstance(module.conv2d1, torch.nn.Conv2d)
    weight = network.layers[network.names.index("conv2d1")].weight
    np.testing.assert_array_equal(module.conv2d1.weight.detach().numpy(), weight.transpose(3, 2, 0, 1))
    assert "batchnorm1.running_mean" in module.state_dict()


def test_weights_are_copies_and_the_generator_stays() -> None:
    network = gn.Network([4, 3], seed=1)
    before = torch.random.get_rng_state()
    module = gn.to_torch(network)
    assert torch.equal(torch.random.get_rng_state(), before)
    kept = network.parameters
    with torch.no_grad():
        module.dense1.weight.zero_()
    np.testing.assert_array_equal(network.parameters, kept)


def test_module_trains() -> None:
    """With dropout and batch statistics as in PyTorch."""
    network = gn.Network(
        [gn.Pixels(), gn.Conv2D(4, 3), gn.BatchNorm(0.8), gn.Flatten(), gn.Dropout(0.5), gn.Dense(2)], input_shape=(5, 5, 1)
    )
    module = gn.to_torch(network).train()
    assert module.batchnorm1.momentum == pytest.approx(0.2)
    module(torch.zeros(8, 5, 5, 1, dtype=torch.uint8)).sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_files_are_proven(tmp_path: Path) -> None:
    network = gn.Network([16, 5, 3], seed=1, classes=("a", "b", "c"))
    program, state = tmp_path / "net.pt2", tmp_path / "net.safetensors"
    for path in (program, state):
        proof = gn.export_torch(network, path)
        assert proof.holds
        assert proof.largest <= 1e-5
        assert json.loads(path.with_name(path.name + ".json").read_text())["classes"] == ["a", "b", "c"]
    images = torch.randint(0, 256, (7, 16), dtype=torch.uint8)
    found = torch.export.load(program).module()(images)
    np.testing.assert_allclose(found.detach().numpy(), network.predict_proba(images.numpy()), rtol=0, atol=1e-5)
    from safetensors.torch import load_file

    module = gn.to_torch(gn.Network([16, 5, 3], seed=2))
    module.load_state_dict(load_file(state))
    np.testing.assert_allclose(answers(module, images.numpy()), network(images.numpy()), rtol=0, atol=1e-5)


def test_float_images_of_a_network_with_pixels() -> None:
    network = gn.Network([16, 5, 3], seed=1)
    images = np.random.default_rng(1).random((5, 16), dtype=np.float32)
    metadata = metadata_of(network)
    assert_same(network, predictor(encode(network, metadata | {"file": "net.pt2"}, takes_bytes=False)), images)
    with pytest.raises(InputError, match="another type") as caught:
        predictor(encode(network, metadata | {"file": "net.pt2"}))(images)
    assert caught.value.hint == "takes_bytes=False"


@pytest.mark.parametrize("name", ["net.pth", "net.pt", "net", "net.onnx"])
def test_other_endings_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="another ending") as caught:
        gn.export_torch(gn.Network([4, 2]), tmp_path / name)
    assert caught.value.expected == ".pt2 | .safetensors"
    assert not list(tmp_path.iterdir())


class Odd(gn.Layer):
    """A layer that glassnet does not have."""

    def forward(self, x: Array, **options: Any) -> Any:
        return x, lambda dy: (dy, {})


def test_a_layer_without_a_module_is_named() -> None:
    network = gn.Network([gn.Residual([gn.Dense(4), Odd()]), gn.Dense(2)], input_shape=(4,))
    with pytest.raises(InputError, match="no module for this layer") as caught:
        gn.to_torch(network)
    assert caught.value.where == "residual1.0.odd1"
    assert caught.value.received == "Odd()"


def test_where_pytorch_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    network = gn.Network([4, 2])
    for call in (lambda: gn.to_torch(network), lambda: gn.export_torch(network, tmp_path / "net.pt2")):
        with pytest.raises(InputError, match="PyTorch is not installed") as caught:
            call()
        assert caught.value.hint == "pip install torch"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        gn.export_torch(gn.Network([4, 2]), tmp_path / "none" / "net.safetensors")
