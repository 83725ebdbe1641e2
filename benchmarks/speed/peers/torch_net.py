"""Convolutional and recurrent networks in PyTorch: eager or compiled, with channels first (its default) or last."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from benchmarks.speed.images import Images
from benchmarks.speed.peers.base import Peer, Predictor
from benchmarks.speed.weights import Reals, Weights
from benchmarks.speed.workloads import Description, LayeredWorkload, Order

Array = np.ndarray[Any, Any]
Exchange = Callable[[Array], Array]


@dataclass(frozen=True)
class Parameter:
    """A trained tensor; `to_torch` converts glassnet's array to its layout, `from_torch` converts it back."""

    tensor: Any
    to_torch: Exchange = np.asarray
    from_torch: Exchange = np.asarray


class TorchNet(Peer[LayeredWorkload]):
    """A sequence of modules, autograd, `optim.SGD`."""

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
        self.parameters: list[list[Parameter]] = []
        self.shape = self.work.shape  # input shape of the next layer: rows, columns, channels
        self._build(self.work.layers)
        self.loss, self.outputs = self._loss, self._outputs
        if self.compiles:
            self.torch._dynamo.reset()  # what it compiled for another workload counts towards its limit of variants
            self.outputs = self.torch.compile(self.outputs, dynamic=False)
        if self.work.kind == "predict":
            return
        trained = [parameter.tensor for layer in self.parameters for parameter in layer]
        self.optimizer = self.torch.optim.SGD(trained, lr=self.work.rate)
        self.update = self.optimizer.step
        if self.compiles:
            self.loss, self.update = (self.torch.compile(function, dynamic=False) for function in (self.loss, self.update))

    def _build(self, layers: Sequence[Description]) -> None:
        for layer in layers:
            options = {} if isinstance(layer, str) else {key: value for key, value in layer.items() if key != "type"}
            getattr(self, f"_{layer if isinstance(layer, str) else layer['type']}")(**options)

    def _outputs(self, x: Any) -> Any:
        with self.torch.autocast("cpu", self.torch.bfloat16, enabled=self.work.precision == "bfloat16"):
            x = _through(self.steps, x)
        return x.float()

    def _loss(self, x: Any, y: Any) -> Any:
        return self.torch.nn.functional.cross_entropy(self._outputs(x), y)

    def _add(self, module: Any, parameters: Sequence[Parameter] = ()) -> None:
        self.steps.append(module.to(memory_format=self.format))
        if parameters:
            self.parameters.append(list(parameters))

    def _Pixels(self) -> None:
        """The images are already scaled."""

    def _ReLU(self) -> None:
        self._add(self.torch.nn.ReLU())

    def _GELU(self) -> None:
        self._add(self.torch.nn.GELU())

    def _Sigmoid(self) -> None:
        self._add(self.torch.nn.Sigmoid())

    def _Conv2D(
        self, filters: int, kernel_size: int, padding: str = "valid", strides: int = 1, use_bias: bool = True
    ) -> None:
        """With zeros on all sides alike, as PyTorch's users write it; the sizes of the workloads are chosen for that."""
        rows, columns, channels = self.shape
        margin = (kernel_size - 1) // 2 if padding == "same" else 0
        assert padding == "valid" or strides == 1 or rows % 2 == columns % 2 == 1
        module = self.torch.nn.Conv2d(channels, filters, kernel_size, strides, margin, bias=use_bias)
        bias = [Parameter(module.bias)] if use_bias else []
        first, last = (lambda w: w.transpose(3, 2, 0, 1)), (lambda w: w.transpose(2, 3, 1, 0))
        self._add(module, [Parameter(module.weight, first, last), *bias])
        less = kernel_size - 2 * margin
        self.shape = (rows - less) // strides + 1, (columns - less) // strides + 1, filters

    def _BatchNorm(self) -> None:
        module = self.torch.nn.BatchNorm2d(self.shape[2]).train(self.work.kind == "train")
        self._add(module, [Parameter(module.weight), Parameter(module.bias)])

    def _LayerNorm(self) -> None:
        module = self.torch.nn.LayerNorm(self.shape[2])
        self._add(module, [Parameter(module.weight), Parameter(module.bias)])

    def _branch(self, layers: Sequence[Description]) -> tuple[list[Callable[[Any], Any]], list[Parameter]]:
        """The steps of layers within a layer, and their parameters in a row."""
        kept = self.steps, self.parameters
        self.steps, self.parameters = [], []
        self._build(layers)
        found = self.steps, [parameter for layer in self.parameters for parameter in layer]
        self.steps, self.parameters = kept
        return found

    def _Residual(self, layers: Sequence[Description], projection: Sequence[Description] = ()) -> None:
        before = self.shape
        inner, parameters = self._branch(layers)
        after, self.shape = self.shape, before
        beside, others = self._branch(projection)
        assert self.shape == after
        self.parameters.append(parameters + others)
        self.steps.append(lambda x: _through(inner, x) + _through(beside, x))

    def _Concatenate(self, branches: Sequence[Sequence[Description]]) -> None:
        before, built, shapes = self.shape, [], []
        for branch in branches:
            self.shape = before
            built.append(self._branch(branch))
            shapes.append(self.shape)
        self.parameters.append([parameter for _, parameters in built for parameter in parameters])
        self.steps.append(lambda x: self.torch.cat([_through(steps, x) for steps, _ in built], dim=1))
        self.shape = *shapes[0][:2], sum(shape[2] for shape in shapes)

    def _MaxPool2D(self, pool_size: int) -> None:
        self._add(self.torch.nn.MaxPool2d(pool_size))
        self.shape = self.shape[0] // pool_size, self.shape[1] // pool_size, self.shape[2]

    def _GlobalAveragePool2D(self) -> None:
        self.steps.append(lambda x: x.mean((2, 3)))
        self.shape = 1, 1, self.shape[2]

    def _Flatten(self) -> None:
        """In PyTorch's order, channel by channel; the next layer's weights are permuted accordingly."""
        self._add(self.torch.nn.Flatten())

    def _Dense(self, units: int) -> None:
        rows, columns, channels = self.shape
        module = self.torch.nn.Linear(prod(self.shape), units)

        def to_torch(weight: Array) -> Array:
            return weight.reshape(rows, columns, channels, units).transpose(3, 2, 0, 1).reshape(units, -1)

        def from_torch(weight: Array) -> Array:
            return weight.reshape(units, channels, rows, columns).transpose(2, 3, 1, 0).reshape(-1, units)

        self._add(module, [Parameter(module.weight, to_torch, from_torch), Parameter(module.bias)])
        self.shape = 1, 1, units

    def _LSTM(self, units: int) -> None:
        """Reads rows of pixels, returns the last state; the second of PyTorch's two biases stays at zero."""
        module = self.torch.nn.LSTM(self.shape[1] * self.shape[2], units, batch_first=True)
        self.torch.nn.init.zeros_(module.bias_hh_l0).requires_grad_(False)
        self.steps.append(lambda x: module(x.permute(0, 2, 3, 1).flatten(2))[0][:, -1])
        transposed = [Parameter(weight, np.transpose, np.transpose) for weight in (module.weight_ih_l0, module.weight_hh_l0)]
        self.parameters.append([*transposed, Parameter(module.bias_ih_l0)])
        self.shape = 1, 1, units

    def _GRU(self, units: int) -> None:
        """As `_LSTM`; the second bias acts on the reset state alone: its other parts are trained, too, but not compared."""
        module = self.torch.nn.GRU(self.shape[1] * self.shape[2], units, batch_first=True)
        self.torch.nn.init.zeros_(module.bias_hh_l0)
        self.steps.append(lambda x: module(x.permute(0, 2, 3, 1).flatten(2))[0][:, -1])
        transposed = [Parameter(weight, np.transpose, np.transpose) for weight in (module.weight_ih_l0, module.weight_hh_l0)]
        inner = Parameter(module.bias_hh_l0, lambda b: np.concatenate([np.zeros(2 * units), b]), lambda b: b[2 * units :])
        self.parameters.append([*transposed, Parameter(module.bias_ih_l0), inner])
        self.shape = 1, 1, units

    def predictor(self) -> Predictor:
        """Class indices, without autograd."""
        outputs, torch, batch = self.outputs, self.torch, self.work.batch
        parts = [part.contiguous(memory_format=self.format) for part in self.x.split(batch)]

        def predict() -> Array:
            with torch.inference_mode():
                return np.concatenate([outputs(part).argmax(1).numpy() for part in parts])

        return predict

    def set_weights(self, weights: Weights) -> None:
        with self.torch.no_grad():
            for layer, arrays in zip(self.parameters, weights, strict=True):
                for parameter, array in zip(layer, arrays, strict=True):
                    parameter.tensor.copy_(self.torch.from_numpy(np.ascontiguousarray(parameter.to_torch(array))))

    def weights(self) -> Weights:
        def back(parameter: Parameter) -> Reals:
            return np.ascontiguousarray(parameter.from_torch(parameter.tensor.detach().double().contiguous().numpy()))

        return [tuple(map(back, layer)) for layer in self.parameters]

    def train(self, order: Order) -> None:
        for batch in self.torch.from_numpy(order):
            x, y = self.x[batch].contiguous(memory_format=self.format), self.y[batch]
            self.optimizer.zero_grad()
            self.loss(x, y).backward()
            self.update()


def _through(steps: Sequence[Callable[[Any], Any]], x: Any) -> Any:
    for step in steps:
        x = step(x)
    return x


class TorchNetCompiled(TorchNet):
    """Forward pass, loss, gradients and update through `torch.compile`; needs a C++ compiler."""

    compiles = True


class TorchNetLast(TorchNet):
    """Channels last."""

    layout = "channels_last"


class TorchNetLastCompiled(TorchNetCompiled, TorchNetLast):
    """Compiled, channels last."""
