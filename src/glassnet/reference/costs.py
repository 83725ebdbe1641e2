"""Costs of raw outputs z (N, outputs) against targets, each with its gradient."""

from __future__ import annotations

import numpy as np

from glassnet.reference.arrays import Array
from glassnet.reference.pointwise import sigmoid, softmax


def quadratic(z: Array, target: Array) -> tuple[Array, Array]:
    """½‖z − t‖² of each picture (N,), and its gradient z − t."""
    error = z - target
    return 0.5 * (error * error).sum(axis=-1), error


def binary_cross_entropy(z: Array, target: Array) -> tuple[Array, Array]:
    """−Σ t·ln σ(z) + (1−t)·ln(1 − σ(z)) = Σ softplus(z) − t·z of each picture, and its gradient σ(z) − t."""
    softplus = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    return (softplus - target * z).sum(axis=-1), sigmoid(z) - target


def softmax_cross_entropy(z: Array, target: Array) -> tuple[Array, Array]:
    """−Σ t·ln softmax(z) = Σ t·(ln Σ e^(z − max z) − (z − max z)) of each picture, and softmax(z) − t; Σ t = 1."""
    below = z - z.max(axis=-1, keepdims=True)
    log_total = np.log(np.exp(below).sum(axis=-1, keepdims=True))
    return (target * (log_total - below)).sum(axis=-1), softmax(z) - target
