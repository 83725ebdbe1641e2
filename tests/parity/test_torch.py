"""The same network in PyTorch, from the same weights: outputs, costs, gradients, and several steps of every optimizer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glassnet.network import Network
from glassnet.nn import GELU, Dense, LeakyReLU, ReLU, Sigmoid, Softmax, Tanh
from glassnet.nn.lookahead import Lookahead
from glassnet.nn.losses import BinaryCrossEntropy, Quadratic, SoftmaxCrossEntropy
from glassnet.nn.optimizers import SGD, Adam, AdamW, Muon, RMSprop
from glassnet.nn.orthogonal import orthogonal
from glassnet.nn.penalties import L2

torch = pytest.importorskip("torch")
nn = torch.nn

Array = np.ndarray[Any, Any]
PRECISION = {"float64": 1e-10, "float32": 3e-5}
ACTIVATIONS = {
    "sigmoid": (Sigmoid, nn.Sigmoid),
    "tanh": (Tanh, nn.Tanh),
    "relu": (ReLU, nn.ReLU),
    "leaky": (lambda: LeakyReLU(0.2), lambda: nn.LeakyReLU(0.2)),
    "gelu": (GELU, nn.GELU),
    "softmax": (Softmax, lambda: nn.Softmax(dim=-1)),
}
LABELS = np.arange(20) % 4
ONE_HOT = torch.nn.functional.one_hot(torch.from_numpy(LABELS), 4)


def quadratic(z: Any) -> Any:
    return 0.5 * ((z - ONE_HOT) ** 2).sum(dim=1).mean()


def binary(z: Any) -> Any:
    return nn.functional.binary_cross_entropy_with_logits(z, ONE_HOT.to(z), reduction="none").sum(dim=1).mean()


def softmax(smoothing: float) -> Any:
    return lambda z: nn.functional.cross_entropy(z, torch.from_numpy(LABELS), label_smoothing=smoothing)


COSTS = {
    "quadratic": (Quadratic(), quadratic),
    "binary": (BinaryCrossEntropy(), binary),
    "softmax": (SoftmaxCrossEntropy(), softmax(0.0)),
    "smoothed": (SoftmaxCrossEntropy(label_smoothing=0.15), softmax(0.15)),
}
OPTIMIZERS = {
    "sgd": (SGD(0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
    "momentum": (SGD(0.1, momentum=0.9), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
    "nesterov": (
        SGD(0.1, momentum=0.9, nesterov=True),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    ),
    "rmsprop": (RMSprop(0.01), lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-7)),
    "adam": (Adam(0.01), lambda p: torch.optim.Adam(p, lr=0.01, eps=1e-7)),
    "adamw": (
        AdamW(0.01, weight_decay=0.1),
        lambda p: torch.optim.AdamW(
            [
                {"params": [w for w in p if w.ndim == 2], "weight_decay": 0.1},
                {"params": [w for w in p if w.ndim == 1], "weight_decay": 0.0},
            ],
            lr=0.01,
            eps=1e-7,
        ),
    ),
}


def images() -> Array:
    return np.random.default_rng(1).standard_normal((20, 9))


def ours(activation: str, loss: Any, dtype: str, **options: Any) -> Network:
    layers = [Dense(7, bias_initializer="Normal"), ACTIVATIONS[activation][0](), Dense(4, bias_initializer="Normal")]
    return Network(layers, input_shape=(9,), loss=loss, seed=2, dtype=dtype, **options)


def theirs(net: Network, activation: str) -> Any:
    """PyTorch's network with the weights of ours; its own are stored the other way round."""
    kind = torch.float64 if net.dtype == np.float64 else torch.float32
    twin = nn.Sequential(nn.Linear(9, 7), ACTIVATIONS[activation][1](), nn.Linear(7, 4)).to(kind)
    with torch.no_grad():
        for linear, layer in ((twin[0], net.layers[0]), (twin[2], net.layers[2])):
            linear.weight.copy_(torch.from_numpy(layer.parameters["weight"].T.copy()))
            linear.bias.copy_(torch.from_numpy(layer.parameters["bias"].copy()))
    return twin


