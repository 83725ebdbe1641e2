"""Recurrent layers: SimpleRNN, GRU and LSTM."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import prod
from typing import ClassVar

import numpy as np

from glassnet.errors import InputError
from glassnet.nn.activations import leaky_relu, leaky_relu_backward, sigmoid, sigmoid_backward, tanh_backward
from glassnet.nn.initializers import GlorotUniform, Orthogonal
from glassnet.nn.layer import Backward, Gradients, Layer, Shape, require_axes, require_room
from glassnet.support.arrays import Array
from glassnet.support.checks import whole_number
from glassnet.support.i18n import tr

# name → (y of x, dx of dy and y): the derivative follows from the output alone
RECURRENT_ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]] = {
    "tanh": (np.tanh, tanh_backward),
    "relu": (lambda x: leaky_relu(x, 0.0), lambda dy, y: leaky_relu_backward(dy, y, 0.0)),
}


def _inputs(x: Array, weight: Array, bias: Array) -> Array:
    """x·W + b of all steps at once, (T, N, k·units)."""
    n, steps, width = x.shape
    return (x.transpose(1, 0, 2).reshape(steps * n, width) @ weight + bias).reshape(steps, n, len(bias))


def inputs_backward(dgates: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
    """dx (N, T, D), dW and db from the gradient of x·W + b, (T, N, k·units)."""
    steps, n, width = dgates.shape
    flat = dgates.reshape(steps * n, width)
    dx = (flat @ weight.T).reshape(steps, n, len(weight)).transpose(1, 0, 2)
    return dx, x.transpose(1, 0, 2).reshape(steps * n, len(weight)).T @ flat, flat.sum(axis=0)


def _before(states: Array) -> Array:
    """The state that each step starts from: (T, N, units), zeros first."""
    return np.concatenate([np.zeros_like(states[:1]), states[:-1]])


def _product(a: Array, b: Array) -> Array:
    """Σ aᵀ·b over steps and images."""
    return a.reshape(-1, a.shape[-1]).T @ b.reshape(-1, b.shape[-1])


def simple_rnn(x: Array, weight: Array, recurrent: Array, bias: Array, activation: str) -> Array:
    """hₜ = f(xₜ·W + hₜ₋₁·U + b), (N, T, units)."""
    f = RECURRENT_ACTIVATIONS[activation][0]
    gates = _inputs(x, weight, bias)
    h = np.zeros_like(gates[0])
    states = np.empty_like(gates)
    for t, gate in enumerate(gates):
        h = states[t] = f(gate + h @ recurrent)
    return states.transpose(1, 0, 2)


def simple_rnn_through_time(dy: Array, h: Array, recurrent: Array, activation: str) -> tuple[Array, Array]:
    """The gradients by what goes into f and by the states, (T, N, units) each, through all later steps."""
    back = RECURRENT_ACTIVATIONS[activation][1]
    states, dstates = h.transpose(1, 0, 2), dy.transpose(1, 0, 2)
    dgates, dh, by_state = np.empty_like(states), np.zeros_like(states[0]), np.empty_like(states)
    for t in reversed(range(len(states))):
        by_state[t] = dstates[t] + dh
        dgates[t] = back(by_state[t], states[t])
        dh = dgates[t] @ recurrent.T
    return dgates, by_state


def lstm(x: Array, weight: Array, recurrent: Array, bias: Array) -> tuple[Array, Array, Array]:
    """States h (N, T, units); with them the cells c and the gates i, f, g, o, as (T, N, …), which backward needs.

        i, f, o = σ(…),  g = tanh(…)  of  xₜ·W + hₜ₋₁·U + b        cₜ = f·cₜ₋₁ + i·g        hₜ = o·tanh cₜ

    Source: Hochreiter and Schmidhuber, 1997; the forget gate: Gers, Schmidhuber, Cummins, 2000.
    """
    gates, units = _inputs(x, weight, bias), recurrent.shape[0]
    h = c = np.zeros_like(gates[0][:, :units])
    states, cells = np.empty_like(gates[..., :units]), np.empty_like(gates[..., :units])
    for t, gate in enumerate(gates):
        gate += h @ recurrent
        i, f, g, o = np.split(gate, 4, axis=-1)  # views
        i[...], f[...], g[...], o[...] = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = cells[t] = f * c + i * g
        h = states[t] = o * np.tanh(c)
    return states.transpose(1, 0, 2), cells, gates


def lstm_through_time(dy: Array, cells: Array, gates: Array, recurrent: Array) -> tuple[Array, Array, Array]:
    """The gradients by what goes into the gates, by the states and by the cells, (T, N, …), through all later steps."""
    dstates, earlier = dy.transpose(1, 0, 2), _before(cells)
    dgates, by_state, by_cell = np.empty_like(gates), np.empty_like(cells), np.empty_like(cells)
    dh = dc = np.zeros_like(cells[0])
    for t in reversed(range(len(cells))):
        i, f, g, o = np.split(gates[t], 4, axis=-1)
        bent = np.tanh(cells[t])
        dh = by_state[t] = dstates[t] + dh
        dc = by_cell[t] = dc + tanh_backward(dh * o, bent)
        parts = (
            sigmoid_backward(dc * g, i),
            sigmoid_backward(dc * earlier[t], f),
            tanh_backward(dc * i, g),
            sigmoid_backward(dh * bent, o),
        )
        dgates[t] = np.concatenate(parts, axis=-1)
        dc = dc * f
        dh = dgates[t] @ recurrent.T
    return dgates, by_state, by_cell


def gru(x: Array, weight: Array, recurrent: Array, bias: Array, recurrent_bias: Array) -> tuple[Array, Array, Array]:
    """States h (N, T, units); with them the gates r, z, n and the inner product m, as (T, N, …), which backward needs.

        r, z = σ(xₜ·W + hₜ₋₁·U + b)    m = hₜ₋₁·Uₙ + b′    n = tanh(xₜ·Wₙ + bₙ + r·m)    hₜ = (1 − z)·n + z·hₜ₋₁

    The reset gate acts after the product, as in cuDNN. Source: Cho et al., arXiv 1406.1078, version 1.
    """
    gates, units = _inputs(x, weight, bias), recurrent.shape[0]
    h = np.zeros_like(gates[0][:, :units])
    states, inner = np.empty_like(gates[..., :units]), np.empty_like(gates[..., :units])
    for t, gate in enumerate(gates):
        step = h @ recurrent
        r, z, n = np.split(gate, 3, axis=-1)  # views
        r[...], z[...] = sigmoid(r + step[:, :units]), sigmoid(z + step[:, units : 2 * units])
        inner[t] = step[:, 2 * units :] + recurrent_bias
        n[...] = np.tanh(n + r * inner[t])
        h = states[t] = (1 - z) * n + z * h
    return states.transpose(1, 0, 2), gates, inner


def gru_through_time(dy: Array, h: Array, gates: Array, inner: Array, recurrent: Array) -> tuple[Array, Array, Array]:
    """The gradients by xₜ·W + b, by hₜ₋₁·U and by the states, (T, N, …), through all later steps."""
    states, dstates = h.transpose(1, 0, 2), dy.transpose(1, 0, 2)
    earlier = _before(states)
    dgates, dsteps, by_state = np.empty_like(gates), np.empty_like(gates), np.empty_like(states)
    dh = np.zeros_like(states[0])
    for t in reversed(range(len(states))):
        r, z, n = np.split(gates[t], 3, axis=-1)
        dh = by_state[t] = dstates[t] + dh
        dn = tanh_backward(dh * (1 - z), n)
        dr, dz = sigmoid_backward(dn * inner[t], r), sigmoid_backward(dh * (earlier[t] - n), z)
        dgates[t], dsteps[t] = np.concatenate([dr, dz, dn], axis=-1), np.concatenate([dr, dz, dn * r], axis=-1)
        dh = dh * z + dsteps[t] @ recurrent.T
    return dgates, dsteps, by_state


class Recurrent(Layer, ABC):
    """Base class: input sequences; `gates` blocks of `units` side by side in every weight; output the last or all states."""

    options: ClassVar[tuple[str, ...]] = ("units", "return_sequences")
    penalised = ("weight", "recurrent_weight")
    gates: ClassVar[int] = 1

    def __init__(self, units: int, *, return_sequences: bool = False) -> None:
        super().__init__()
        where = f"{type(self).__name__}(units)"
        self.units = whole_number(units, tr("A recurrent layer needs at least one unit."), where)
        self.return_sequences = bool(return_sequences)

    def sequence(self, shape: Shape) -> tuple[int, int]:
        """(steps, numbers a step) of an input of `shape`: (T, D), or an image read row by row."""
        expected = tr("(steps, features), or an image (rows, columns, channels), which is read row by row")
        require_axes(self, shape, (2, 3), tr("{layer} takes sequences.", layer=type(self).__name__), expected)
        return shape[0], prod(shape[1:])

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        steps, width = self.sequence(shape)
        require_room(self, (width + 2 * self.units + 1, self.gates * self.units))  # U twice, while its blocks are joined
        blocks = [Orthogonal()((self.units, self.units), rng) for _ in range(self.gates)]
        self.parameters = {
            "weight": GlorotUniform()((width, self.gates * self.units), rng),
            "recurrent_weight": np.concatenate(blocks, axis=1),
            "bias": np.zeros(self.gates * self.units),
        }
        return (steps, self.units) if self.return_sequences else (self.units,)

    @abstractmethod
    def run(self, x: Array) -> tuple[Array, Callable[[Array], tuple[Array, Array]]]:
        """All states h (N, T, units) of x (N, T, D), and the function from dh to the gradients by xₜ·W + b and by hₜ₋₁·U."""

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        steps = x.reshape(len(x), *self.sequence(x.shape[1:]))
        h, through_time = self.run(steps)
        y = h if self.return_sequences else h[:, -1]

        def backward(dy: Array) -> tuple[Array, Gradients]:
            dh = dy
            if not self.return_sequences:
                dh = np.zeros(h.shape, dtype=dy.dtype)
                dh[:, -1] = dy
            dgates, dsteps = through_time(dh)
            dx, dweight, dbias = inputs_backward(dgates, steps, self.parameters["weight"])
            drecurrent = _product(_before(h.transpose(1, 0, 2)), dsteps)
            gradients = {"weight": dweight, "recurrent_weight": drecurrent, "bias": dbias}
            if "recurrent_bias" in self.parameters:
                gradients["recurrent_bias"] = dsteps[..., 2 * self.units :].sum(axis=(0, 1))
            return dx.reshape(x.shape), gradients

        return y, backward

    def operations(self, shape: Shape) -> int:
        steps, width = self.sequence(shape)
        return steps * (width + self.units) * self.gates * self.units


class SimpleRNN(Recurrent):
    """hₜ = f(xₜ·W + hₜ₋₁·U + b), from h = 0; `activation` f: "tanh" or "relu".

    Input shape: (N, T, D), or images (N, T, columns, channels) with D = columns·channels. Output shape: (N, units), or
    with `return_sequences` (N, T, units). Parameters: weight (D, units), recurrent_weight (units, units), bias (units,).
    """

    options = ("units", "activation", "return_sequences")

    def __init__(self, units: int, *, activation: str = "tanh", return_sequences: bool = False) -> None:
        super().__init__(units, return_sequences=return_sequences)
        if activation not in RECURRENT_ACTIVATIONS:
            raise InputError(
                tr("Unknown activation."),
                where="SimpleRNN(activation)",
                expected=" | ".join(map(repr, RECURRENT_ACTIVATIONS)),
                received=repr(activation),
            )
        self.activation = activation

    def run(self, x: Array) -> tuple[Array, Callable[[Array], tuple[Array, Array]]]:
        weight, recurrent, bias = self.parameters.values()
        h = simple_rnn(x, weight, recurrent, bias, self.activation)
        return h, lambda dh: (simple_rnn_through_time(dh, h, recurrent, self.activation)[0],) * 2


class LSTM(Recurrent):
    """i, f, o = σ(…), g = tanh(…) of xₜ·W + hₜ₋₁·U + b; cₜ = f·cₜ₋₁ + i·g; hₜ = o·tanh cₜ; from h = c = 0.

    Input shape: (N, T, D), or images (N, T, columns, channels) with D = columns·channels. Output shape: (N, units), or
    with `return_sequences` (N, T, units). Parameters: weight (D, 4·units), recurrent_weight (units, 4·units),
    bias (4·units,), the gates in the order i, f, g, o; the bias of f starts at 1.
    """

    gates = 4

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        built = super().build(shape, rng)
        self.parameters["bias"][self.units : 2 * self.units] = 1
        return built

    def run(self, x: Array) -> tuple[Array, Callable[[Array], tuple[Array, Array]]]:
        weight, recurrent, bias = self.parameters.values()
        h, cells, gates = lstm(x, weight, recurrent, bias)
        return h, lambda dh: (lstm_through_time(dh, cells, gates, recurrent)[0],) * 2


class GRU(Recurrent):
    """r, z = σ(xₜ·W + hₜ₋₁·U + b); n = tanh(xₜ·Wₙ + bₙ + r·(hₜ₋₁·Uₙ + b′)); hₜ = (1 − z)·n + z·hₜ₋₁; from h = 0.

    Input shape: (N, T, D), or images (N, T, columns, channels) with D = columns·channels. Output shape: (N, units), or
    with `return_sequences` (N, T, units). Parameters: weight (D, 3·units), recurrent_weight (units, 3·units),
    bias (3·units,), the gates in the order r, z, n; and recurrent_bias b′ (units,), which the reset gate acts on.
    """

    gates = 3

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        built = super().build(shape, rng)
        self.parameters["recurrent_bias"] = np.zeros(self.units)
        return built

    def run(self, x: Array) -> tuple[Array, Callable[[Array], tuple[Array, Array]]]:
        weight, recurrent, bias, inner_bias = self.parameters.values()
        h, gates, inner = gru(x, weight, recurrent, bias, inner_bias)
        return h, lambda dh: gru_through_time(dh, h, gates, inner, recurrent)[:2]
