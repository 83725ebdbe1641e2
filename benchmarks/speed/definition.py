"""The computation that peers must reproduce: initial weights, mini-batches, and a few steps of SGD in float64."""

from __future__ import annotations

import numpy as np

from benchmarks.speed import dense, layered
from benchmarks.speed.images import Images
from benchmarks.speed.weights import Reals, Weights
from benchmarks.speed.workloads import DenseWorkload, LayeredWorkload, Order, Workload


def initial_weights(work: Workload) -> Weights:
    """The initial weights of every peer."""
    match work:
        case DenseWorkload():
            return dense.initial_weights(work)
        case LayeredWorkload():
            return layered.initial_weights(work)
    raise TypeError(work)


def train(work: Workload, start: Weights, images: Images, order: Order) -> Weights:
    """Plain SGD from `start`, one step per row of `order`."""
    match work:
        case DenseWorkload():
            return dense.train(work, start, images, order)
        case LayeredWorkload():
            return layered.train(work, start, images, order)
    raise TypeError(work)


def classes(work: Workload, weights: Weights, images: Images) -> Reals:
    """The class of each image."""
    match work:
        case DenseWorkload():
            return dense.classes(work, weights, images)
        case LayeredWorkload():
            return layered.classes(work, weights, images)
    raise TypeError(work)


def batch_order(work: Workload, epochs: int | None = None) -> Order:
    """Mini-batches, shuffled in each epoch; a full batch is not shuffled."""
    rng = np.random.default_rng(2)
    indices = np.arange(work.images, dtype=np.int64)
    used = work.images - work.images % work.batch
    rows = [
        (indices if work.full_batch else rng.permutation(indices))[:used].reshape(-1, work.batch)
        for _ in range(work.epochs if epochs is None else epochs)
    ]
    return np.concatenate(rows)


def first_steps(work: Workload) -> Order:
    """The mini-batches that every peer is verified on."""
    return batch_order(work)[: work.checked]
