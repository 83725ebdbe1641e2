"""Activations: the same function of every value, its derivative beside it."""

from __future__ import annotations

import numpy as np

from glassnet import reference
from glassnet.errors import InputError
from glassnet.layers.base import Backward, Layer
from glassnet.reference import Array


class Sigmoid(Layer):
    """y = 1 / (1 + e⁻ˣ). Input and output shape: (N, …)."""

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        y = reference.sigmoid(x)
        return y, lambda dy: (reference.sigmoid_backward(dy, y), {})


class Tanh(Layer):
    """y = tanh x. Input and output shape: (N, …)."""

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        y = np.tanh(x)
        return y, lambda dy: (reference.tanh_backward(dy, y), {})


class ReLU(Layer):
    """y = max(x, 0); its derivative at 0 is taken as 0. Input and output shape: (N, …)."""

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        return reference.leaky_relu(x, 0.0), lambda dy: (reference.leaky_relu_backward(dy, x, 0.0), {})


class LeakyReLU(Layer):
    """y = x for x > 0, else slope·x. Input and output shape: (N, …). Maas, Hannun, Ng, 2013."""

    options = ("slope",)

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        if not 0 <= slope < 1:
            raise InputError(
                "The slope must lie in [0, 1).", where="LeakyReLU(slope)", expected="0 ≤ slope < 1", received=slope
            )
        self.slope = float(slope)

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        slope = self.slope
        return reference.leaky_relu(x, slope), lambda dy: (reference.leaky_relu_backward(dy, x, slope), {})


class GELU(Layer):
    """y = x·Φ(x), Φ the normal distribution's share below x, exact. Input and output shape: (N, …).

    Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", arXiv 1606.08415.
    """

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        return reference.gelu(x), lambda dy: (reference.gelu_backward(dy, x), {})


class Swish(Layer):
    """y = x·σ(x), also known as SiLU. Input and output shape: (N, …). Ramachandran, Zoph, Le, arXiv 1710.05941."""

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        return reference.swish(x), lambda dy: (reference.swish_backward(dy, x), {})


class Softmax(Layer):
    """yⱼ = e^xⱼ / Σ eˣ along the last axis. Input and output shape: (N, …, classes)."""

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        y = reference.softmax(x)
        return y, lambda dy: (reference.softmax_backward(dy, y), {})
