"""Nearest training images in the feature space of a layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassnet.analysis.explain.scores import images_for
from glassnet.analysis.explain.values import activations, hidden_layer
from glassnet.data import Dataset
from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr


@dataclass(frozen=True)
class Neighbours:
    """`indices` and `distances` (N, count) of the nearest training images, sorted by distance."""

    indices: NDArray[np.int64]
    distances: NDArray[np.float64]
    layer: str


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
