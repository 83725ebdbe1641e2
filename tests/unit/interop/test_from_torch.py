"""Networks made in PyTorch give the same outputs here; what glassnet lacks is refused by its name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.errors import InputError, ShapeError
from glassnet.nn import Nested
from tests.interop import CASES_OF_LAYERS, Made, networks_of_recipes

torch = pytest.importorskip("torch", reason="PyTorch is not installed (the group `parity`)")
nn: Any = torch.nn
from glassnet.interop import torch_modules as own  # noqa: E402  # imports PyTorch

Array = np.ndarray[Any, Any]
ROWS, COLUMNS, CHANNELS = 9, 8, 3
IMAGE, FLAT, STEPS = (ROWS, COLUMNS, CHANNELS), (12,), (6, 5)


def row(*modules: Any) -> Any:
    return nn.Sequential(*modules)


NETWORKS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "mlp": (lambda: row(nn.Linear(12, 7), nn.ReLU(), nn.Dropout(0.3), nn.Linear(7, 4)), FLAT),
    "activations": (
        lambda: row(
            nn.Linear(12, 8, bias=False), nn.GELU(), nn.SiLU(), nn.Tanh(), nn.LeakyReLU(0.2), nn.Linear(8, 2), nn.Sigmoid(),
        ),
        FLAT,
    ),
    "lenet": (
        lambda: row(
            row(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, (2, 3), bias=False)),
            row(nn.Flatten(), nn.Linear(10, 6), nn.Tanh(), nn.Linear(6, 4), nn.Softmax(dim=1)),
        ),
        IMAGE,
    ),
    "vgg": (
        lambda: row(
            nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(),
            nn.Conv2d(6, 5, 5, padding="same"), nn.BatchNorm2d(5, eps=1e-3, momentum=None, affine=False), nn.ReLU(),
            nn.MaxPool2d(3, 2), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(5, 3), nn.LogSoftmax(dim=-1),
        ),
        IMAGE,
    ),
    "flattened-image": (
        lambda: row(
            nn.Conv2d(3, 4, 3), nn.Flatten(), nn.BatchNorm1d(168), nn.Dropout(), nn.LayerNorm(168), nn.Linear(168, 5),
            nn.LayerNorm(5, elementwise_affine=False), nn.Identity(), nn.Linear(5, 3),
        ),
        IMAGE,
    ),
    "even-windows": (
        lambda: row(
            nn.Conv2d(3, 4, 4, padding="same"), nn.AvgPool2d(2), nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(4, 3, 2),
            nn.AdaptiveMaxPool2d(1), nn.ReLU(), nn.Flatten(),
        ),
        IMAGE,
    ),
    "same-pools": (
        lambda: row(
            nn.MaxPool2d(3, 1, padding=1), nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
            nn.Conv2d(3, 2, 3, stride=2, padding="valid"), nn.Softmax(dim=1), nn.Flatten(), nn.Linear(24, 1), nn.Sigmoid(),
        ),
        IMAGE,
    ),
    "strided-same": (lambda: row(nn.Conv2d(3, 4, 3, stride=2, padding=(1, 1)), nn.Flatten(), nn.Linear(80, 4)), (9, 7, 3)),
    "lstm": (lambda: row(own.LSTM(5, 4, return_sequences=True), own.LSTM(4, 3), nn.Linear(3, 2)), STEPS),
    "gru": (lambda: row(own.GRU(5, 4, bias=False, return_sequences=True), own.GRU(4, 3), nn.Linear(3, 2)), STEPS),
    "rnn": (lambda: row(own.RNN(5, 4, nonlinearity="relu", return_sequences=True), nn.Flatten(), nn.Linear(24, 2)), STEPS),
}  # fmt: skip


def disturbed(module: Any) -> Any:
    """The module with running statistics and scales as training leaves them, for prediction."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2.0, generator=generator)
            elif tensor.ndim == 1:
                tensor.add_(torch.randn(tensor.shape, generator=generator) / 4)
    return module.eval()


def asked(module: Any, images: Array) -> Array:
    """The module's outputs for our images: PyTorch has the channels first."""
    given = torch.from_numpy(images)
    with torch.no_grad():
        y = module(given.permute(0, 3, 1, 2) if images.ndim == 4 else given)
        found: Array = (y[0] if isinstance(y, tuple) else y).flatten(1).numpy()
    return found


def images(shape: tuple[int, ...], count: int = 20) -> Array:
    return np.random.default_rng(1).standard_normal((count, *shape)).astype(np.float32)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # PyTorch's, of its own copy
@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_those_of_the_module(name: str) -> None:
    make, shape = NETWORKS[name]
    module = disturbed(make())
    network = gn.from_torch(module, shape)
    x = images(shape)
    wanted, found = asked(module, x), network(x)
    if name == "vgg":  # ends in LogSoftmax
        wanted, found = np.exp(wanted), network.predict_proba(x)
        assert isinstance(network.loss, gn.SoftmaxCrossEntropy)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    assert network.dtype == np.float32


