"""The layers, one idea a file; `LAYERS` finds them by name for recipes and model files."""

from __future__ import annotations

from glassnet.nn import architectures as architectures
from glassnet.nn.activations import (
    GELU as GELU,
    LeakyReLU as LeakyReLU,
    ReLU as ReLU,
    Sigmoid as Sigmoid,
    Softmax as Softmax,
    Swish as Swish,
    Tanh as Tanh,
)
from glassnet.nn.branches import Concatenate as Concatenate, Nested as Nested, Residual as Residual
from glassnet.nn.conv import Conv2D as Conv2D
from glassnet.nn.dense import Dense as Dense
from glassnet.nn.dropout import Dropout as Dropout
from glassnet.nn.inputs import Flatten as Flatten, Pixels as Pixels, Scale as Scale, Standardize as Standardize
from glassnet.nn.layer import LAYERS as LAYERS, Layer as Layer, as_layer as as_layer, walk as walk
from glassnet.nn.norm import BatchNorm as BatchNorm, LayerNorm as LayerNorm
from glassnet.nn.pooling import (
    AveragePool2D as AveragePool2D,
    GlobalAveragePool2D as GlobalAveragePool2D,
    GlobalMaxPool2D as GlobalMaxPool2D,
    MaxPool2D as MaxPool2D,
)
from glassnet.nn.recurrent import GRU as GRU, LSTM as LSTM, SimpleRNN as SimpleRNN

LAYERS.update(
    (name, kind)
    for name, kind in list(globals().items())
    if isinstance(kind, type) and issubclass(kind, Layer) and kind not in (Layer, Nested)
)
