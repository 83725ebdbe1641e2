"""What every peer must compute: the start, the batches, and the outcome of a few steps of gradient descent, in float64."""

from __future__ import annotations

import numpy as np

from benchmarks.speed import dense, layered
from benchmarks.speed.images import Images
from benchmarks.speed.weights import Weights
from benchmarks.speed.workloads import DenseWorkload, LayeredWorkload, Order, Workload

STEPS = 3


def initial_weights(work: Workload) -> Weights:
    """Where every peer begins."""
    match work:
        case DenseWorkload():
            return dense.initial_weights(work)
        case LayeredWorkload():
            return layered.initial_weights(work)
    raise TypeError(work)


def train(work: Workload, start: Weights, images: Images, order: Order) -> Weights:
    """Plain gradient descent from `start`: a step for each row of order."""
    match work:
        case DenseWorkload():
            return dense.train(work, start, images, order)
        case LayeredWorkload():
            return layered.train(work, start, images, order)
    raise TypeError(work)


def batch_order(work: Workload, epochs: int | None = None) -> Order:
    """Shuffled batches, each epoch anew; a full batch stays in the file's order."""
    rng = np.random.default_rng(2)
    everything = np.arange(work.images, dtype=np.int64)
    used = work.images - work.images % work.batch
    rows = [
        (everything if work.full_batch else rng.permutation(everything))[:used].reshape(-1, work.batch)
        for _ in range(work.epochs if epochs is None else epochs)
    ]
    return np.concatenate(rows)


def first_steps(work: Workload) -> Order:
    """The few batches that every peer is checked on."""
    return batch_order(work)[:STEPS]
