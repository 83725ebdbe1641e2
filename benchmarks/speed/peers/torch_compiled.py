"""PyTorch with the whole step (forward, gradients, update) compiled as one graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.speed.images import Images
from benchmarks.speed.peers.torch_eager import TorchEager
from benchmarks.speed.weights import Weights
from benchmarks.speed.workloads import Order


class TorchCompiled(TorchEager):
    """`torch.compile` of a functional step; needs a C++ compiler."""

    def prepare(self, images: Images) -> None:
        super().prepare(images)
        self.step = self.torch.compile(self._make_step(), fullgraph=True, dynamic=False)

    def _make_step(self) -> Callable[..., list[Any]]:
        torch, work, loss_function = self.torch, self.work, self.loss
        activation = torch.relu if work.hidden == "relu" else torch.sigmoid

        def loss(parameters: list[Any], x: Any, y: Any) -> Any:
            for i in range(0, len(parameters) - 2, 2):
                x = activation(torch.addmm(parameters[i + 1], x, parameters[i]))
            x = torch.addmm(parameters[-1], x, parameters[-2])
            return loss_function(torch.sigmoid(x) if work.loss == "quadratic" else x, y)

        def step(parameters: list[Any], x: Any, y: Any, batch: Any) -> list[Any]:
            if batch is not None:
                x, y = x[batch], y[batch]
            gradients = torch.func.grad(loss)(parameters, x, y)
            return [p - work.rate * g for p, g in zip(parameters, gradients, strict=True)]

        return step

    def set_weights(self, weights: Weights) -> None:
        self.parameters = [self.torch.from_numpy(array.astype(np.float32)) for pair in weights for array in pair]

    def weights(self) -> Weights:
        arrays = [parameter.double().numpy() for parameter in self.parameters]
        return list(zip(arrays[::2], arrays[1::2], strict=True))

    def train(self, order: Order) -> None:
        full_batch = self.work.full_batch
        with self.torch.no_grad():
            for batch in self.torch.from_numpy(order):
                self.parameters = self.step(self.parameters, self.x, self.y, None if full_batch else batch)
