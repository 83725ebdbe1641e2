"""Dense: a fully connected layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassnet.nn.initializers import Initializer, as_initializer
from glassnet.nn.layer import Backward, Gradients, Layer, Shape, require_flat, require_room
from glassnet.support.arrays import Array
from glassnet.support.checks import whole_number
from glassnet.support.i18n import tr


class Dense(Layer):
    """y = x·W + b.

    Input shape: (N, inputs). Output shape: (N, units). Parameters: weight (inputs, units), bias (units,).
    `initializer` and `bias_initializer`: an Initializer or its name; by default Glorot's uniform, and zeros.
    """

    options = ("units", "use_bias")
    hidden_options = ("initializer", "bias_initializer")

    def __init__(
        self,
        units: int,
        *,
        initializer: Initializer | str | dict[str, Any] = "GlorotUniform",
        bias_initializer: Initializer | str | dict[str, Any] = "Zeros",
        use_bias: bool = True,
    ) -> None:
        super().__init__()
        self.units = whole_number(units, tr("A dense layer needs at least one unit."), "Dense(units)")
        self.use_bias = bool(use_bias)
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
