"""Networks as PyTorch modules with the same weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.errors import InputError
from glassnet.nn import Concatenate, Layer, Nested
from glassnet.nn.chain import name_layers
from glassnet.nn.layer import Shape
from glassnet.nn.stack import Stack
from glassnet.nn.windows import Windows
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

if TYPE_CHECKING:
    from torch import nn


def import_torch(where: str) -> Any:
    """PyTorch, or the error that says how to install it."""
    try:
        import torch
    except ImportError as error:
        what, expected = tr("{name} is not installed.", name="PyTorch"), tr("the package {name}", name="torch")
        raise InputError(what, where=where, expected=expected, received=str(error), hint="pip install torch") from None
    return torch


def to_torch(network: Stack) -> nn.Module:
    """The network as an `nn.Sequential` of PyTorch with the same weights, in `eval()` mode: a module for each layer.

    Input: images (N, *input_shape) as the network takes them, channels last, uint8 or floats. Output: (N, outputs), what
    `network(images)` gives, which is before the softmax or sigmoid of a cross-entropy loss. Between the modules the channels
    come first, as PyTorch has them. Weights are copies, in the type of the network. Modules are named as the layers are:
    conv2d1, dense1 …; what PyTorch has no module for is in `glassnet.interop.torch_modules`.
    Raises `InputError` for a layer that has no module, and where PyTorch is not installed.

        module = gn.to_torch(net)
        outputs = module(torch.from_numpy(images))
    """
    torch = import_torch("to_torch")
    from glassnet.interop import torch_modules as own

    with torch.random.fork_rng(
        devices=[]
    ):  # modules draw weights, which the network's replace: leave the generator as it was
        row = _Row()
        if not network.takes_pixels:
            row.modules["floats"] = own.Pixels(1.0)
        row.chain(network.layers, network.shapes, "")
        row.arrange(False, network.shapes[-1])
        if len(network.shapes[-1]) > 1:
            row.modules["outputs"] = torch.nn.Flatten()
        module = own.ChannelsLast(row.modules)
    return module.to(torch.float64 if network.dtype == np.float64 else torch.float32).eval()


class _Row:
    """Modules in the order in which they run; `first`: whether the channels come first in what the last of them gives."""

    def __init__(self, first: bool = False) -> None:
        from collections import OrderedDict

        self.modules: OrderedDict[str, nn.Module] = OrderedDict()
        self.first = first

    def arrange(self, first: bool | None, shape: Shape) -> None:
        """Bring the channels of a value of `shape` (ours) to where they are wanted; None: they may stay."""
        from glassnet.interop import torch_modules as own

        if first is not None and first != self.first and len(shape) > 1:
            kind = own.ToChannelsFirst if first else own.ToChannelsLast
            number = sum(isinstance(module, kind) for module in self.modules.values()) + 1
            self.modules[f"channels_{'first' if first else 'last'}{number}"] = kind()
            self.first = first

    def chain(self, layers: Sequence[Layer], shapes: Sequence[Shape], path: str) -> None:
        for layer, name, before in zip(layers, name_layers(layers), shapes, strict=False):
            if isinstance(layer, Nested):
                self.modules[name] = self.nested(layer, path + name)
                continue
            kind = type(layer).__name__
            if kind not in _MODULES:
                what = tr("PyTorch has no module for this layer.")
                raise InputError(what, where=path + name, expected=" | ".join(_MODULES), received=repr(layer))
            first, make = _MODULES[kind]
            self.arrange(first, before)
            for suffix, module in make(layer, before).items():
                self.modules[name + suffix] = module

    def nested(self, layer: Nested, path: str) -> nn.Module:
        """The module of branches: each begins and ends with the channels where they are now."""
        from torch import nn

        from glassnet.interop import torch_modules as own

        branches = []
        for number, (layers, shapes) in enumerate(zip(layer.branches, layer.branch_shapes, strict=True)):
            row = _Row(self.first)
            row.chain(layers, shapes, f"{path}.{number}.")
            row.arrange(self.first, shapes[-1])
            branches.append(nn.Sequential(row.modules))
        if isinstance(layer, Concatenate):
            return own.Concatenate(branches, 1 if self.first else -1)
        return own.Residual(branches[0], branches[1])


Modules = dict[str, Any]  # by what is added to the layer's name


def _filled(module: nn.Module, arrays: dict[str, Array | None]) -> nn.Module:
    """The module with these parameters and running statistics, in float64."""
    import torch

    state = {name: torch.tensor(np.asarray(array, dtype=np.float64)) for name, array in arrays.items() if array is not None}
    module.double().load_state_dict(module.state_dict() | state)
    return module


def _plain(name: str, *arguments: Any) -> Callable[[Any, Shape], Modules]:
    def make(layer: Layer, shape: Shape) -> Modules:
        from torch import nn

        return {"": getattr(nn, name)(*arguments)}

    return make


def _own(name: str, *options: str) -> Callable[[Any, Shape], Modules]:
    """A module of `torch_modules`, made from the layer's attributes of these names."""

    def make(layer: Layer, shape: Shape) -> Modules:
        from glassnet.interop import torch_modules as own

        return {"": getattr(own, name)(*(getattr(layer, option) for option in options))}

    return make


def _option(name: str, option: str) -> Callable[[Any, Shape], Modules]:
    return lambda layer, shape: _plain(name, getattr(layer, option))(layer, shape)