def flat(twin: Any, gradient: bool = False) -> Array:
    parts = []
    for linear in (twin[0], twin[2]):
        weight, bias = (linear.weight.grad, linear.bias.grad) if gradient else (linear.weight, linear.bias)
        parts += [weight.detach().numpy().T.ravel(), bias.detach().numpy()]
    return np.concatenate(parts)


@pytest.mark.parametrize("dtype", PRECISION)
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_forward_and_gradient(activation: str, cost: str, dtype: str) -> None:
    loss, their_loss = COSTS[cost]
    net = ours(activation, loss, dtype)
    twin = theirs(net, activation)
    x = images().astype(dtype)
    z = twin(torch.from_numpy(x))
    value = their_loss(z)
    value.backward()
    np.testing.assert_allclose(net(x), z.detach().numpy(), rtol=0, atol=PRECISION[dtype])
    assert net.evaluate((x, LABELS)).loss == pytest.approx(value.item(), abs=PRECISION["float32"])  # a Dataset is float32
    found, gradient = net.loss_and_gradient(x, LABELS)
    assert found == pytest.approx(value.item(), abs=PRECISION[dtype])
    np.testing.assert_allclose(gradient, flat(twin, gradient=True), rtol=0, atol=PRECISION[dtype])


@pytest.mark.parametrize("dtype", PRECISION)
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("clip", [0.0, 0.2])
def test_optimizer_steps(name: str, dtype: str, clip: float) -> None:
    """Ten steps on the full batch: nothing depends on the order of the images."""
    optimizer, make = OPTIMIZERS[name]
    optimizer = type(optimizer)(**{**optimizer.__dict__, "clip_norm": clip})
    loss, their_loss = COSTS["softmax"]
    net = ours("tanh", loss, dtype)
    twin = theirs(net, "tanh")
    x = images().astype(np.float32)
    net.fit((x, LABELS), 10, batch_size=20, optimizer=optimizer, seed=1)
    their_optimizer = make(list(twin.parameters()))
    for _ in range(10):
        their_optimizer.zero_grad()
        their_loss(twin(torch.from_numpy(x.astype(dtype)))).backward()
        if clip:
            nn.utils.clip_grad_norm_(twin.parameters(), clip)
        their_optimizer.step()
    precision = 1e-6 if dtype == "float64" and clip else PRECISION[dtype]  # theirs divides by the norm + 1e-6
    np.testing.assert_allclose(net.parameters, flat(twin), rtol=0, atol=precision)


def test_muon_is_theirs() -> None:
    """Theirs iterates in bfloat16, whose roundings of 2⁻⁸ the iteration makes larger; with fewer outputs than inputs
    its steps are as long as ours."""
    rng = np.random.default_rng(3)
    start, gradients = rng.standard_normal((40, 24)), rng.standard_normal((4, 40, 24))
    w, m = start.copy(), np.zeros_like(start)
    twin = nn.Parameter(torch.from_numpy(start.T.copy()))  # theirs are (outputs, inputs)
    their_optimizer = torch.optim.Muon([twin], lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.2)
    for number, g in enumerate(gradients, 1):
        Muon(0.1, momentum=0.8).step(w, g, m, np.zeros(0), 0.1, number, 0.2)
        twin.grad = torch.from_numpy(g.T.copy())
        their_optimizer.step()
    steps = np.linalg.norm(w - start)
    assert np.linalg.norm(w - twin.detach().numpy().T) < 0.02 * steps


