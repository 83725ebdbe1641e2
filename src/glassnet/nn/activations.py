"""Activations: the same function of every value, its derivative beside it."""

from __future__ import annotations

import numpy as np

from glassnet.errors import InputError
from glassnet.nn.layer import Backward, Layer
from glassnet.support.arrays import Array
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


def _normal_share_below(x: Array) -> Array:
    from scipy.special import erf

    return 0.5 * (1 + erf(x * ROOT_HALF)).astype(x.dtype)


def gelu(x: Array) -> Array:
    """y = x·Φ(x), Φ the normal distribution's share below x (the exact form, with erf)."""
    return x * _normal_share_below(x)


def gelu_backward(dy: Array, x: Array) -> Array:
    """dx = dy · (Φ(x) + x·φ(x))"""
    near = x.clip(-40, 40)  # beyond, φ is nothing in any float type
    return dy * (_normal_share_below(x) + near * x.dtype.type(DENSITY) * np.exp(-0.5 * near * near))


def swish(x: Array) -> Array:
    """y = x·σ(x)"""
    return x * sigmoid(x)


def swish_backward(dy: Array, x: Array) -> Array:
    """dx = dy · σ(x)·(1 + x·(1 − σ(x)))"""
    s = sigmoid(x)
    return dy * s * (1 + x * (1 - s))


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
        if not 0 <= slope < 1:
            raise InputError(
                tr("The slope must lie in [0, 1)."), where="LeakyReLU(slope)", expected="0 ≤ slope < 1", received=slope
            )
        self.slope = float(slope)

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        slope = self.slope
        return leaky_relu(x, slope), lambda dy: (leaky_relu_backward(dy, x, slope), {})


class GELU(Layer):
    """y = x·Φ(x), Φ the normal distribution's share below x, exact. Input and output shape: (N, …).

    Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", arXiv 1606.08415.
    """

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        return gelu(x), lambda dy: (gelu_backward(dy, x), {})


class Swish(Layer):
    """y = x·σ(x), also known as SiLU. Input and output shape: (N, …). Ramachandran, Zoph, Le, arXiv 1710.05941."""

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        return swish(x), lambda dy: (swish_backward(dy, x), {})


class Softmax(Layer):
    """yⱼ = e^xⱼ / Σ eˣ along the last axis. Input and output shape: (N, …, classes)."""

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        y = softmax(x)
        return y, lambda dy: (softmax_backward(dy, y), {})
