"""NumPy in float32, vectorised over the mini-batch, with in-place updates."""

from __future__ import annotations

import numpy as np

from benchmarks.speed.images import Floats, Images
from benchmarks.speed.peers.base import Peer, Predictor
from benchmarks.speed.weights import Weights
from benchmarks.speed.workloads import DenseWorkload, Order


class Vectorised(Peer[DenseWorkload]):
    """Forward pass, backward pass and update as an experienced NumPy user would write them."""

    def prepare(self, images: Images) -> None:
        self.x = images.floats()
        self.y = images.targets(self.work.outputs)

    def set_weights(self, weights: Weights) -> None:
        self.layers = [(weight.astype(np.float32), bias.astype(np.float32)) for weight, bias in weights]

    def weights(self) -> Weights:
        return [(weight.astype(np.float64), bias.astype(np.float64)) for weight, bias in self.layers]

    def forward(self, x: Floats) -> list[Floats]:
        """The input and each layer's activation."""
        activations = [x]
        for i, (weight, bias) in enumerate(self.layers, start=1):
            z = activations[-1] @ weight
            z += bias
            if self.work.hidden == "relu" and i < len(self.layers):
                np.maximum(z, 0, out=z)
            else:
                np.tanh(np.multiply(z, 0.5, out=z), out=z)  # σ(z) = (1 + tanh(z/2))/2 never overflows
                z += 1
                z *= 0.5
            activations.append(z)
        return activations

    def train(self, order: Order) -> None:
        for batch in order:
            if self.work.full_batch:
                self._step(self.x, self.y)
            else:
                self._step(self.x[batch], self.y[batch])

    def _step(self, x: Floats, y: Floats) -> None:
        activations = self.forward(x)
        rate = np.float32(self.work.rate / len(x))
        a = activations[-1]
        dz = a - y
        if self.work.loss == "quadratic":
            dz *= a * (1 - a)
        for i in reversed(range(len(self.layers))):
            weight, bias = self.layers[i]
            a = activations[i]
            dweight, dbias = a.T @ dz, dz.sum(axis=0)
            if i > 0:
                dz = dz @ weight.T
                dz *= a > 0 if self.work.hidden == "relu" else a * (1 - a)
            dweight *= rate
            dbias *= rate
            weight -= dweight
            bias -= dbias

    def predictor(self) -> Predictor:
        x = self.x
        return lambda: self.forward(x)[-1].argmax(axis=1)
