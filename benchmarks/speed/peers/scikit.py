"""scikit-learn's MLPClassifier, plain SGD through `partial_fit`."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from benchmarks.speed.images import Images
from benchmarks.speed.peers.base import Peer
from benchmarks.speed.weights import Weights
from benchmarks.speed.workloads import DenseWorkload, Order


class Scikit(Peer[DenseWorkload]):
    """One-hot targets give sigmoid outputs with log-loss summed over them; it shuffles the mini-batches itself."""

    def prepare(self, images: Images) -> None:
        work = self.work
        if work.loss == "quadratic":
            self.same_loss = False
            self.note = "minimises log-loss, the only loss it has; same matrix products, weights not comparable"
        self.x = images.floats()
        self.y = images.targets(work.sizes[-1]).astype(np.int64)
        if work.sizes[-1] == 1:
            self.y = self.y.ravel()
        self.model = self._model()

    def _model(self) -> Any:
        work = self.work
        model = importlib.import_module("sklearn.neural_network").MLPClassifier(
            hidden_layer_sizes=work.sizes[1:-1],
            activation="relu" if work.hidden == "relu" else "logistic",
            solver="sgd",
            alpha=0.0,
            batch_size=work.batch,
            learning_rate_init=work.rate,
            momentum=0.0,
            nesterovs_momentum=False,
            random_state=1,
        )
        classes = np.arange(max(work.sizes[-1], 2))
        return model.partial_fit(self.x[: work.batch], self.y[: work.batch], classes=classes)

    def set_weights(self, weights: Weights) -> None:
        """Written in place: the model's optimizer holds the same arrays."""
        for (weight, bias), own, own_bias in zip(weights, self.model.coefs_, self.model.intercepts_, strict=True):
            own[...] = weight
            own_bias[...] = bias

    def weights(self) -> Weights:
        return [
            (weight.astype(np.float64), bias.astype(np.float64))
            for weight, bias in zip(self.model.coefs_, self.model.intercepts_, strict=True)
        ]

    def train(self, order: Order) -> None:
        for batch in order:
            self.model.partial_fit(self.x[batch], self.y[batch])

    def timed(self, order: Order) -> None:
        for _ in range(self.work.epochs):
            self.model.partial_fit(self.x, self.y)
