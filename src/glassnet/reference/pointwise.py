"""Functions of every value by itself, softmax, and the masks of dropout."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glassnet.reference.arrays import Array

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


def split_mix(key: Array | np.uint64, number: Array | np.uint64) -> NDArray[np.uint64]:
    """The (number + 1)-th number of SplitMix64 started at `key`: 64 random bits, of the shape that the two broadcast to.

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    with np.errstate(over="ignore"):
        z = np.asarray(key + (number + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def dropout_mask(key: np.uint64, shape: tuple[int, ...], rate: float) -> NDArray[np.bool_]:
    """True where a value is kept: element i by the (i+1)-th number of SplitMix64 started at `key`."""
    drawn = split_mix(key, np.arange(int(np.prod(shape)), dtype=np.uint64)) >> np.uint64(40)
    return (drawn >= np.uint64(rate * 2**24)).reshape(shape)
