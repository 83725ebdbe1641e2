"""Outputs of the layers."""

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
    """The outputs (N, …) of a layer by its name ("conv2d1"), or a dict of the outputs of all layers, as in prediction.

    Raises `InputError` for an unknown name. Layers inside a Residual or Concatenate are not included, only its output.
    """
    images = images_for(network, images, "activations(images)")
    if layer is None:
        return {name: _values(network, images, stop + 1) for stop, name in enumerate(network.names)}
    return _values(network, images, layer_index(network, layer, "activations(layer)") + 1)


def layer_index(network: Network, layer: str, where: str) -> int:
    """The index of a layer, from 0, by its name."""
    if layer not in network.names:
        raise unknown(tr("layer"), layer, network.names, where)
    return network.names.index(layer)


def hidden_layer(network: Network) -> str:
    """The layer before the last one with weights, without dropout and flatten: the features that are classified.

    Raises `InputError` if the network has only one layer with weights.
    """
    trained = [index for index, layer in enumerate(network.layers) if layer.parameters]
    if len(trained) < 2:
        raise InputError(
            tr("The network has no hidden layer."),
            where="hidden_layer",
            expected=tr("two layers with weights or more"),
            received=f"{len(trained)}",
        )
    index = trained[-1] - 1
    while isinstance(network.layers[index], (Dropout, Flatten)):
        index -= 1
    return network.names[index]


def truncated(network: Network, stop: int) -> Network:
    """The network's first `stop` layers as a network that shares its parameters."""
    first = object.__new__(type(network))  # a copy would have its own parameters
    vars(first).update(vars(network))
    first.layers, first.names, first.shapes = network.layers[:stop], network.names[:stop], network.shapes[: stop + 1]
    first.slots = [slot for slot in network.slots if slot.layer < stop]
    first.running_slots = [slot for slot in network.running_slots if slot.layer < stop]
    first.loss, first._predictor = Quadratic(), None
    return first


def _values(network: Network, images: Array, stop: int) -> Array:
    if not any(layer.operations(shape) for layer, shape in zip(network.layers[:stop], network.shapes, strict=False)):
        outputs = network.forward(network.rows(images), stop=stop)[0]  # only reshapes and scaling: no kernels needed
    else:
        outputs = truncated(network, stop)(images)
    return np.asarray(outputs.reshape(len(images), *network.shapes[stop]))