def test_orthogonal_has_the_singular_vectors_of_the_matrix() -> None:
    """U·S′·Vᵀ of U·S·Vᵀ: what Newton and Schulz's polynomial makes of each singular value."""
    g = np.random.default_rng(3).standard_normal((30, 12))
    u, s, vt = torch.linalg.svd(torch.from_numpy(g), full_matrices=False)
    s = s / s.norm()
    for _ in range(3):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    np.testing.assert_allclose(orthogonal(g, 3), (u * s @ vt).numpy(), rtol=0, atol=1e-6)  # 1e-7 is added to the norm
    np.testing.assert_allclose(orthogonal(g.T.copy(), 3), orthogonal(g, 3).T, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", PRECISION)
def test_lookahead_by_pytorch_swa(dtype: str) -> None:
    """Slow weights: an average of PyTorch's kind, brought back into the network after every third step."""
    net = ours("tanh", COSTS["softmax"][0], dtype)
    twin = theirs(net, "tanh")
    slow = torch.optim.swa_utils.AveragedModel(twin, avg_fn=lambda mean, new, count: mean + 0.25 * (new - mean))
    slow.update_parameters(twin)
    x = images().astype(np.float32)
    net.fit((x, LABELS), 8, batch_size=20, optimizer=SGD(0.5, lookahead=Lookahead(3, 0.25)), seed=1)
    their_optimizer = torch.optim.SGD(twin.parameters(), lr=0.5)
    for number in range(1, 9):
        their_optimizer.zero_grad()
        COSTS["softmax"][1](twin(torch.from_numpy(x.astype(dtype)))).backward()
        their_optimizer.step()
        if number % 3 == 0:
            slow.update_parameters(twin)
            twin.load_state_dict(slow.module.state_dict())
    np.testing.assert_allclose(net.parameters, flat(twin), rtol=0, atol=PRECISION[dtype])


@pytest.mark.parametrize("dtype", PRECISION)
def test_rates_are_their_groups(dtype: str) -> None:
    net = ours("relu", COSTS["softmax"][0], dtype)
    twin = theirs(net, "relu")
    x = images().astype(np.float32)
    rates = {"*.bias": 3.0, "dense1.weight": 0}
    net.fit((x, LABELS), 10, batch_size=20, optimizer=SGD(0.1, momentum=0.5, rates=rates), seed=1)
    groups = [{"params": [twin[0].bias, twin[2].bias], "lr": 0.3}, {"params": [twin[2].weight]}]
    their_optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.5)
    for _ in range(10):
        their_optimizer.zero_grad()
        COSTS["softmax"][1](twin(torch.from_numpy(x.astype(dtype)))).backward()
        their_optimizer.step()
    np.testing.assert_allclose(net.parameters, flat(twin), rtol=0, atol=PRECISION[dtype])


@pytest.mark.parametrize("dtype", PRECISION)
def test_penalty_is_their_weight_decay(dtype: str) -> None:
    loss, their_loss = COSTS["binary"]
    net = ours("relu", loss, dtype, regularizer=L2(0.05))
    twin = theirs(net, "relu")
    x = images().astype(np.float32)
    net.fit((x, LABELS), 10, batch_size=20, optimizer=SGD(0.1, momentum=0.5), seed=1)
    weights, biases = [twin[0].weight, twin[2].weight], [twin[0].bias, twin[2].bias]
    groups = [{"params": weights, "weight_decay": 0.05}, {"params": biases}]
    their_optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.5)
    for _ in range(10):
        their_optimizer.zero_grad()
        their_loss(twin(torch.from_numpy(x.astype(dtype)))).backward()
        their_optimizer.step()
    np.testing.assert_allclose(net.parameters, flat(twin), rtol=0, atol=PRECISION[dtype])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_over_their_whole_range(activation: str) -> None:
    x = np.concatenate([np.linspace(-12, 12, 4001), [-1e4, -100, 100, 1e4]]).reshape(-1, 5)
    wanted = ACTIVATIONS[activation][1]()(torch.from_numpy(x)).numpy()
    layer = ACTIVATIONS[activation][0]()
    np.testing.assert_allclose(layer.forward(x)[0], wanted, rtol=0, atol=1e-14 * 1e4)
    net = Network([layer], input_shape=(5,), seed=1)
    np.testing.assert_allclose(net(x), wanted, rtol=1e-6, atol=1e-6)
