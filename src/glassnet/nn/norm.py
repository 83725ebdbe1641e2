"""Normalisation: values brought to mean 0 and variance 1, over the mini-batch or within each image."""

from __future__ import annotations

import numpy as np

from glassnet.nn.layer import Backward, Layer, Shape, require_room
from glassnet.support.arrays import Array
from glassnet.support.checks import below_one, positive
from glassnet.support.i18n import tr


def moments(x: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Mean and variance over `axes`, kept as axes of 1; the variance is Σ(x − mean)²/n, and the sums at least float64."""
    kind = np.result_type(x.dtype, np.float64)
    mean = x.mean(axis=axes, keepdims=True, dtype=kind)
    variance = np.square(x - mean).mean(axis=axes, keepdims=True, dtype=kind)
    return mean, variance


def normalise(x: Array, mean: Array, variance: Array, epsilon: float) -> tuple[Array, Array]:
    """x̂ = (x − mean)·r with r = 1 / √(variance + ε); both in the type of x."""
    inverse = (1 / np.sqrt(variance + epsilon)).astype(x.dtype)
    return ((x - mean) * inverse).astype(x.dtype, copy=False), inverse


def scale_backward(dy: Array, normal: Array, gamma: Array) -> tuple[Array, Array, Array]:
    """Backward of y = γ·x̂ + β: dx̂ = γ·dy, dγ = Σ dy·x̂, dβ = Σ dy."""
    axes = tuple(range(dy.ndim - 1))
    return dy * gamma, (dy * normal).sum(axis=axes), dy.sum(axis=axes)


def normalise_backward(dnormal: Array, normal: Array, inverse: Array, axes: tuple[int, ...]) -> Array:
    """dx = r·(dx̂ − mean(dx̂) − x̂·mean(dx̂·x̂)), the means over `axes`: mean and variance depend on x, too."""
    kind = np.result_type(dnormal.dtype, np.float64)
    first = dnormal.mean(axis=axes, keepdims=True, dtype=kind)
    second = (dnormal * normal).mean(axis=axes, keepdims=True, dtype=kind)
    return (inverse * (dnormal - first - normal * second)).astype(dnormal.dtype, copy=False)


class _Norm(Layer):
    penalised = ()

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.epsilon = positive(epsilon, tr("epsilon must be positive."), f"{type(self).__name__}(epsilon)")

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        require_room(self, shape[-1:], shape[-1:])
        self.parameters = {"gamma": np.ones(shape[-1]), "beta": np.zeros(shape[-1])}
        return shape


class BatchNorm(_Norm):
    """y = γ·(x − mean) / √(variance + ε) + β, channel by channel, over the mini-batch and all places of its images.

    Input and output shape: (N, …, channels). Parameters: gamma, beta (channels,). Running statistics: mean, variance
    (channels,), each s ← momentum·s + (1 − momentum)·(that of the batch), the variance being Σ(x − mean)²/n as Keras has it
    (PyTorch's divides by n − 1). Training uses those of the batch, unless it is empty; prediction the running ones.
    Source: Ioffe and Szegedy, "Batch Normalization", arXiv 1502.03167.
    """

    options = ("momentum", "epsilon")
    running = ("mean", "variance")

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-5) -> None:
        super().__init__(epsilon)
        sentence = tr("The momentum of running statistics must lie in [0, 1).")
        self.momentum = below_one(momentum, sentence, "BatchNorm(momentum)", "momentum")

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        built = super().build(shape, rng)
        self.statistics = {"mean": np.zeros(shape[-1]), "variance": np.ones(shape[-1])}
        return built

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        gamma, beta = self.parameters["gamma"], self.parameters["beta"]
        axes = tuple(range(x.ndim - 1))
        use_batch = training and len(x) > 0
        if use_batch:
            mean, variance = moments(x, axes)
            for name, found in (("mean", mean), ("variance", variance)):
                kept = self.statistics[name]
                kept[...] = self.momentum * kept + (1 - self.momentum) * found.reshape(-1)
        else:
            mean, variance = self.statistics["mean"], self.statistics["variance"]
        normal, inverse = normalise(x, mean, variance, self.epsilon)

        def backward(dy: Array) -> tuple[Array, dict[str, Array]]:
            dnormal, dgamma, dbeta = scale_backward(dy, normal, gamma)
            dx = normalise_backward(dnormal, normal, inverse, axes) if use_batch else dnormal * inverse
            return dx, {"gamma": dgamma, "beta": dbeta}

        return gamma * normal + beta, backward


class LayerNorm(_Norm):
    """y = γ·(x − mean) / √(variance + ε) + β, mean and variance over the last axis of each place of each image.

    Input and output shape: (N, …, channels). Parameters: gamma, beta (channels,).
    Source: Ba, Kiros, Hinton, "Layer Normalization", arXiv 1607.06450.
    """

    options = ("epsilon",)

    def __init__(self, epsilon: float = 1e-5) -> None:
        super().__init__(epsilon)

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        gamma, beta = self.parameters["gamma"], self.parameters["beta"]
        normal, inverse = normalise(x, *moments(x, (-1,)), self.epsilon)

        def backward(dy: Array) -> tuple[Array, dict[str, Array]]:
            dnormal, dgamma, dbeta = scale_backward(dy, normal, gamma)
            return normalise_backward(dnormal, normal, inverse, (-1,)), {"gamma": dgamma, "beta": dbeta}

        return gamma * normal + beta, backward
