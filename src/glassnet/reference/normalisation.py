"""Normalisation: values less their mean, over their standard deviation, then scaled and shifted channel by channel."""

from __future__ import annotations

import numpy as np

from glassnet.reference.arrays import Array


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
    """Of y = γ·x̂ + β: dx̂ = γ·dy, dγ = Σ dy·x̂, dβ = Σ dy."""
    axes = tuple(range(dy.ndim - 1))
    return dy * gamma, (dy * normal).sum(axis=axes), dy.sum(axis=axes)


def normalise_backward(dnormal: Array, normal: Array, inverse: Array, axes: tuple[int, ...]) -> Array:
    """dx = r·(dx̂ − mean(dx̂) − x̂·mean(dx̂·x̂)), the means over `axes`: mean and variance depend on x, too."""
    kind = np.result_type(dnormal.dtype, np.float64)
    first = dnormal.mean(axis=axes, keepdims=True, dtype=kind)
    second = (dnormal * normal).mean(axis=axes, keepdims=True, dtype=kind)
    return (inverse * (dnormal - first - normal * second)).astype(dnormal.dtype, copy=False)
