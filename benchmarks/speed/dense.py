"""Dense networks in float64 NumPy: initial weights, outputs, and SGD, which peers must reproduce."""

from __future__ import annotations

import numpy as np

from benchmarks.speed.images import Images
from benchmarks.speed.weights import Reals, Weights
from benchmarks.speed.workloads import DenseWorkload, Order

_BLOCK = 256


def initial_weights(work: DenseWorkload) -> Weights:
    """N(0, 1) for Nielsen's networks, N(0, 1)/sqrt(fan-in) for the others; each exactly a float32 number."""
    rng = np.random.default_rng(1)
    weights: Weights = []
    for fan_in, fan_out in zip(work.sizes, work.sizes[1:], strict=False):
        scale = 1.0 if work.source == "mnist" else fan_in**-0.5
        weight = (scale * rng.standard_normal((fan_in, fan_out))).astype(np.float32).astype(np.float64)
        bias = (scale * rng.standard_normal(fan_out)).astype(np.float32).astype(np.float64)
        weights.append((weight, bias))
    return weights


def _sigmoid(z: Reals) -> Reals:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * z)))


def outputs(work: DenseWorkload, weights: Weights, x: Reals) -> list[Reals]:
    """The input and each layer's activation, first to last."""
    activations = [x]
    for i, (weight, bias) in enumerate(weights, start=1):
        z = activations[-1] @ weight + bias
        rectified = work.hidden == "relu" and i < len(weights)
        activations.append(np.maximum(z, 0.0) if rectified else _sigmoid(z))
    return activations


def classes(work: DenseWorkload, weights: Weights, images: Images) -> Reals:
    """The class of each image."""
    flat = images.images.reshape(len(images.images), -1) / 255.0
    return np.asarray(outputs(work, weights, flat)[-1].argmax(axis=1))


def gradients(work: DenseWorkload, weights: Weights, x: Reals, y: Reals) -> Weights:
    """The gradients of the loss summed (not averaged) over the rows of x."""
    activations = outputs(work, weights, x)
    found: Weights = []
    a = activations[-1]
    dz = a - y if work.loss == "cross-entropy" else (a - y) * a * (1.0 - a)
    for i in reversed(range(len(weights))):
        a = activations[i]
        found.append((a.T @ dz, dz.sum(axis=0)))
        if i > 0:
            da = dz @ weights[i][0].T
            dz = da * (a > 0.0) if work.hidden == "relu" else da * a * (1.0 - a)
    return found[::-1]


def train(work: DenseWorkload, start: Weights, images: Images, order: Order) -> Weights:
    """Plain SGD with the mean over each mini-batch, computed in blocks to save memory."""
    weights: Weights = [(weight.copy(), bias.copy()) for weight, bias in start]
    targets = images.targets(work.outputs)
    flat = images.images.reshape(len(images.images), -1)
    for batch in order:
        total = [(np.zeros_like(weight), np.zeros_like(bias)) for weight, bias in weights]
        for first in range(0, len(batch), _BLOCK):
            rows = batch[first : first + _BLOCK]
            part = gradients(work, weights, flat[rows] / 255.0, targets[rows].astype(np.float64))
            for (sum_weight, sum_bias), (dweight, dbias) in zip(total, part, strict=True):
                sum_weight += dweight
                sum_bias += dbias
        for (weight, bias), (dweight, dbias) in zip(weights, total, strict=True):
            weight -= work.rate / len(batch) * dweight
            bias -= work.rate / len(batch) * dbias
    return weights
