"""The weights of a layer as images: red for positive, blue for negative."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.nn import BatchNorm, Conv2D, Dense, Dropout, Flatten, LayerNorm, Pixels, Scale, Standardize
from glassnet.present.figures.images import images_figure, signed_colours
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEEPS_PLACES = (BatchNorm, Dropout, Flatten, LayerNorm, Pixels, Scale, Standardize)


def layers_with_images(network: Network) -> list[str]:
    """The convolutions, and the first Dense if each of its weights belongs to one pixel."""
    return list(weight_values(network))


def weight_images(network: Network, layer: str) -> list[Array]:
    """An image (H, W, 3) of bytes for each unit or filter, all on one colour scale.

    A dense unit has one weight for each pixel, the sum over colours; a filter over many maps shows their mean.
    """
    found = weight_values(network)
    if layer not in found:
        raise InputError(
            tr("The weights of this layer can't be drawn as images."),
            where="weight_images(layer)",
            expected=" | ".join(found) or tr("a network whose first layer with weights reads pixels, or a Conv2D"),
            received=repr(layer),
        )
    values = found[layer]
    limit = float(np.quantile(np.abs(values), 0.998)) or 1.0  # a few large weights must not make the others pale
    return [signed_colours(values[..., unit], limit) for unit in range(values.shape[-1])]


def weights_figure(network: Network, layer: str | None = None, *, count: int = 30) -> Figure:
    """The first `count` units or filters of a layer (by default the first that can be drawn)."""
    names = layers_with_images(network)
    if layer is None and not names:
        weight_images(network, "")
    chosen = names[0] if layer is None else layer
    images = weight_images(network, chosen)[:count]
    return images_figure(images, [f"{chosen}.{unit}" for unit in range(len(images))], columns=10)


def weight_values(network: Network) -> dict[str, Array]:
    """Weights (H, W, units) of the layers that `weight_images` draws, by their names."""
    found: dict[str, Array] = {}
    shape, from_pixels = network.input_shape, len(network.input_shape) == 3
    for name, layer in zip(network.names, network.layers, strict=True):
        if isinstance(layer, Conv2D):
            weight = layer.parameters["weight"]
            found[name] = weight.sum(axis=2) if from_pixels and weight.shape[2] == 3 else weight.mean(axis=2)
        elif isinstance(layer, Dense) and from_pixels:
            found[name] = layer.parameters["weight"].reshape(*shape, -1).sum(axis=2)
        from_pixels = from_pixels and isinstance(layer, KEEPS_PLACES)
    return found
