"""Michael Nielsen's code, image by image, from *Neural Networks and Deep Learning*, chapter 1."""

from __future__ import annotations

import numpy as np

from benchmarks.speed.images import Floats, Images
from benchmarks.speed.peers.base import Peer
from benchmarks.speed.weights import Weights
from benchmarks.speed.workloads import DenseWorkload, Order


def sigmoid(z: Floats) -> Floats:
    """As published; the overflow for large negative z is harmless."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-z)), dtype=np.float32)


class Nielsen(Peer[DenseWorkload]):
    """One backpropagation per image; the gradients are summed over the mini-batch."""

    note = "timed on a part of the epoch and scaled up"

    def prepare(self, images: Images) -> None:
        self.inputs = [row[:, None] for row in images.floats()]
        self.target_columns = [row[:, None] for row in images.targets(self.work.outputs)]

    def set_weights(self, weights: Weights) -> None:
        self.w = [weight.T.astype(np.float32) for weight, _ in weights]
        self.b = [bias[:, None].astype(np.float32) for _, bias in weights]

    def weights(self) -> Weights:
        return [(w.T.astype(np.float64), b[:, 0].astype(np.float64)) for w, b in zip(self.w, self.b, strict=True)]

    def train(self, order: Order) -> None:
        for batch in order:
            self._update_mini_batch([(self.inputs[i], self.target_columns[i]) for i in batch])

    def _update_mini_batch(self, mini_batch: list[tuple[Floats, Floats]]) -> None:
        nabla_b = [np.zeros_like(b) for b in self.b]
        nabla_w = [np.zeros_like(w) for w in self.w]
        for x, y in mini_batch:
            delta_b, delta_w = self._backprop(x, y)
            nabla_b = [nb + db for nb, db in zip(nabla_b, delta_b, strict=True)]
            nabla_w = [nw + dw for nw, dw in zip(nabla_w, delta_w, strict=True)]
        rate = np.float32(self.work.rate / len(mini_batch))
        self.w = [w - rate * nw for w, nw in zip(self.w, nabla_w, strict=True)]
        self.b = [b - rate * nb for b, nb in zip(self.b, nabla_b, strict=True)]

    def _backprop(self, x: Floats, y: Floats) -> tuple[list[Floats], list[Floats]]:
        """The gradients of ½‖a − y‖² for one image."""
        activations, zs = [x], []
        for b, w in zip(self.b, self.w, strict=True):
            zs.append(np.dot(w, activations[-1]) + b)
            activations.append(sigmoid(zs[-1]))
        nabla_b: list[Floats] = []
        nabla_w: list[Floats] = []
        delta = activations[-1] - y
        for i in reversed(range(len(self.w))):
            s = sigmoid(zs[i])
            delta = delta * (s * (1 - s))
            nabla_b.append(delta)
            nabla_w.append(np.dot(delta, activations[i].T))
            delta = np.dot(self.w[i].T, delta)
        return nabla_b[::-1], nabla_w[::-1]
