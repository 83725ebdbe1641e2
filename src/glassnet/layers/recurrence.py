"""Recurrence: a state that reads a sequence step by step; SimpleRNN, GRU and LSTM."""

from __future__ import annotations

from math import prod
from typing import ClassVar

import numpy as np

from glassnet import reference
from glassnet.errors import InputError, ShapeError
from glassnet.initializers import GlorotUniform, Orthogonal
from glassnet.layers.base import Backward, Layer, Shape, require_room
from glassnet.reference import RECURRENT_ACTIVATIONS, Array


class Recurrent(Layer):
    """What they share: sequences in, `gates` blocks of `units` side by side in every weight, the last state or all out."""

    options: ClassVar[tuple[str, ...]] = ("units", "return_sequences")
    penalised = ("weight", "recurrent_weight")
    gates: ClassVar[int] = 1

    def __init__(self, units: int, *, return_sequences: bool = False) -> None:
        super().__init__()
        if isinstance(units, bool) or not isinstance(units, (int, np.integer)) or units < 1:
            raise InputError(
                "A recurrent layer needs at least one unit.",
                where=f"{type(self).__name__}(units)",
                expected="a whole number above 0",
                received=repr(units),
            )
        self.units, self.return_sequences = int(units), bool(return_sequences)

    def sequence(self, shape: Shape) -> tuple[int, int]:
        """(steps, numbers a step) of an input of `shape`: (T, D), or a picture read row by row."""
        if len(shape) not in (2, 3):
            raise ShapeError(
                f"{type(self).__name__} takes sequences.",
                where=type(self).__name__,
                expected="(steps, numbers), or a picture (rows, columns, channels), which it reads row by row",
                received=f"pictures of shape {shape}",
                hint="put it before any Flatten()" if len(shape) == 1 else None,
            )
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

    def _steps(self, x: Array) -> Array:
        return x.reshape(len(x), *self.sequence(x.shape[1:]))

    def _asked(self, h: Array) -> Array:
        """Of all states (N, T, units), those that are the output."""
        return h if self.return_sequences else h[:, -1]

    def _by_states(self, dy: Array, h: Array) -> Array:
        """The gradient by all states from that by the output."""
        if self.return_sequences:
            return dy
        dh = np.zeros(h.shape, dtype=dy.dtype)
        dh[:, -1] = dy
        return dh

    def operations(self, shape: Shape) -> int:
        steps, width = self.sequence(shape)
        return steps * (width + self.units) * self.gates * self.units


class SimpleRNN(Recurrent):
    """hₜ = f(xₜ·W + hₜ₋₁·U + b), from h = 0; `activation` f: "tanh" or "relu".

    Input shape: (N, T, D), or pictures (N, T, columns, channels) with D = columns·channels. Output shape: (N, units), or
    with `return_sequences` (N, T, units). Parameters: weight (D, units), recurrent_weight (units, units), bias (units,).
    """

    options = ("units", "activation", "return_sequences")

    def __init__(self, units: int, *, activation: str = "tanh", return_sequences: bool = False) -> None:
        super().__init__(units, return_sequences=return_sequences)
        if activation not in RECURRENT_ACTIVATIONS:
            raise InputError(
                "Unknown activation.",
                where="SimpleRNN(activation)",
                expected=" | ".join(map(repr, RECURRENT_ACTIVATIONS)),
                received=repr(activation),
            )
        self.activation = activation

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        weight, recurrent, bias = (self.parameters[name] for name in ("weight", "recurrent_weight", "bias"))
        steps, activation = self._steps(x), self.activation
        h = reference.simple_rnn(steps, weight, recurrent, bias, activation)

        def backward(dy: Array) -> tuple[Array, dict[str, Array]]:
            dx, dweight, drecurrent, dbias = reference.simple_rnn_backward(
                self._by_states(dy, h), steps, h, weight, recurrent, activation
            )
            return dx.reshape(x.shape), {"weight": dweight, "recurrent_weight": drecurrent, "bias": dbias}

        return self._asked(h), backward


class LSTM(Recurrent):
    """i, f, o = σ(…), g = tanh(…) of xₜ·W + hₜ₋₁·U + b; cₜ = f·cₜ₋₁ + i·g; hₜ = o·tanh cₜ; from h = c = 0.

    Input shape: (N, T, D), or pictures (N, T, columns, channels) with D = columns·channels. Output shape: (N, units), or
    with `return_sequences` (N, T, units). Parameters: weight (D, 4·units), recurrent_weight (units, 4·units),
    bias (4·units,), the gates in the order i, f, g, o; the bias of f starts at 1.
    """

    gates = 4

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        built = super().build(shape, rng)
        self.parameters["bias"][self.units : 2 * self.units] = 1
        return built

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        weight, recurrent, bias = (self.parameters[name] for name in ("weight", "recurrent_weight", "bias"))
        steps = self._steps(x)
        h, cells, gates = reference.lstm(steps, weight, recurrent, bias)

        def backward(dy: Array) -> tuple[Array, dict[str, Array]]:
            dx, dweight, drecurrent, dbias = reference.lstm_backward(
                self._by_states(dy, h), steps, h, cells, gates, weight, recurrent
            )
            return dx.reshape(x.shape), {"weight": dweight, "recurrent_weight": drecurrent, "bias": dbias}

        return self._asked(h), backward


class GRU(Recurrent):
    """r, z = σ(xₜ·W + hₜ₋₁·U + b); n = tanh(xₜ·Wₙ + bₙ + r·(hₜ₋₁·Uₙ + b′)); hₜ = (1 − z)·n + z·hₜ₋₁; from h = 0.

    Input shape: (N, T, D), or pictures (N, T, columns, channels) with D = columns·channels. Output shape: (N, units), or
    with `return_sequences` (N, T, units). Parameters: weight (D, 3·units), recurrent_weight (units, 3·units),
    bias (3·units,), the gates in the order r, z, n; and recurrent_bias b′ (units,), which the reset gate acts on.
    """

    gates = 3

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        built = super().build(shape, rng)
        self.parameters["recurrent_bias"] = np.zeros(self.units)
        return built

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        names = ("weight", "recurrent_weight", "bias", "recurrent_bias")
        weight, recurrent, bias, inner_bias = (self.parameters[name] for name in names)
        steps = self._steps(x)
        h, gates, inner = reference.gru(steps, weight, recurrent, bias, inner_bias)

        def backward(dy: Array) -> tuple[Array, dict[str, Array]]:
            dx, *found = reference.gru_backward(self._by_states(dy, h), steps, h, gates, inner, weight, recurrent)
            return dx.reshape(x.shape), dict(zip(names, found, strict=True))

        return self._asked(h), backward