def _standardize(layer: Layer, shape: Shape) -> Modules:
    from glassnet.interop import torch_modules as own

    return {"": own.Standardize(**layer.statistics)}


def _dense(layer: Any, shape: Shape) -> Modules:
    from torch import nn

    arrays = layer.parameters
    module = nn.Linear(shape[0], layer.units, bias="bias" in arrays)
    return {"": _filled(module, {"weight": arrays["weight"].T, "bias": arrays.get("bias")})}


def _padding(layer: Windows, shape: Shape, value: float) -> tuple[Modules, tuple[int, int]]:
    """A module that pads, where the margins are not symmetric; and else what the windows' module pads by itself."""
    from torch import nn

    top, bottom, left, right = layer.margins(shape)
    if (top, left) == (bottom, right):
        return {}, (top, left)
    return {"_padding": nn.ConstantPad2d((left, right, top, bottom), value)}, (0, 0)


def _conv(layer: Any, shape: Shape) -> Modules:
    from torch import nn

    arrays = layer.parameters
    before, padding = _padding(layer, shape, 0.0)
    module = nn.Conv2d(shape[2], layer.filters, layer.window, layer.strides, padding, bias="bias" in arrays)
    return before | {"": _filled(module, {"weight": arrays["weight"].transpose(3, 2, 0, 1), "bias": arrays.get("bias")})}


def _max_pool(layer: Windows, shape: Shape) -> Modules:
    from torch import nn

    before, padding = _padding(layer, shape, float("-inf"))
    return before | {"": nn.MaxPool2d(layer.window, layer.strides, padding)}


def _average_pool(layer: Windows, shape: Shape) -> Modules:
    from torch import nn

    from glassnet.interop import torch_modules as own

    padded, padding = _padding(layer, shape, 0.0)
    if padded:
        return {"": own.AveragePool2d(layer.window, layer.strides, layer.margins(shape), (shape[0], shape[1]))}
    return {"": nn.AvgPool2d(layer.window, layer.strides, padding, count_include_pad=False)}


def _global_pool(name: str) -> Callable[[Any, Shape], Modules]:
    def make(layer: Layer, shape: Shape) -> Modules:
        from torch import nn

        return {"": nn.Sequential(getattr(nn, name)(1), nn.Flatten())}

    return make


def _batch_norm(layer: Any, shape: Shape) -> Modules:
    from torch import nn

    kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
    parameters, running = layer.parameters, layer.statistics
    arrays = {"weight": parameters["gamma"], "bias": parameters["beta"]}
    statistics = {"running_mean": running["mean"], "running_var": running["variance"]}
    return {"": _filled(kind(shape[-1], layer.epsilon, 1 - layer.momentum), arrays | statistics)}


def _layer_norm(layer: Any, shape: Shape) -> Modules:
    from torch import nn

    arrays = {"weight": layer.parameters["gamma"], "bias": layer.parameters["beta"]}
    return {"": _filled(nn.LayerNorm(shape[-1], layer.epsilon), arrays)}


def _recurrent(name: str) -> Callable[[Any, Shape], Modules]:
    """PyTorch has two biases, whose sum acts; in a GRU, the reset gate acts on the second one's last block, which is ours."""

    def make(layer: Any, shape: Shape) -> Modules:
        from glassnet.interop import torch_modules as own

        arrays = layer.parameters
        second = np.zeros_like(arrays["bias"])
        if "recurrent_bias" in arrays:
            second[2 * layer.units :] = arrays["recurrent_bias"]
        options = {"nonlinearity": layer.activation} if name == "RNN" else {}
        module = getattr(own, name)(layer.sequence(shape)[1], layer.units, return_sequences=layer.return_sequences, **options)
        state = {
            "weight_ih_l0": arrays["weight"].T,
            "weight_hh_l0": arrays["recurrent_weight"].T,
            "bias_ih_l0": arrays["bias"],
            "bias_hh_l0": second,
        }
        return {"": _filled(module, state)}

    return make


# Layer → (channels first? None: wherever they are; how its modules are made from it and the shape of its input)
_MODULES: dict[str, tuple[bool | None, Callable[[Any, Shape], Modules]]] = {
    "Pixels": (None, _own("Pixels")),
    "Scale": (None, _own("Scale", "factor", "offset")),
    "Standardize": (False, _standardize),
    "Flatten": (False, _plain("Flatten")),
    "Dropout": (None, _option("Dropout", "rate")),
    "Dense": (None, _dense),
    "Conv2D": (True, _conv),
    "MaxPool2D": (True, _max_pool),
    "AveragePool2D": (True, _average_pool),
    "GlobalMaxPool2D": (True, _global_pool("AdaptiveMaxPool2d")),
    "GlobalAveragePool2D": (True, _global_pool("AdaptiveAvgPool2d")),
    "BatchNorm": (True, _batch_norm),
    "LayerNorm": (False, _layer_norm),
    "ReLU": (None, _plain("ReLU")),
    "LeakyReLU": (None, _option("LeakyReLU", "slope")),
    "Sigmoid": (None, _plain("Sigmoid")),
    "Tanh": (None, _plain("Tanh")),
    "GELU": (None, _plain("GELU")),
    "Swish": (None, _plain("SiLU")),
    "Softmax": (False, _plain("Softmax", -1)),
    "SimpleRNN": (False, _recurrent("RNN")),
    "LSTM": (False, _recurrent("LSTM")),
    "GRU": (False, _recurrent("GRU")),
}
