"""Layers by name: `LAYERS`, which the package fills, and `as_layer` for recipes and model files."""

from __future__ import annotations

import inspect
from typing import Any

from glassnet.errors import InputError
from glassnet.nn.layer import Layer
from glassnet.support.i18n import tr
from glassnet.support.registry import unknown

LAYERS: dict[str, type[Layer]] = {}


def as_layer(value: Layer | str | dict[str, Any], where: str) -> Layer:
    """A layer from itself, its name, or {"type": name, option: value}."""
    if isinstance(value, Layer):
        return value
    options = {key: option for key, option in value.items() if key != "type"} if isinstance(value, dict) else {}
    name = value.get("type") if isinstance(value, dict) else value
    kind = LAYERS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise unknown(tr("layer"), name, LAYERS, where)
    known = [name for name in inspect.signature(kind.__init__).parameters if name != "self"]
    for option in options:
        if option not in known:
            raise unknown(tr("option of {name}", name=name), option, known, where)
    try:
        return kind(**options)
    except TypeError as error:
        raise InputError(tr("{name} can't be made so.", name=name), where=where, received=options, hint=str(error)) from None
