"""PyTorch as in its tutorials: modules, autograd and an optimizer, eager."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from benchmarks.speed.images import Images
from benchmarks.speed.peers.base import Peer, Predictor
from benchmarks.speed.weights import Weights
from benchmarks.speed.workloads import DenseWorkload, Order


class TorchEager(Peer[DenseWorkload]):
    """`Sequential`, a loss, `backward`, `SGD.step`."""

    def prepare(self, images: Images) -> None:
        self.torch: Any = importlib.import_module("torch")
        self.torch.set_num_threads(self.threads)
        self.x = self.torch.from_numpy(images.floats())
        self.y = self.torch.from_numpy(images.targets(self.work.outputs))
        self.model = self._model()
        self.optimizer = self.torch.optim.SGD(self.model.parameters(), lr=self.work.rate)

    def _model(self) -> Any:
        """With cross-entropy, the last sigmoid is part of the loss, as PyTorch recommends."""
        nn, work = self.torch.nn, self.work
        layers: list[Any] = []
        for fan_in, fan_out in zip(work.sizes, work.sizes[1:], strict=False):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU() if work.hidden == "relu" else nn.Sigmoid()]
        layers.pop()
        if work.loss == "quadratic":
            layers.append(nn.Sigmoid())
        return nn.Sequential(*layers)

    def _linear(self) -> list[Any]:
        return [layer for layer in self.model if isinstance(layer, self.torch.nn.Linear)]

    def set_weights(self, weights: Weights) -> None:
        with self.torch.no_grad():
            for layer, (weight, bias) in zip(self._linear(), weights, strict=True):
                layer.weight.copy_(self.torch.from_numpy(np.ascontiguousarray(weight.T)))
                layer.bias.copy_(self.torch.from_numpy(bias))

    def weights(self) -> Weights:
        return [(layer.weight.detach().double().numpy().T, layer.bias.detach().double().numpy())
                for layer in self._linear()]  # fmt: skip

    def loss(self, output: Any, y: Any) -> Any:
        if self.work.loss == "quadratic":
            return 0.5 * ((output - y) ** 2).sum() / len(y)
        return self.torch.nn.functional.binary_cross_entropy_with_logits(output, y, reduction="sum") / len(y)

    def train(self, order: Order) -> None:
        full_batch, optimizer = self.work.full_batch, self.optimizer
        for batch in self.torch.from_numpy(order):
            x, y = (self.x, self.y) if full_batch else (self.x[batch], self.y[batch])
            optimizer.zero_grad()
            self.loss(self.model(x), y).backward()
            optimizer.step()

    def predictor(self) -> Predictor:
        model, x, no_grad = self.model, self.x, self.torch.no_grad

        def predict() -> Any:
            with no_grad():
                return model(x)

        return predict


class TorchArgmax(TorchEager):
    """The same forward pass with the class index, as returned by `net.predict`."""

    def predictor(self) -> Predictor:
        model, x, no_grad = self.model, self.x, self.torch.no_grad

        def predict() -> Any:
            with no_grad():
                return model(x).argmax(dim=1)

        return predict
