"""The layers, one idea a file; `LAYERS` finds them by name for recipes and model files."""

from __future__ import annotations

from glassnet.nn import architectures
from glassnet.nn.activations import GELU, LeakyReLU, ReLU, Sigmoid, Softmax, Swish, Tanh
from glassnet.nn.branches import Concatenate, Nested, Residual
from glassnet.nn.conv import Conv2D
from glassnet.nn.dense import Dense
from glassnet.nn.dropout import Dropout
from glassnet.nn.inputs import Flatten, Pixels, Scale, Standardize
from glassnet.nn.layer import LAYERS, Layer, as_layer, walk
from glassnet.nn.norm import BatchNorm, LayerNorm
from glassnet.nn.pooling import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from glassnet.nn.recurrent import GRU, LSTM, SimpleRNN

LAYERS.update(
    (name, kind)
    for name, kind in list(globals().items())
    if isinstance(kind, type) and issubclass(kind, Layer) and kind not in (Layer, Nested)
)

__all__ = [
    "GELU",
    "GRU",
    "LAYERS",
    "LSTM",
    "AveragePool2D",
    "BatchNorm",
    "Concatenate",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePool2D",
    "GlobalMaxPool2D",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "MaxPool2D",
    "Nested",
    "Pixels",
    "ReLU",
    "Residual",
    "Scale",
    "Sigmoid",
    "SimpleRNN",
    "Softmax",
    "Standardize",
    "Swish",
    "Tanh",
    "architectures",
    "as_layer",
    "walk",
]
