"""What every peer must compute, in float64 NumPy: the start, a few steps of gradient descent, and the agreement."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glassnet.bench.pictures import Pictures
from glassnet.bench.workloads import Workload

Reals = NDArray[np.float64]
Weights = list[tuple[Reals, Reals]]
"""A (weight (in, out), bias (out,)) pair for each layer."""
Order = NDArray[np.int64]
"""The pictures of each step: (steps, batch)."""

STEPS = 3
TOLERANCE = 1e-3
_BLOCK = 256
_ROUNDING = 1e-4


def initial_weights(work: Workload) -> Weights:
    """N(0, 1) for Nielsen's networks, N(0, 1)/sqrt(fan-in) for the others; each exactly a float32 number."""
    rng = np.random.default_rng(1)
    weights: Weights = []
    for fan_in, fan_out in zip(work.sizes, work.sizes[1:], strict=False):
        scale = 1.0 if work.source == "mnist" else fan_in**-0.5
        weight = (scale * rng.standard_normal((fan_in, fan_out))).astype(np.float32).astype(np.float64)
        bias = (scale * rng.standard_normal(fan_out)).astype(np.float32).astype(np.float64)
        weights.append((weight, bias))
    return weights


def batch_order(work: Workload, epochs: int | None = None) -> Order:
    """Shuffled batches, each epoch anew; a full batch stays in the file's order."""
    rng = np.random.default_rng(2)
    everything = np.arange(work.pictures, dtype=np.int64)
    used = work.pictures - work.pictures % work.batch
    rows = [
        (everything if work.full_batch else rng.permutation(everything))[:used].reshape(-1, work.batch)
        for _ in range(work.epochs if epochs is None else epochs)
    ]
    return np.concatenate(rows)


def first_steps(work: Workload) -> Order:
    """The few batches that every peer is checked on."""
    return batch_order(work)[:STEPS]


def _sigmoid(z: Reals) -> Reals:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * z)))


def outputs(work: Workload, weights: Weights, x: Reals) -> list[Reals]:
    """The input and each layer's activation, first to last."""
    activations = [x]
    for i, (weight, bias) in enumerate(weights, start=1):
        z = activations[-1] @ weight + bias
        rectified = work.hidden == "relu" and i < len(weights)
        activations.append(np.maximum(z, 0.0) if rectified else _sigmoid(z))
    return activations


def gradients(work: Workload, weights: Weights, x: Reals, y: Reals) -> Weights:
    """The gradients of the cost summed (not averaged) over the rows of x."""
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


def train(work: Workload, start: Weights, pictures: Pictures, order: Order) -> Weights:
    """Plain gradient descent, mean over each batch; the batch is taken in blocks to spare memory."""
    weights = [(weight.copy(), bias.copy()) for weight, bias in start]
    targets = pictures.targets(work.sizes[-1])
    flat = pictures.images.reshape(len(pictures.images), -1)
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


def disagreement(start: Weights, expected: Weights, received: Weights) -> float:
    """The largest error of any array relative to how far it moved; what float32 rounds away is allowed for."""
    worst = 0.0
    for before, wanted, got in zip(_arrays(start), _arrays(expected), _arrays(received), strict=True):
        if wanted.shape != got.shape or not np.isfinite(got).all():
            return float("inf")
        scale = np.linalg.norm(wanted - before) + _ROUNDING * np.linalg.norm(wanted)
        worst = max(worst, float(np.linalg.norm(got - wanted) / scale))
    return worst


def _arrays(weights: Weights) -> list[Reals]:
    return [array for pair in weights for array in pair]


def save_weights(path: Path, weights: Weights) -> None:
    np.savez(path, *_arrays(weights))


def load_weights(path: Path) -> Weights:
    with np.load(path) as stored:
        arrays = [stored[f"arr_{i}"] for i in range(len(stored.files))]
    return list(zip(arrays[::2], arrays[1::2], strict=True))
