"""Layers by name: `LAYERS`, which the package fills, and `as_layer` for recipes and model files."""

from __future__ import annotations

from typing import Any

from glassnet.nn.layer import Layer
from glassnet.support.i18n import tr
from glassnet.support.registry import make_named

LAYERS: dict[str, type[Layer]] = {}


def as_layer(value: Layer | str | dict[str, Any], where: str) -> Layer:
    """A layer from itself, its name, or {"type": name, option: value}."""
    return value if isinstance(value, Layer) else make_named(value, LAYERS, tr("layer"), where)
