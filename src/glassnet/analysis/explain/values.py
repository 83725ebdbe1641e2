"""What each layer makes of images."""

from __future__ import annotations

from typing import overload

import numpy as np

from glassnet.analysis.explain.scores import images_for
from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.nn import Dropout, Flatten
from glassnet.nn.losses import Quadratic
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.support.registry import unknown


@overload
def activations(network: Network, images: Array, layer: str) -> Array: ...
@overload
def activations(network: Network, images: Array, layer: None = None) -> dict[str, Array]: ...
def activations(network: Network, images: Array, layer: str | None = None) -> Array | dict[str, Array]:
    """The outputs (N, …) of a layer by its name ("conv2d1"), or of all layers by their names, as in prediction.

    Raises `InputError` for a name that the network does not have. The layers inside a Residual or Concatenate have no values
    of their own here: what the whole gives is told.
    """
    images = images_for(network, images, "activations(images)")
    if layer is None:
        return {name: _values(network, images, stop + 1) for stop, name in enumerate(network.names)}
    return _values(network, images, place_of(network, layer, "activations(layer)") + 1)


def place_of(network: Network, layer: str, where: str) -> int:
    """The number of a layer, from 0, by its name."""
    if layer not in network.names:
        raise unknown(tr("layer"), layer, network.names, where)
    return network.names.index(layer)


def hidden_layer(network: Network) -> str:
    """The layer whose values the last one with weights reads: what the network has made of an image before it decides.

    Raises `InputError` where no layer with weights comes before the last one with weights.
    """
    trained = [number for number, layer in enumerate(network.layers) if layer.parameters]
    if len(trained) < 2:
        raise InputError(
            tr("The network has no hidden layer."),
            where="hidden_layer",
            expected=tr("two layers with weights or more"),
            received=f"{len(trained)}",
        )
    place = trained[-1] - 1
    while isinstance(network.layers[place], (Dropout, Flatten)):  # neither changes what is known
        place -= 1
    return network.names[place]


def front(network: Network, stop: int) -> Network:
    """The network's first `stop` layers as a network, over the same parameters."""
    twin = object.__new__(type(network))  # no copy: that would have parameters of its own
    vars(twin).update(vars(network))
    twin.layers, twin.names, twin.shapes = network.layers[:stop], network.names[:stop], network.shapes[: stop + 1]
    twin.slots = [slot for slot in network.slots if slot.layer < stop]
    twin.running_slots = [slot for slot in network.running_slots if slot.layer < stop]
    twin.loss, twin._forward = Quadratic(), None
    return twin


def _values(network: Network, images: Array, stop: int) -> Array:
    if not any(layer.operations(shape) for layer, shape in zip(network.layers[:stop], network.shapes, strict=False)):
        found = network.forward(network.rows(images), stop=stop)[0]  # nothing to compute that would need kernels
    else:
        found = front(network, stop)(images)
    return np.asarray(found.reshape(len(images), *network.shapes[stop]))
