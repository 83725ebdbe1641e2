"""A trained network as a list of operations, from an image to its probabilities: what every export writes down.

Layers become a few kinds of operation: Pixels, Scale, Standardize and BatchNorm are all `affine`, Dropout is nothing, and
what the loss adds for prediction (softmax, sigmoid) stands at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError
from glassnet.nn import Flatten, Layer, Nested
from glassnet.nn.activations import LeakyReLU
from glassnet.nn.chain import name_layers
from glassnet.nn.inputs import Scale, Standardize
from glassnet.nn.layer import Shape
from glassnet.nn.norm import BatchNorm, LayerNorm
from glassnet.nn.recurrent import Recurrent, SimpleRNN
from glassnet.nn.stack import Stack
from glassnet.nn.windows import Windows
from glassnet.support.i18n import tr

Array32 = NDArray[np.float32]


@dataclass(frozen=True)
class Operation:
    """y = kind(x…): `inputs` are numbers of values, 0 the image as float32, k what the k-th operation gave.

    `shape`: that of y, for one image, channels last. `name` is that of the layer, unique: "conv2d1", "residual1.0.conv2d1".
    """

    kind: str
    name: str
    inputs: tuple[int, ...]
    shape: Shape
    arrays: dict[str, Array32] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


KINDS: dict[str, str] = {
    "affine": "y = (x − center)·scale + offset, each optional and broadcast over the last axes",
    "flatten": "y = x in one axis",
    "dense": "y = x·weight + bias; weight (inputs, units), bias optional",
    "conv": "Σ window·weight + bias; weight (rows, columns, channels, filters); strides, margins (top, bottom, left, right)",
    "max_pool": "the largest value of each window; window, strides, margins of −∞",
    "average_pool": "the mean of each window over what lies inside the image; window, strides, margins",
    "global_max": "the largest value of each channel",
    "global_average": "the mean of each channel",
    "layer_norm": "γ·(x − mean)/√(variance + epsilon) + β over the last axis; gamma, beta",
    "relu": "y = x for x > 0, else slope·x",
    "sigmoid": "y = 1/(1 + e⁻ˣ)",
    "tanh": "y = tanh x",
    "gelu": "y = x·Φ(x), by erf",
    "swish": "y = x·σ(x)",
    "softmax": "y = eˣ/Σ eˣ along the last axis",
    "add": "y = the sum of two inputs",
    "concatenate": "the inputs side by side along the last axis",
    "rnn": "states h of an image read row by row, as SimpleRNN; weight, recurrent_weight, bias; activation, return_sequences",
    "lstm": "states h, as LSTM (gates i, f, g, o); weight, recurrent_weight, bias; return_sequences",
    "gru": "states h, as GRU (gates r, z, n); weight, recurrent_weight, bias, recurrent_bias; return_sequences",
    "share": "y = x/Σ x along the last axis; where the sum is 0, each as much",
    "two_classes": "(1 − x, x) of one number",
}


def operations_of(network: Stack, *, takes_bytes: bool = True) -> list[Operation]:
    """The operations of a network, the last of which gives the probabilities.

    `takes_bytes`: images are whole numbers in 0…255, which Pixels divides by 255 unless other layers made floats of them.
    Raises `InputError` for a network whose outputs are not probabilities, or with a layer that has no entry here.
    """
    found = _Walk(takes_bytes)
    last = found.chain(network.layers, network.shapes, 0, "")
    kind = network.loss.link or type(network.layers[-1]).__name__
    if kind not in ("Softmax", "Sigmoid"):
        raise InputError(
            tr("The outputs of this network are not probabilities."),
            where="export",
            expected=tr("a Sigmoid or Softmax at the end, or a cross-entropy loss"),
            received=repr(network.layers[-1]),
        )
    outputs = network.outputs
    if len(network.shapes[-1]) > 1:
        last = found.add("flatten", "flatten", (last,), (outputs,))
    if network.loss.link is not None and type(network.layers[-1]).__name__ != kind:
        last = found.add(kind.lower(), "probabilities", (last,), (outputs,))
    if kind == "Sigmoid":
        found.add("two_classes" if outputs == 1 else "share", "classes", (last,), (max(outputs, 2),))
    return found.operations


class _Walk:
    def __init__(self, takes_bytes: bool) -> None:
        self.takes_bytes = takes_bytes
        self.operations: list[Operation] = []

    def add(self, kind: str, name: str, inputs: tuple[int, ...], shape: Shape, arrays: Any = None, **settings: Any) -> int:
        """The number of the value that the operation gives."""
        kept = {key: np.ascontiguousarray(value, dtype=np.float32) for key, value in (arrays or {}).items()}
        self.operations.append(Operation(kind, name, inputs, shape, kept, settings))
        return len(self.operations)

    def chain(self, layers: Sequence[Layer], shapes: Sequence[Shape], value: int, prefix: str) -> int:
        for layer, name, before, after in zip(layers, name_layers(layers), shapes, shapes[1:], strict=False):
            value = self.layer(layer, prefix + name, value, before, after)
        return value

    def layer(self, layer: Layer, name: str, value: int, before: Shape, after: Shape) -> int:
        takes_bytes = self.takes_bytes
        self.takes_bytes &= isinstance(layer, Flatten)  # all others give floats, which Pixels passes on
        if isinstance(layer, Nested):
            ends = tuple(
                self.chain(branch, shapes, value, f"{name}.{number}.")
                for number, (branch, shapes) in enumerate(zip(layer.branches, layer.branch_shapes, strict=True))
            )
            return self.add({"Residual": "add", "Concatenate": "concatenate"}[type(layer).__name__], name, ends, after)
        kind = type(layer).__name__
        if kind not in _LAYERS:
            raise InputError(
                tr("This layer can't be exported."), where=name, expected=" | ".join(_LAYERS), received=repr(layer)
            )
        made = _LAYERS[kind](layer, before, takes_bytes)
        if made is None:
            return value
        operation, arrays, settings = made
        return self.add(operation, name, (value,), after, arrays, **settings)


Made = tuple[str, dict[str, Any], dict[str, Any]] | None


def _plain(kind: str, **settings: Any) -> Callable[[Any, Shape, bool], Made]:
    return lambda layer, shape, takes_bytes: (kind, layer.parameters, settings)


def _pixels(layer: Any, shape: Shape, takes_bytes: bool) -> Made:
    return ("affine", {"scale": [1 / 255]}, {}) if takes_bytes else None


def _scale(layer: Scale, shape: Shape, takes_bytes: bool) -> Made:
    return "affine", {"scale": [layer.factor]} | ({"offset": [layer.offset]} if layer.offset else {}), {}


def _standardize(layer: Standardize, shape: Shape, takes_bytes: bool) -> Made:
    return "affine", {"center": layer.statistics["mean"], "scale": 1 / layer.statistics["std"].astype(np.float64)}, {}


def _batch_norm(layer: BatchNorm, shape: Shape, takes_bytes: bool) -> Made:
    gamma, variance = (a.astype(np.float64) for a in (layer.parameters["gamma"], layer.statistics["variance"]))
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return "affine", {"center": layer.statistics["mean"], "scale": scale, "offset": layer.parameters["beta"]}, {}


def _layer_norm(layer: LayerNorm, shape: Shape, takes_bytes: bool) -> Made:
    return "layer_norm", layer.parameters, {"epsilon": layer.epsilon}


def _windows(kind: str) -> Callable[[Any, Shape, bool], Made]:
    def made(layer: Windows, shape: Shape, takes_bytes: bool) -> Made:
        return kind, layer.parameters, {"window": layer.window, "strides": layer.strides, "margins": layer.margins(shape)}

    return made


def _leaky(layer: LeakyReLU, shape: Shape, takes_bytes: bool) -> Made:
    return "relu", {}, {"slope": layer.slope}


def _recurrent(kind: str) -> Callable[[Any, Shape, bool], Made]:
    def made(layer: Recurrent, shape: Shape, takes_bytes: bool) -> Made:
        settings: dict[str, Any] = {"return_sequences": layer.return_sequences, "steps": layer.sequence(shape)[0]}
        if kind == "rnn":
            settings["activation"] = cast("SimpleRNN", layer).activation
        return kind, layer.parameters, settings

    return made


_LAYERS: dict[str, Callable[[Any, Shape, bool], Made]] = {
    "Pixels": _pixels,
    "Scale": _scale,
    "Standardize": _standardize,
    "Flatten": _plain("flatten"),
    "Dropout": lambda layer, shape, takes_bytes: None,
    "Dense": _plain("dense"),
    "Conv2D": _windows("conv"),
    "MaxPool2D": _windows("max_pool"),
    "AveragePool2D": _windows("average_pool"),
    "GlobalMaxPool2D": _plain("global_max"),
    "GlobalAveragePool2D": _plain("global_average"),
    "BatchNorm": _batch_norm,
    "LayerNorm": _layer_norm,
    "ReLU": _plain("relu", slope=0.0),
    "LeakyReLU": _leaky,
    "Sigmoid": _plain("sigmoid"),
    "Tanh": _plain("tanh"),
    "GELU": _plain("gelu"),
    "Swish": _plain("swish"),
    "Softmax": _plain("softmax"),
    "SimpleRNN": _recurrent("rnn"),
    "LSTM": _recurrent("lstm"),
    "GRU": _recurrent("gru"),
}
