"""The layers, one idea a file; `LAYERS` finds them by name for recipes and model files."""

from __future__ import annotations

import inspect
from typing import Any

from glassnet.errors import InputError
from glassnet.layers.activations import GELU, LeakyReLU, ReLU, Sigmoid, Softmax, Tanh
from glassnet.layers.base import Layer
from glassnet.layers.dense import Dense
from glassnet.layers.dropout import Dropout
from glassnet.layers.flatten import Flatten
from glassnet.layers.scaling import Pixels, Scale, Standardize
from glassnet.named import unknown

LAYERS: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (
        Pixels,
        Scale,
        Standardize,
        Flatten,
        Dense,
        Sigmoid,
        Tanh,
        ReLU,
        LeakyReLU,
        GELU,
        Softmax,
        Dropout,
    )
}


def as_layer(value: Layer | str | dict[str, Any], where: str) -> Layer:
    """A layer from itself, its name, or {"type": name, option: value}."""
    if isinstance(value, Layer):
        return value
    options = {key: option for key, option in value.items() if key != "type"} if isinstance(value, dict) else {}
    name = value.get("type") if isinstance(value, dict) else value
    kind = LAYERS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise unknown("layer", name, LAYERS, where)
    known = [name for name in inspect.signature(kind.__init__).parameters if name != "self"]
    for option in options:
        if option not in known:
            raise unknown(f"option of {name}", option, known, where)
    try:
        return kind(**options)
    except TypeError as error:
        raise InputError(f"{name} can't be made so.", where=where, received=options, hint=str(error)) from None


__all__ = [
    "GELU",
    "LAYERS",
    "Dense",
    "Dropout",
    "Flatten",
    "Layer",
    "LeakyReLU",
    "Pixels",
    "ReLU",
    "Scale",
    "Sigmoid",
    "Softmax",
    "Standardize",
    "Tanh",
    "as_layer",
]
