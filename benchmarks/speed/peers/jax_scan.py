"""JAX with the whole epoch in one compiled call: `jit` around `lax.scan` over the batches."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from benchmarks.speed.images import Images
from benchmarks.speed.peers.base import Peer
from benchmarks.speed.weights import Weights
from benchmarks.speed.workloads import DenseWorkload, Order


class JaxScan(Peer[DenseWorkload]):
    """The number of threads is set by the environment and the processor affinity of the process."""

    def prepare(self, images: Images) -> None:
        self.jax: Any = importlib.import_module("jax")
        self.x = self.jax.numpy.asarray(images.floats())
        self.y = self.jax.numpy.asarray(images.targets(self.work.outputs))
        self.epoch = self.jax.jit(self._epoch, donate_argnums=0)

    def _loss(self, parameters: Any, x: Any, y: Any) -> Any:
        jax, np_, work = self.jax, self.jax.numpy, self.work
        activation = jax.nn.relu if work.hidden == "relu" else jax.nn.sigmoid
        for weight, bias in parameters[:-1]:
            x = activation(x @ weight + bias)
        z = x @ parameters[-1][0] + parameters[-1][1]
        if work.loss == "quadratic":
            return 0.5 * np_.sum((jax.nn.sigmoid(z) - y) ** 2) / len(y)
        return np_.sum(np_.maximum(z, 0) - z * y + np_.log1p(np_.exp(-np_.abs(z)))) / len(y)

    def _epoch(self, parameters: Any, x: Any, y: Any, order: Any) -> Any:
        jax, rate, full_batch = self.jax, self.work.rate, self.work.full_batch

        def step(parameters: Any, batch: Any) -> tuple[Any, None]:
            rows, targets = (x, y) if full_batch else (x[batch], y[batch])
            gradients = jax.grad(self._loss)(parameters, rows, targets)
            return jax.tree.map(lambda p, g: p - rate * g, parameters, gradients), None

        return jax.lax.scan(step, parameters, order)[0]

    def set_weights(self, weights: Weights) -> None:
        array = self.jax.numpy.array
        self.parameters = [(array(weight, np.float32), array(bias, np.float32)) for weight, bias in weights]

    def weights(self) -> Weights:
        return [(np.asarray(weight, np.float64), np.asarray(bias, np.float64)) for weight, bias in self.parameters]

    def train(self, order: Order) -> None:
        self.parameters = self.epoch(self.parameters, self.x, self.y, order.astype(np.int32))
        self.jax.block_until_ready(self.parameters)
