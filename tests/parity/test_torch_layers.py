"""The layers of images and sequences in PyTorch, from the same weights: outputs, gradients and several optimizer steps.

Theirs are functions of leaf tensors in our layout (windows first, images with channels last), so that what autograd finds
can be laid beside ours as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from glassnet.network import Network
from glassnet.nn import (
    GRU,
    LSTM,
    AveragePool2D,
    BatchNorm,
    Concatenate,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePool2D,
    GlobalMaxPool2D,
    Layer,
    LayerNorm,
    MaxPool2D,
    Residual,
    SimpleRNN,
    Swish,
)
from glassnet.nn.losses import SoftmaxCrossEntropy
from glassnet.nn.optimizers import SGD, AdamW

torch = pytest.importorskip("torch")
F = torch.nn.functional

Array = np.ndarray[Any, Any]
Weights = dict[str, Any]
Theirs = Callable[[Any, Weights, Layer], Any]  # of x, the parameters by name, and our layer (for its sizes)
PRECISION = {"float64": 1e-10, "float32": 3e-5}
LABELS = np.arange(12) % 4


def channels_first(function: Callable[[Any, Weights, Any], Any]) -> Theirs:
    return lambda x, w, layer: function(x.permute(0, 3, 1, 2), w, layer).permute(0, 2, 3, 1)


def padded(x: Any, layer: Any, value: float = 0.0) -> Any:
    top, bottom, left, right = layer.margins((x.shape[2], x.shape[3], x.shape[1]))
    return F.pad(x, (left, right, top, bottom), value=value)


def convolution(x: Any, w: Weights, layer: Any) -> Any:
    return F.conv2d(padded(x, layer), w["weight"].permute(3, 2, 0, 1), w.get("bias"), stride=layer.strides)


def max_pool(x: Any, w: Weights, layer: Any) -> Any:
    return F.max_pool2d(padded(x, layer, -torch.inf), layer.pool_size, layer.strides)


def average_pool(x: Any, w: Weights, layer: Any) -> Any:
    inside = F.avg_pool2d(padded(torch.ones_like(x), layer), layer.pool_size, layer.strides)
    return F.avg_pool2d(padded(x, layer), layer.pool_size, layer.strides) / inside


def recurrent(kind: Any, **options: Any) -> Theirs:
    """nn.RNN, nn.LSTM or nn.GRU, called with our arrays; of its two biases only ours are not zero."""

    def function(x: Any, w: Weights, layer: Any) -> Any:
        steps = x.reshape(len(x), x.shape[1], -1)
        module = kind(steps.shape[2], layer.units, batch_first=True, **options).to(x.dtype)
        second = torch.zeros_like(w["bias"])
        if "recurrent_bias" in w:
            second = torch.cat([second[: 2 * layer.units], w["recurrent_bias"]])
        tensors = {
            "weight_ih_l0": w["weight"].T,
            "weight_hh_l0": w["recurrent_weight"].T,
            "bias_ih_l0": w["bias"],
            "bias_hh_l0": second,
        }
        states = torch.func.functional_call(module, tensors, steps)[0]
        return states if layer.return_sequences else states[:, -1]

    return function


def norm(x: Any, w: Weights, layer: Any) -> Any:
    """Batch norm in training."""
    first = x.movedim(-1, 1)
    return F.batch_norm(first, None, None, w["gamma"], w["beta"], training=True, eps=layer.epsilon).movedim(1, -1)


def inside(w: Weights, prefix: str) -> Weights:
    return {name.removeprefix(prefix): array for name, array in w.items() if name.startswith(prefix)}


def residual(x: Any, w: Weights, layer: Any) -> Any:
    block, beside = layer.branches
    y = norm(channels_first(convolution)(x, inside(w, "0.conv2d1."), block[0]), inside(w, "0.batchnorm1."), block[1])
    return y + (channels_first(convolution)(x, inside(w, "1.conv2d1."), beside[0]) if beside else x)


def side_by_side(x: Any, w: Weights, layer: Any) -> Any:
    (first,), _ = layer.branches
    return torch.cat([channels_first(convolution)(x, inside(w, "0.conv2d1."), first), x], dim=-1)


CASES: dict[str, tuple[Callable[[], Layer], tuple[int, ...], Theirs]] = {
    "conv": (lambda: Conv2D(5, 3), (6, 7, 3), channels_first(convolution)),
    "conv-strides": (lambda: Conv2D(5, (3, 2), strides=(2, 3)), (7, 8, 1), channels_first(convolution)),
    "conv-same": (lambda: Conv2D(4, (3, 4), padding="same", use_bias=False), (5, 6, 2), channels_first(convolution)),
    "conv-same-strides": (lambda: Conv2D(4, 3, strides=2, padding="same"), (6, 5, 3), channels_first(convolution)),
    "conv-1x1": (lambda: Conv2D(4, 1, strides=2), (5, 4, 3), channels_first(convolution)),
    "max": (lambda: MaxPool2D(2), (5, 6, 3), channels_first(max_pool)),
    "max-overlapping-same": (lambda: MaxPool2D(3, 2, "same"), (6, 5, 2), channels_first(max_pool)),
    "average": (lambda: AveragePool2D((2, 3)), (5, 6, 3), channels_first(average_pool)),
    "average-overlapping-same": (lambda: AveragePool2D(3, 2, "same"), (6, 5, 2), channels_first(average_pool)),
    "global-average": (GlobalAveragePool2D, (4, 3, 5), lambda x, w, layer: x.mean(dim=(1, 2))),
    "global-max": (GlobalMaxPool2D, (4, 3, 5), lambda x, w, layer: x.amax(dim=(1, 2))),
    "batch-norm": (lambda: BatchNorm(epsilon=1e-3), (3, 4, 2), norm),
    "batch-norm-flat": (BatchNorm, (9,), norm),
    "layer-norm": (
        LayerNorm, (3, 5), lambda x, w, layer: F.layer_norm(x, x.shape[-1:], w["gamma"], w["beta"], layer.epsilon),
    ),
    "swish": (Swish, (7,), lambda x, w, layer: F.silu(x)),
    "rnn": (lambda: SimpleRNN(6), (5, 3), recurrent(torch.nn.RNN)),
    "rnn-relu": (
        lambda: SimpleRNN(6, activation="relu", return_sequences=True), (5, 3), recurrent(torch.nn.RNN, nonlinearity="relu"),
    ),
    "lstm": (lambda: LSTM(6), (5, 3), recurrent(torch.nn.LSTM)),
    "lstm-images": (lambda: LSTM(4, return_sequences=True), (4, 3, 2), recurrent(torch.nn.LSTM)),
    "gru": (lambda: GRU(6), (5, 3), recurrent(torch.nn.GRU)),
    "gru-images": (lambda: GRU(4, return_sequences=True), (4, 3, 2), recurrent(torch.nn.GRU)),
    "residual": (lambda: Residual([Conv2D(2, 3, padding="same", use_bias=False), BatchNorm()]), (4, 5, 2), residual),
    "residual-projected": (
        lambda: Residual([Conv2D(3, 3, strides=2, padding="same", use_bias=False), BatchNorm()]), (5, 4, 2), residual,
    ),
    "concatenate": (lambda: Concatenate([[Conv2D(3, 3, padding="same")], []]), (4, 3, 2), side_by_side),
}  # fmt: skip
each_case = pytest.mark.parametrize("case", CASES)
each_precision = pytest.mark.parametrize("dtype", PRECISION)


def images(case: str, dtype: str) -> Array:
    return np.random.default_rng(1).standard_normal((12, *CASES[case][1])).astype(dtype)


def ours(case: str, dtype: str) -> Network:
    """The layer before a dense one; all its arrays by chance, biases too."""
    layers = [CASES[case][0](), Flatten(), Dense(4)]
    net = Network(layers, input_shape=CASES[case][1], loss=SoftmaxCrossEntropy(), seed=2, dtype=dtype)
    net.parameters = net.parameters + 0.2 * np.random.default_rng(3).standard_normal(net.parameters.size)
    return net


def leaves(net: Network) -> dict[str, Any]:
    return {slot.name: torch.tensor(slot.part(net.flat).reshape(slot.shape).copy(), requires_grad=True) for slot in net.slots}


def theirs(case: str, net: Network, x: Any, w: dict[str, Any]) -> Any:
    """The scores in training."""
    y = CASES[case][2](x, inside(w, f"{net.names[0]}."), net.layers[0])
    return y.reshape(len(y), -1) @ w["dense1.weight"] + w["dense1.bias"]


def cost(z: Any) -> Any:
    return F.cross_entropy(z, torch.from_numpy(LABELS))


@each_precision
@each_case
def test_forward_and_gradient(case: str, dtype: str) -> None:
    net, x = ours(case, dtype), images(case, dtype)
    w, their_x = leaves(net), torch.tensor(x, requires_grad=True)
    z = theirs(case, net, their_x, w)
    cost(z).backward()
    losses, raw, gradient = net.losses_and_gradient(net.rows(x), LABELS, training=True)
    np.testing.assert_allclose(raw, z.detach().numpy(), rtol=0, atol=PRECISION[dtype])
    assert float(losses.mean()) == pytest.approx(cost(z).item(), abs=PRECISION[dtype])
    for slot in net.slots:
        wanted = w[slot.name].grad.numpy()
        np.testing.assert_allclose(slot.part(gradient).reshape(slot.shape), wanted, rtol=0, atol=PRECISION[dtype])
    y, back = net.forward(net.rows(x), training=True)
    dx, _ = back(np.ones_like(y))
    their_x.grad = None
    theirs(case, net, their_x, w).sum().backward()
    np.testing.assert_allclose(dx, their_x.grad.numpy(), rtol=0, atol=20 * PRECISION[dtype])


@pytest.mark.parametrize("name", ["momentum", "adamw"])
@each_precision
@each_case
def test_optimizer_steps(case: str, dtype: str, name: str) -> None:
    """Eight steps on the full batch; weight decay acts on weights alone, those of recurrence included."""
    net = ours(case, dtype)
    x = images(case, "float32")
    w = leaves(net)
    decays = [tensor for key, tensor in w.items() if key.endswith("weight")]
    others = [tensor for key, tensor in w.items() if not key.endswith("weight")]
    optimizer: Any
    if name == "momentum":
        optimizer, options = SGD(0.05, momentum=0.9), {"lr": 0.05, "momentum": 0.9}
        their_optimizer = torch.optim.SGD([*decays, *others], **options)
    else:
        optimizer = AdamW(0.01, weight_decay=0.1)
        groups = [{"params": decays, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
        their_optimizer = torch.optim.AdamW(groups, lr=0.01, eps=1e-7)
    their_x = torch.from_numpy(x.astype(dtype))
    for _ in range(8):
        their_optimizer.zero_grad()
        cost(theirs(case, net, their_x, w)).backward()
        their_optimizer.step()
    net.fit((x, LABELS), 8, batch_size=12, optimizer=optimizer, seed=1)
    for slot in net.slots:
        found, wanted = slot.part(net.flat).reshape(slot.shape), w[slot.name].detach().numpy()
        np.testing.assert_allclose(found, wanted, rtol=0, atol=10 * PRECISION[dtype], err_msg=slot.name)


@each_precision
@pytest.mark.parametrize("shape", [(9,), (3, 4, 2)])
def test_running_statistics(shape: tuple[int, ...], dtype: str) -> None:
    """Theirs move by 1 − momentum, and their variance is n / (n − 1) of ours."""
    x = np.random.default_rng(1).standard_normal((12, *shape)).astype(dtype) * 3 + 1
    net = Network([BatchNorm(momentum=0.7)], input_shape=shape, seed=1, dtype=dtype)
    gamma, beta = (np.random.default_rng(i).standard_normal(shape[-1]) for i in (1, 2))
    net.parameters = np.concatenate([gamma, beta])
    kind = torch.nn.BatchNorm1d if len(shape) == 1 else torch.nn.BatchNorm2d
    twin = kind(shape[-1], momentum=0.3, eps=1e-5).to(torch.float64 if dtype == "float64" else torch.float32)
    with torch.no_grad():
        twin.weight.copy_(torch.from_numpy(gamma))
        twin.bias.copy_(torch.from_numpy(beta))
    for start in (0, 4, 8):
        batch = x[start : start + 4]
        net.forward(net.rows(batch), training=True)
        twin(torch.from_numpy(batch).movedim(-1, 1))
    statistics, count, start_share = net.layers[0].statistics, 4 * int(np.prod(shape[:-1])), 0.7**3
    biased = start_share + (twin.running_var.numpy() - start_share) * (count - 1) / count
    np.testing.assert_allclose(statistics["mean"], twin.running_mean.numpy(), rtol=0, atol=PRECISION[dtype])
    np.testing.assert_allclose(statistics["variance"], biased, rtol=0, atol=10 * PRECISION[dtype])
    twin.eval()
    with torch.no_grad():
        twin.running_var.copy_(torch.from_numpy(statistics["variance"].copy()))
        wanted = twin(torch.from_numpy(x).movedim(-1, 1)).movedim(1, -1).numpy()
    np.testing.assert_allclose(net(x).reshape(x.shape), wanted, rtol=0, atol=PRECISION[dtype])