def test_a_module_in_two_places() -> None:
    bent, dense = nn.Tanh(), nn.Linear(12, 12)
    module = row(dense, bent, dense, bent)
    network = gn.from_torch(module, FLAT)
    assert len(network.layers) == 4
    x = images(FLAT)
    np.testing.assert_allclose(network(x), asked(module, x), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_recurrent_modules_give_all_states(kind: Any) -> None:
    module = disturbed(kind(5, 4, batch_first=True))
    x = images(STEPS)
    np.testing.assert_allclose(gn.from_torch(module, STEPS)(x), asked(module, x), rtol=0, atol=1e-5)


@pytest.mark.parametrize("make", [*CASES_OF_LAYERS, *networks_of_recipes()])
def test_there_and_back(make: Callable[[], Made]) -> None:
    network, x = make()
    if any(isinstance(layer, Nested) for layer in network.layers):
        with pytest.raises(InputError, match="does not have this layer"):
            gn.from_torch(gn.to_torch(network), network.input_shape)
        return
    again = gn.from_torch(gn.to_torch(network), network.input_shape)
    np.testing.assert_allclose(again(x), network(x), rtol=1e-5, atol=1e-5)


def test_float64_stays() -> None:
    module = disturbed(row(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(168, 3))).double()
    network = gn.from_torch(module, IMAGE)
    x = images(IMAGE).astype(np.float64)
    assert network.dtype == np.float64
    np.testing.assert_allclose(network(x), asked(module, x), rtol=0, atol=1e-12)


def test_weights_are_copies_and_train() -> None:
    module = row(nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 3))
    network = gn.from_torch(module, FLAT)
    kept = module[0].weight.detach().clone()
    labels = np.arange(20) % 3
    network.fit(images(FLAT), labels, epochs=1, seed=1, progress=False)
    assert torch.equal(module[0].weight, kept)
    assert not np.allclose(network.layers[0].weight, kept.numpy().T)


def test_layers_in_front_take_the_bytes() -> None:
    module = row(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(84, 3))
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    network = gn.from_torch(module, IMAGE, before=[gn.Pixels(), gn.Standardize(mean, std)])
    x = np.random.default_rng(1).integers(0, 256, (5, *IMAGE), dtype=np.uint8)
    wanted = asked(module, ((x / 255 - mean) / std).astype(np.float32))
    np.testing.assert_allclose(network(x), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("module", "loss"),
    [
        (lambda: row(nn.Linear(12, 3)), gn.SoftmaxCrossEntropy),
        (lambda: row(nn.Linear(12, 3), nn.Softmax(-1)), gn.SoftmaxCrossEntropy),
        (lambda: row(nn.Linear(12, 1)), gn.BinaryCrossEntropy),
        (lambda: row(nn.Linear(12, 3), nn.Sigmoid()), gn.BinaryCrossEntropy),
        (lambda: row(nn.Linear(12, 3), nn.Tanh()), gn.Quadratic),
    ],
)
def test_loss_follows_from_the_end(module: Callable[[], Any], loss: type) -> None:
    assert type(gn.from_torch(module(), FLAT).loss) is loss


class Own(nn.Module):  # type: ignore[misc]
    def forward(self, x: Any) -> Any:
        return x


class Branched(nn.Sequential):  # type: ignore[misc]
    def forward(self, x: Any) -> Any:
        return x + super().forward(x)


