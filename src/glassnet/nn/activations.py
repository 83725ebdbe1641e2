"""Activation functions and their derivatives. Those that other modules use, too, are functions."""

from __future__ import annotations

import numpy as np

from glassnet.nn.layer import Backward, Gradients, Layer
from glassnet.support.arrays import Array
from glassnet.support.checks import below_one
from glassnet.support.i18n import tr

ROOT_HALF = 0.7071067811865476  # √½
DENSITY = 0.3989422804014327  # 1 / √(2π)


def sigmoid(x: Array) -> Array:
    """σ(x) = 1 / (1 + e⁻ˣ), by tanh, which can't overflow."""
    half = x.dtype.type(0.5)
    return half * (np.tanh(half * x) + x.dtype.type(1))


def sigmoid_backward(dy: Array, y: Array) -> Array:
    """dx = dy · y·(1 − y)"""
    return dy * y * (1 - y)


def tanh_backward(dy: Array, y: Array) -> Array:
    """dx = dy · (1 − y²)"""
    return dy * (1 - y * y)


def leaky_relu(x: Array, slope: float) -> Array:
    """y = x for x > 0, else slope·x; slope 0 is ReLU."""
    return np.where(x > 0, x, x.dtype.type(slope) * x)


def leaky_relu_backward(dy: Array, x: Array, slope: float) -> Array:
    """dx = dy for x > 0, else slope·dy."""
    return np.where(x > 0, dy, x.dtype.type(slope) * dy)


def softmax(x: Array) -> Array:
    """yⱼ = e^(xⱼ − max x) / Σ e^(x − max x), along the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_backward(dy: Array, y: Array) -> Array:
    """dx = y · (dy − ⟨dy, y⟩), along the last axis."""
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


class Sigmoid(Layer):
    """y = 1 / (1 + e⁻ˣ). Input and output shape: (N, …)."""

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        y = sigmoid(x)
        return y, lambda dy: (sigmoid_backward(dy, y), {})


class Tanh(Layer):
    """y = tanh x. Input and output shape: (N, …)."""

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        y = np.tanh(x)
        return y, lambda dy: (tanh_backward(dy, y), {})


class ReLU(Layer):
    """y = max(x, 0); its derivative at 0 is taken as 0. Input and output shape: (N, …)."""

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        return leaky_relu(x, 0.0), lambda dy: (leaky_relu_backward(dy, x, 0.0), {})


class LeakyReLU(Layer):
    """y = x for x > 0, else slope·x. Input and output shape: (N, …). Maas, Hannun, Ng, 2013."""

    options = ("slope",)

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        self.slope = below_one(slope, tr("The slope must lie in [0, 1)."), "LeakyReLU(slope)", "slope")

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        slope = self.slope
        return leaky_relu(x, slope), lambda dy: (leaky_relu_backward(dy, x, slope), {})


class GELU(Layer):
    """y = x·Φ(x), Φ the cumulative normal distribution; dx = dy·(Φ(x) + x·φ(x)). Input and output shape: (N, …).

    Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", arXiv 1606.08415.
    """

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        from scipy.special import erf  # slow to import

        share = 0.5 * (1 + erf(x * ROOT_HALF)).astype(x.dtype)

        def backward(dy: Array) -> tuple[Array, Gradients]:
            near = x.clip(-40, 40)  # beyond, φ is 0 in every float type
            dx = dy * (share + near * x.dtype.type(DENSITY) * np.exp(-0.5 * near * near))
            return dx, {}

        return x * share, backward


class Swish(Layer):
    """y = x·σ(x), also known as SiLU; dx = dy·σ(x)·(1 + x·(1 − σ(x))). Input and output shape: (N, …).

    Source: Ramachandran, Zoph, Le, "Searching for Activation Functions", arXiv 1710.05941.
    """

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        s = sigmoid(x)

        def backward(dy: Array) -> tuple[Array, Gradients]:
            dx = dy * s * (1 + x * (1 - s))
            return dx, {}

        return x * s, backward


class Softmax(Layer):
    """yⱼ = e^xⱼ / Σ eˣ along the last axis. Input and output shape: (N, …, classes)."""

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        y = softmax(x)
        return y, lambda dy: (softmax_backward(dy, y), {})
