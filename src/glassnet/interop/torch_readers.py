"""How each module of PyTorch is read, and what is known between two of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from glassnet.errors import ShapeError
from glassnet.interop.importer import Importer
from glassnet.nn import (
    GELU,
    GRU,
    LSTM,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    GlobalMaxPool2D,
    Layer,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    Pixels,
    ReLU,
    Scale,
    Sigmoid,
    SimpleRNN,
    Softmax,
    Standardize,
    Swish,
    Tanh,
)
from glassnet.nn.windows import Margins, Pair, Windows, as_pair, require_image
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr


class Walk(Importer):
    """What is known between two modules.

    `first`: whether PyTorch's value has its channels first, where ours has them last. `is_pooled`: whether it is (N, C, 1, 1)
    where ours is (N, C). `order`: of a flattened image, where in PyTorch's row each number of ours stands. `pad`: the value
    and margins of a padding that the next module completes.
    """

    first = False
    is_pooled = False
    is_ended = False
    order: Array | None = None
    pad: tuple[float, Margins] | None = None

    def settle(self, name: str) -> None:
        """Refuse a padding that stands for itself, now that the module `name` comes."""
        if self.pad is not None and name not in ("Conv2d", "MaxPool2d"):
            self.refuse(tr("A padding is only read before a Conv2d, or of −∞ before a MaxPool2d."))

    def features(self, array: Array) -> Array:
        """An array with a number or row for each feature, in our order."""
        return array if self.order is None or len(array) != len(self.order) else array[self.order]

    def require_first(self) -> None:
        if not self.first and len(self.shape) > 1:
            self.refuse(tr("The channels stand last here, and the module takes them first."), received=self.shape)

    def axis(self, dim: int | None) -> None:
        """Refuse an axis that is not that of the channels."""
        axes = len(self.shape) + (3 if self.is_pooled else 1)
        wanted = 1 if self.first or self.is_pooled or axes == 2 else axes - 1
        if dim is None or dim % axes != wanted:
            self.refuse(tr("Softmax is taken over the channels."), f"dim={wanted}", f"dim={dim}")

    def window(
        self, module: Any, strides: Any, padding: Any, value: float, make: Callable[[Pair, Pair, str], Windows]
    ) -> Windows:
        """The layer with the window, strides and padding of a module."""
        size, strides = as_pair(module.kernel_size, self.where), as_pair(strides or module.kernel_size, self.where)
        self.require_first()
        same = make(size, strides, "same")
        try:
            require_image(same, self.shape)
        except ShapeError as error:
            raise error.at(self.where, ShapeError) from None
        wanted = same.margins(self.shape)
        if isinstance(padding, str):
            margins = wanted if padding == "same" else (0, 0, 0, 0)
        else:
            down, across = (padding, padding) if isinstance(padding, int) else padding
            margins = (down, down, across, across)
        if self.pad is not None:
            if self.pad[0] != value:
                self.refuse(tr("A padding is only read before a Conv2d, or of −∞ before a MaxPool2d."))
            top, bottom, left, right = (a + b for a, b in zip(margins, self.pad[1], strict=True))
            margins = (top, bottom, left, right)
            self.pad = None
        if not any(margins):
            return make(size, strides, "valid")
        if margins != wanted:
            self.refuse(
                tr("glassnet pads an image as far as ⌈size / stride⌉ windows need it, or not at all."),
                tr("padding 0, or (top, bottom, left, right) = {margins}", margins=wanted),
                margins,
            )
        return same


def _array(tensor: Any) -> Array:
    """A tensor as float32, or float64 where it is."""
    import torch

    kept = tensor.detach().cpu()
    found: Array = (kept if kept.dtype == torch.float64 else kept.float()).numpy()
    return found


def _arrays(**tensors: Any) -> dict[str, Array]:
    return {name: _array(tensor) for name, tensor in tensors.items() if tensor is not None}


def _plain(make: Callable[[], Layer], **options: object) -> Callable[[Walk, Any], None]:
    def read(walk: Walk, module: Any) -> None:
        walk.only(module, **options)
        walk.add(make())

    return read


def _linear(walk: Walk, module: Any) -> None:
    if walk.is_pooled:
        walk.refuse(tr("A Flatten is missing before this module."))
    arrays = _arrays(weight=module.weight.T, bias=module.bias)
    arrays["weight"] = walk.features(arrays["weight"])
    walk.add(Dense(module.out_features, use_bias=module.bias is not None), **arrays)
    walk.order = None


def _conv(walk: Walk, module: Any) -> None:
    walk.only(module, groups=1, dilation=1, padding_mode="zeros")
    bias = module.bias is not None

    def make(size: Pair, strides: Pair, padding: str) -> Conv2D:
        return Conv2D(module.out_channels, size, strides=strides, padding=padding, use_bias=bias)

    arrays = _arrays(weight=module.weight.permute(2, 3, 1, 0), bias=module.bias)
    walk.add(walk.window(module, module.stride, module.padding, 0.0, make), **arrays)


def _max_pool(walk: Walk, module: Any) -> None:
    walk.only(module, dilation=1, ceil_mode=False, return_indices=False)
    walk.add(walk.window(module, module.stride, module.padding, float("-inf"), MaxPool2D))


def _average_pool(walk: Walk, module: Any) -> None:
    walk.only(module, ceil_mode=False, divisor_override=None)
    if np.any(module.padding):
        walk.only(module, count_include_pad=False)
    walk.add(walk.window(module, module.stride, module.padding, 0.0, AveragePool2D))


def _own_average_pool(walk: Walk, module: Any) -> None:
    walk.add(AveragePool2D(module.window, module.strides, "same"))


def _global_pool(kind: type[Layer]) -> Callable[[Walk, Any], None]:
    def read(walk: Walk, module: Any) -> None:
        walk.only(module, output_size=1)
        walk.require_first()
        walk.add(kind())
        walk.is_pooled = True

    return read


def _flatten(walk: Walk, module: Any) -> None:
    walk.only(module, start_dim=1, end_dim=-1)
    if walk.first and len(walk.shape) > 1:
        count = int(np.prod(walk.shape))
        order = np.moveaxis(np.arange(count).reshape(walk.shape[-1], *walk.shape[:-1]), 0, -1).ravel()
        walk.order = None if (order == np.arange(count)).all() else order
    if len(walk.shape) > 1:
        walk.add(Flatten())
    walk.is_pooled = False


def _batch_norm(walk: Walk, module: Any) -> None:
    if module.running_mean is None:
        walk.only(module, track_running_stats=True)
    walk.require_first()
    momentum = 0.9 if module.momentum is None else 1 - module.momentum
    arrays = _arrays(gamma=module.weight, beta=module.bias, mean=module.running_mean, variance=module.running_var)
    walk.add(BatchNorm(momentum, module.eps), **{name: walk.features(array) for name, array in arrays.items()})


def _layer_norm(walk: Walk, module: Any) -> None:
    if len(module.normalized_shape) != 1 or walk.is_pooled or (walk.first and len(walk.shape) > 1):
        walk.refuse(tr("LayerNorm is taken over the channels."), received=module.normalized_shape)
    arrays = _arrays(gamma=module.weight, beta=module.bias)
    if module.normalized_shape != walk.shape[-1:]:
        walk.refuse(tr("The layer does not fit what the layers before it give."), walk.shape[-1:], module.normalized_shape)
    walk.add(LayerNorm(module.eps), **{name: walk.features(array) for name, array in arrays.items()})


def _softmax(walk: Walk, module: Any) -> None:
    walk.axis(module.dim)
    walk.add(Softmax())


def _log_softmax(walk: Walk, module: Any) -> None:
    walk.axis(module.dim)
    walk.is_ended = True


def _leaky(walk: Walk, module: Any) -> None:
    walk.add(LeakyReLU(module.negative_slope))


def _dropout(walk: Walk, module: Any) -> None:
    walk.add(Dropout(module.p))


def _recurrent(kind: Any) -> Callable[[Walk, Any], None]:
    def read(walk: Walk, module: Any) -> None:
        walk.only(module, num_layers=1, bidirectional=False, batch_first=True, proj_size=0)
        if walk.first and len(walk.shape) > 1:
            walk.refuse(tr("The channels stand first here, and the module takes steps."), received=walk.shape)
        options = {"activation": module.nonlinearity} if kind is SimpleRNN else {}
        layer = kind(module.hidden_size, return_sequences=getattr(module, "return_sequences", True), **options)
        arrays = _arrays(weight=module.weight_ih_l0.T, recurrent_weight=module.weight_hh_l0.T)
        if module.bias:
            first, second = _array(module.bias_ih_l0), _array(module.bias_hh_l0)
            if kind is GRU:  # in its last block, the reset gate acts on the second bias alone
                arrays["recurrent_bias"] = second[2 * module.hidden_size :]
                second = np.concatenate([second[: 2 * module.hidden_size], np.zeros_like(arrays["recurrent_bias"])])
            arrays["bias"] = first + second
        else:
            arrays["bias"] = np.zeros(module.weight_ih_l0.shape[0], dtype=arrays["weight"].dtype)
        walk.add(layer, **arrays)

    return read


def _pad(walk: Walk, module: Any) -> None:
    left, right, top, bottom = module.padding
    walk.require_first()
    walk.pad = float(getattr(module, "value", 0.0)), (top, bottom, left, right)


def _channels(first: bool) -> Callable[[Walk, Any], None]:
    def read(walk: Walk, module: Any) -> None:
        walk.first = first

    return read


def _pixels(walk: Walk, module: Any) -> None:
    if float(module.factor) != 1:
        walk.add(Pixels())


PYTORCH: dict[str, Callable[[Walk, Any], None]] = {
    "Linear": _linear,
    "Conv2d": _conv,
    "MaxPool2d": _max_pool,
    "AvgPool2d": _average_pool,
    "AdaptiveAvgPool2d": _global_pool(GlobalAveragePool2D),
    "AdaptiveMaxPool2d": _global_pool(GlobalMaxPool2D),
    "Flatten": _flatten,
    "BatchNorm1d": _batch_norm,
    "BatchNorm2d": _batch_norm,
    "LayerNorm": _layer_norm,
    "ReLU": _plain(ReLU),
    "LeakyReLU": _leaky,
    "GELU": _plain(GELU, approximate="none"),
    "SiLU": _plain(Swish),
    "Sigmoid": _plain(Sigmoid),
    "Tanh": _plain(Tanh),
    "Softmax": _softmax,
    "LogSoftmax": _log_softmax,
    "Dropout": _dropout,
    "Identity": lambda walk, module: None,
    "RNN": _recurrent(SimpleRNN),
    "LSTM": _recurrent(LSTM),
    "GRU": _recurrent(GRU),
    "ZeroPad2d": _pad,
    "ConstantPad2d": _pad,
}
OWN: dict[str, Callable[[Walk, Any], None]] = {
    "ToChannelsFirst": _channels(True),
    "ToChannelsLast": _channels(False),
    "Pixels": _pixels,
    "Scale": lambda walk, module: walk.add(Scale(module.factor, module.offset)),
    "Standardize": lambda walk, module: walk.add(Standardize(_array(module.mean).tolist(), _array(module.std).tolist())),
    "AveragePool2d": _own_average_pool,
    "RNN": _recurrent(SimpleRNN),
    "LSTM": _recurrent(LSTM),
    "GRU": _recurrent(GRU),
}
