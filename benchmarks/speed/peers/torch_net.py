"""PyTorch at networks of layers: eager or compiled, images with channels first (its own layout) or last."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from benchmarks.speed.images import Images
from benchmarks.speed.peers.base import Peer
from benchmarks.speed.weights import Reals, Weights
from benchmarks.speed.workloads import LayeredWorkload, Order

Array = np.ndarray[Any, Any]
Exchange = Callable[[Array], Array]


@dataclass(frozen=True)
class Held:
    """A tensor that training changes; `give` brings our array into its layout, `take` brings its own back."""

    tensor: Any
    give: Exchange = np.asarray
    take: Exchange = np.asarray


class TorchNet(Peer[LayeredWorkload]):
    """Modules in a row, autograd, `optim.SGD`."""

    layout = "contiguous_format"
    compiles = False

    def prepare(self, images: Images) -> None:
        self.torch: Any = importlib.import_module("torch")
        self.torch.set_num_threads(self.threads)
        self.format = getattr(self.torch, self.layout)
        rows = images.floats().reshape(-1, *self.work.shape).transpose(0, 3, 1, 2)
        self.x = self.torch.from_numpy(np.ascontiguousarray(rows)).contiguous(memory_format=self.format)
        self.y = self.torch.from_numpy(images.labels.copy())
        self.steps: list[Callable[[Any], Any]] = []
        self.held: list[list[Held]] = []
        self.seen = self.work.shape  # by the next layer: rows, columns, channels, or a single number
        for layer in self.work.layers:
            options = {} if isinstance(layer, str) else {key: value for key, value in layer.items() if key != "type"}
            getattr(self, f"_{layer if isinstance(layer, str) else layer['type']}")(**options)
        trained = [held.tensor for layer in self.held for held in layer]
        self.optimizer = self.torch.optim.SGD(trained, lr=self.work.rate)
        self.cost, self.update = self._cost, self.optimizer.step
        if self.compiles:
            self.cost, self.update = (self.torch.compile(function, dynamic=False) for function in (self.cost, self.update))

    def _cost(self, x: Any, y: Any) -> Any:
        for step in self.steps:
            x = step(x)
        return self.torch.nn.functional.cross_entropy(x, y)

    def _add(self, module: Any, held: Sequence[Held] = ()) -> None:
        self.steps.append(module.to(memory_format=self.format))
        if held:
            self.held.append(list(held))

    def _Pixels(self) -> None:
        """The images are scaled beforehand."""

    def _ReLU(self) -> None:
        self._add(self.torch.nn.ReLU())

    def _Conv2D(self, filters: int, kernel_size: int, padding: str = "valid", use_bias: bool = True) -> None:
        rows, columns, channels = self.seen
        module = self.torch.nn.Conv2d(channels, filters, kernel_size, padding=padding, bias=use_bias)
        bias = [Held(module.bias)] if use_bias else []
        first, last = (lambda w: w.transpose(3, 2, 0, 1)), (lambda w: w.transpose(2, 3, 1, 0))
        self._add(module, [Held(module.weight, first, last), *bias])
        less = kernel_size - 1 if padding == "valid" else 0
        self.seen = rows - less, columns - less, filters

    def _BatchNorm(self) -> None:
        module = self.torch.nn.BatchNorm2d(self.seen[2])
        self._add(module, [Held(module.weight), Held(module.bias)])

    def _MaxPool2D(self, pool_size: int) -> None:
        self._add(self.torch.nn.MaxPool2d(pool_size))
        self.seen = self.seen[0] // pool_size, self.seen[1] // pool_size, self.seen[2]

    def _GlobalAveragePool2D(self) -> None:
        self.steps.append(lambda x: x.mean((2, 3)))
        self.seen = 1, 1, self.seen[2]

    def _Flatten(self) -> None:
        """In PyTorch's order, channel by channel: the weights of the next layer are arranged to it."""
        self._add(self.torch.nn.Flatten())

    def _Dense(self, units: int) -> None:
        rows, columns, channels = self.seen
        module = self.torch.nn.Linear(prod(self.seen), units)

        def give(weight: Array) -> Array:
            return weight.reshape(rows, columns, channels, units).transpose(3, 2, 0, 1).reshape(units, -1)

        def take(weight: Array) -> Array:
            return weight.reshape(units, channels, rows, columns).transpose(2, 3, 1, 0).reshape(-1, units)

        self._add(module, [Held(module.weight, give, take), Held(module.bias)])
        self.seen = 1, 1, units

    def _LSTM(self, units: int) -> None:
        """Rows of pixels in, the last state out; the second of PyTorch's two biases stays at zero."""
        module = self.torch.nn.LSTM(self.seen[1] * self.seen[2], units, batch_first=True)
        self.torch.nn.init.zeros_(module.bias_hh_l0).requires_grad_(False)
        self.steps.append(lambda x: module(x.permute(0, 2, 3, 1).flatten(2))[0][:, -1])
        turned = [Held(weight, np.transpose, np.transpose) for weight in (module.weight_ih_l0, module.weight_hh_l0)]
        self.held.append([*turned, Held(module.bias_ih_l0)])
        self.seen = 1, 1, units

    def set_weights(self, weights: Weights) -> None:
        with self.torch.no_grad():
            for layer, arrays in zip(self.held, weights, strict=True):
                for held, array in zip(layer, arrays, strict=True):
                    held.tensor.copy_(self.torch.from_numpy(np.ascontiguousarray(held.give(array))))

    def weights(self) -> Weights:
        def back(held: Held) -> Reals:
            return np.ascontiguousarray(held.take(held.tensor.detach().double().contiguous().numpy()))

        return [tuple(map(back, layer)) for layer in self.held]

    def train(self, order: Order) -> None:
        for batch in self.torch.from_numpy(order):
            x, y = self.x[batch].contiguous(memory_format=self.format), self.y[batch]
            self.optimizer.zero_grad()
            self.cost(x, y).backward()
            self.update()


class TorchNetCompiled(TorchNet):
    """Forward, cost and gradients through `torch.compile`, and the update as well; needs a C++ compiler."""

    compiles = True


class TorchNetLast(TorchNet):
    """Images and filters with channels last."""

    layout = "channels_last"


class TorchNetLastCompiled(TorchNetCompiled, TorchNetLast):
    """Both."""