REFUSED: dict[str, tuple[Callable[[], Any], tuple[int, ...], str, str]] = {
    "unknown": (lambda: row(nn.Linear(12, 4), nn.PReLU()), FLAT, "does not have this layer", "1, PReLU(num_parameters=1)"),
    "deep": (lambda: row(row(nn.Linear(12, 4), nn.Mish())), FLAT, "does not have this layer", "0.1, Mish()"),
    "own": (lambda: row(Own()), FLAT, "does not have this layer", "0, Own()"),
    "branched": (lambda: Branched(nn.Linear(12, 12)), FLAT, "does not have this layer", "Branched("),
    "unflatten": (lambda: row(nn.Unflatten(1, (3, 4))), FLAT, "does not have this layer", "0, Unflatten"),
    "groups": (lambda: row(nn.Conv2d(3, 6, 3, groups=3)), IMAGE, "this option", "0, Conv2d"),
    "dilation": (lambda: row(nn.Conv2d(3, 6, 3, dilation=2)), IMAGE, "this option", "0, Conv2d"),
    "reflect": (lambda: row(nn.Conv2d(3, 6, 3, padding=1, padding_mode="reflect")), IMAGE, "this option", "0, Conv2d"),
    "padding": (lambda: row(nn.Conv2d(3, 6, 3, padding=2)), IMAGE, "pads an image", "0, Conv2d"),
    "stride-padding": (lambda: row(nn.Conv2d(3, 6, 3, stride=2, padding=1)), IMAGE, "pads an image", "0, Conv2d"),
    "zeros-counted": (lambda: row(nn.AvgPool2d(3, 1, padding=1)), IMAGE, "this option", "0, AvgPool2d"),
    "ceil": (lambda: row(nn.MaxPool2d(2, ceil_mode=True)), IMAGE, "this option", "0, MaxPool2d"),
    "pad-alone": (lambda: row(nn.ZeroPad2d(1), nn.ReLU()), IMAGE, "A padding is only read", "0, ZeroPad2d"),
    "pad-at-end": (lambda: row(nn.Conv2d(3, 2, 3), nn.ZeroPad2d(1)), IMAGE, "A padding is only read", "1, ZeroPad2d"),
    "pad-of-zeros": (
        lambda: row(nn.ZeroPad2d((0, 1, 0, 1)), nn.MaxPool2d(2, 1)),
        IMAGE,
        "A padding is only read",
        "1, MaxPool2d",
    ),
    "adaptive": (lambda: row(nn.AdaptiveAvgPool2d(2)), IMAGE, "this option", "0, AdaptiveAvgPool2d"),
    "gelu": (lambda: row(nn.GELU(approximate="tanh")), FLAT, "this option", "0, GELU"),
    "softmax": (lambda: row(nn.Conv2d(3, 2, 3), nn.Softmax(dim=-1)), IMAGE, "Softmax is taken", "1, Softmax"),
    "log": (lambda: row(nn.Linear(12, 3), nn.LogSoftmax(1), nn.Linear(3, 2)), FLAT, "only read at the end", "2, Linear"),
    "layer-norm": (lambda: row(nn.LayerNorm((3, 9, 8))), IMAGE, "LayerNorm is taken", "0, LayerNorm"),
    "batch-statistics": (lambda: row(nn.BatchNorm1d(12, track_running_stats=False)), FLAT, "this option", "0, BatchNorm1d"),
    "two-layers": (lambda: row(nn.LSTM(5, 4, num_layers=2, batch_first=True)), STEPS, "this option", "0, LSTM"),
    "two-ways": (lambda: row(nn.GRU(5, 4, bidirectional=True, batch_first=True)), STEPS, "this option", "0, GRU"),
    "steps-first": (lambda: row(nn.RNN(5, 4)), STEPS, "this option", "0, RNN"),
    "no-flatten": (lambda: row(nn.AdaptiveAvgPool2d(1), nn.Linear(1, 3)), IMAGE, "A Flatten is missing", "1, Linear"),
    "flat-at-end": (lambda: row(nn.Conv2d(3, 2, 3), nn.Flatten()), IMAGE, "in another order", "from_torch"),
    "nothing": (lambda: row(), FLAT, "A network needs layers", "from_torch"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_lacking_is_refused_by_name(name: str) -> None:
    make, shape, what, where = REFUSED[name]
    with pytest.raises(InputError, match=what) as caught:
        gn.from_torch(make(), shape)
    assert str(caught.value.where).startswith(where)


@pytest.mark.parametrize(
    ("make", "shape", "where"),
    [
        (lambda: row(nn.Linear(11, 3)), FLAT, "0, Linear"),
        (lambda: row(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(100, 3)), IMAGE, "2, Linear"),
        (lambda: row(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.BatchNorm1d(4)), IMAGE, "2, BatchNorm1d"),
        (lambda: row(nn.Conv2d(1, 4, 3)), IMAGE, "0, Conv2d"),
        (lambda: row(nn.Conv2d(3, 4, 3)), FLAT, "0, Conv2d"),
        (lambda: row(nn.Conv2d(3, 4, 11)), IMAGE, "0, Conv2d"),
        (lambda: row(nn.Linear(3, 4)), IMAGE, "0, Linear"),
        (lambda: row(own.LSTM(4, 3)), STEPS, "0, LSTM"),
        (lambda: row(nn.BatchNorm2d(4)), IMAGE, "0, BatchNorm2d"),
    ],
)
def test_shapes_that_do_not_chain(make: Callable[[], Any], shape: tuple[int, ...], where: str) -> None:
    with pytest.raises(ShapeError) as caught:
        gn.from_torch(make(), shape)
    assert str(caught.value.where).startswith(where)


def test_channels_first_is_hinted() -> None:
    with pytest.raises(ShapeError, match="channels first") as caught:
        gn.from_torch(row(nn.Conv2d(3, 4, 3)), (3, 32, 32))
    assert caught.value.where == "from_torch(input_shape)"


def test_something_else() -> None:
    with pytest.raises(InputError, match="not a module of PyTorch"):
        gn.from_torch(nn.Linear, FLAT)


def test_where_pytorch_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    module = row(nn.Linear(12, 3))
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match="PyTorch is not installed") as caught:
        gn.from_torch(module, FLAT)
    assert caught.value.hint == "pip install torch"
