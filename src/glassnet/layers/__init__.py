"""The layers, one idea a file; `LAYERS` finds them by name for recipes and model files."""

from __future__ import annotations

from glassnet.layers.activations import GELU, LeakyReLU, ReLU, Sigmoid, Softmax, Swish, Tanh
from glassnet.layers.base import Layer, walk
from glassnet.layers.convolution import Conv2D
from glassnet.layers.dense import Dense
from glassnet.layers.dropout import Dropout
from glassnet.layers.flatten import Flatten
from glassnet.layers.nested import Concatenate, Nested, Residual
from glassnet.layers.normalisation import BatchNorm, LayerNorm
from glassnet.layers.pooling import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from glassnet.layers.recurrence import GRU, LSTM, SimpleRNN
from glassnet.layers.registry import LAYERS, as_layer
from glassnet.layers.scaling import Pixels, Scale, Standardize

LAYERS.update(
    (kind.__name__, kind)
    for kind in (
        Pixels,
        Scale,
        Standardize,
        Flatten,
        Dense,
        Conv2D,
        MaxPool2D,
        AveragePool2D,
        GlobalAveragePool2D,
        GlobalMaxPool2D,
        BatchNorm,
        LayerNorm,
        Residual,
        Concatenate,
        SimpleRNN,
        GRU,
        LSTM,
        Sigmoid,
        Tanh,
        ReLU,
        LeakyReLU,
        GELU,
        Swish,
        Softmax,
        Dropout,
    )
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
    "as_layer",
    "walk",
]
