"""The training images that a network finds most like a given one."""

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
    """`indices` (N, count) of the training images nearest to each image, the nearest first, and their `distances`."""

    indices: NDArray[np.int64]
    distances: NDArray[np.float64]
    layer: str


def nearest_training_images(
    network: Network, images: Array, train: Dataset, *, count: int = 5, layer: str | None = None
) -> Neighbours:
    """The `count` images of `train` nearest to each of `images` by ‖h − h′‖ of the values h of a layer.

    `layer`: by default what the last layer with weights reads (`hidden_layer`), in which the network tells classes apart.
    Papernot and McDaniel, arXiv 1803.04765.
    """
    if not 1 <= count <= len(train):
        raise InputError(
            tr("There are not so many training images."),
            where="nearest_training_images(count)",
            expected=f"1 … {len(train)}",
            received=count,
        )
    chosen = hidden_layer(network) if layer is None else layer
    asked = activations(network, images_for(network, images, "nearest_training_images(images)"), chosen)
    known = activations(network, train.images, chosen)
    a, b = (values.reshape(len(values), -1).astype(np.float64) for values in (asked, known))
    squares = np.square(a).sum(axis=1)[:, None] - 2 * a @ b.T + np.square(b).sum(axis=1)[None]
    near = np.argpartition(squares, count - 1, axis=1)[:, :count]
    distances = np.linalg.norm(a[:, None] - b[near], axis=2)  # anew: the difference of large squares is a poor small number
    order = np.argsort(distances, axis=1, kind="stable")
    return Neighbours(np.take_along_axis(near, order, axis=1), np.take_along_axis(distances, order, axis=1), chosen)
