"""Convolutional and recurrent networks in float64 NumPy, which peers must reproduce: glassnet's layers without kernels.

The tests compare each layer with PyTorch and with central differences.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.images import Images
from benchmarks.speed.weights import Reals, Weights, arrays
from benchmarks.speed.workloads import LayeredWorkload, Order

_BLOCK = 256  # images at a time


def flatten(weights: Weights) -> NDArray[np.float64]:
    """The network's vector of parameters."""
    return np.concatenate([array.ravel() for array in arrays(weights)])


def weights_of(net: Any) -> Weights:
    """The trained parameters, without running statistics, which libraries define differently."""
    flat = np.asarray(net.parameters, dtype=np.float64)
    return [
        tuple(slot.part(flat).reshape(slot.shape) for slot in slots)
        for _, slots in groupby(net.slots, key=lambda slot: slot.layer)
    ]


def initial_weights(work: LayeredWorkload) -> Weights:
    """glassnet's initial weights; each is exactly a float32 number."""
    return weights_of(work.network())


def train(work: LayeredWorkload, start: Weights, images: Images, order: Order) -> Weights:
    """Plain SGD with the mean over each mini-batch."""
    import glassnet as gn
    from glassnet.runtime import ReferenceTrainer, StepPlan

    net = work.network().astype("float64")
    net.parameters = flatten(start)
    used = order.ravel()
    trainer = ReferenceTrainer(
        net, net.rows(images.images[used]), images.labels[used],
        StepPlan(batch_size=order.shape[1], optimizer=gn.SGD(work.rate), threads=1),
    )  # fmt: skip
    trainer.begin_epoch(np.arange(len(used)), np.full(len(order), work.rate), np.random.default_rng(0))
    trainer.run(0, len(order), 0)
    return weights_of(net)


def classes(work: LayeredWorkload, weights: Weights, images: Images) -> Reals:
    """The class of each image."""
    net = work.network().astype("float64")
    net.parameters = flatten(weights)
    return np.concatenate([net.predict(images.images[at : at + _BLOCK]) for at in range(0, len(images.images), _BLOCK)])
