"""Outputs of the layers, and the training images with the nearest outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from glassnet.data import Dataset
from glassnet.errors import InputError, ShapeError
from glassnet.network import Network
from glassnet.nn import Dropout, Flatten
from glassnet.nn.losses import Quadratic
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.support.registry import unknown


@dataclass(frozen=True)
class Neighbours:
    """`indices` and `distances` (N, count) of the nearest training images, sorted by distance."""

    indices: NDArray[np.int64]
    distances: NDArray[np.float64]
    layer: str


def images_for(network: Network, images: Array, where: str) -> Array:
    """Images (N, …), or a single image, reshaped to (N, *input_shape)."""
    rows = network.rows(images)
    shape = network.input_shape if len(network.input_shape) > 1 else np.shape(images)[-3:]
    if int(np.prod(shape)) != network.features:
        shape = network.input_shape
    if not len(rows):
        raise ShapeError(
            tr("There is no image to explain."), where=where, expected=tr("(N, …), N at least 1"), received=rows.shape
        )
    return rows.reshape(len(rows), *shape)


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


def nearest_training_images(
    network: Network, images: Array, train: Dataset, *, count: int = 5, layer: str | None = None
) -> Neighbours:
    """The `count` images of `train` nearest to each of `images` by the distance ‖h − h′‖ of a layer's outputs h.

    `layer`: by default the input of the last layer with weights (`hidden_layer`). Papernot and McDaniel, arXiv 1803.04765.
    """
    if not 1 <= count <= len(train):
        raise InputError(
            tr("There are fewer training images than that."),
            where="nearest_training_images(count)",
            expected=f"1 … {len(train)}",
            received=count,
        )
    from scipy.spatial.distance import cdist

    layer = hidden_layer(network) if layer is None else layer
    queries = activations(network, images_for(network, images, "nearest_training_images(images)"), layer)
    candidates = activations(network, train.images, layer)
    distances = cdist(queries.reshape(len(queries), -1), candidates.reshape(len(train), -1))
    indices = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return Neighbours(indices, np.take_along_axis(distances, indices, axis=1), layer)


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
