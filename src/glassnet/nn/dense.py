"""Dense: every output reads every input."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassnet.errors import InputError
from glassnet.nn.initializers import Initializer, as_initializer
from glassnet.nn.layer import Backward, Gradients, Layer, Shape, require_flat, require_room
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.support.registry import describe


class Dense(Layer):
    """y = x·W + b.

    Input shape: (N, inputs). Output shape: (N, units). Parameters: weight (inputs, units), bias (units,).
    `initializer` and `bias_initializer`: an Initializer or its name; by default Glorot's uniform, and zeros.
    """

    options = ("units", "use_bias")

    def __init__(
        self,
        units: int,
        *,
        initializer: Initializer | str | dict[str, Any] = "GlorotUniform",
        bias_initializer: Initializer | str | dict[str, Any] = "Zeros",
        use_bias: bool = True,
    ) -> None:
        super().__init__()
        if isinstance(units, bool) or not isinstance(units, (int, np.integer)) or units < 1:
            raise InputError(
                tr("A dense layer needs at least one unit."),
                where="Dense(units)",
                expected=tr("a whole number above 0"),
                received=repr(units),
            )
        self.units, self.use_bias = int(units), bool(use_bias)
        self.initializer = as_initializer(initializer, "Dense(initializer)")
        self.bias_initializer = as_initializer(bias_initializer, "Dense(bias_initializer)")

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        inputs = require_flat(self, shape)
        require_room(self, (inputs + 1, self.units))
        self.parameters = {"weight": self.initializer((inputs, self.units), rng)}
        if self.use_bias:
            self.parameters["bias"] = self.bias_initializer((self.units,), rng)
        return (self.units,)

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        weight, bias = self.parameters["weight"], self.parameters.get("bias")

        y = x @ weight
        if bias is not None:
            y = y + bias

        def backward(dy: Array) -> tuple[Array, Gradients]:
            dx = dy @ weight.T
            gradients = {"weight": x.T @ dy}
            if bias is not None:
                gradients["bias"] = dy.sum(axis=0)
            return dx, gradients

        return y, backward

    def operations(self, shape: Shape) -> int:
        return require_flat(self, shape) * self.units

    def describe(self) -> dict[str, Any]:
        return {
            **super().describe(),
            "initializer": describe(self.initializer),
            "bias_initializer": describe(self.bias_initializer),
        }
