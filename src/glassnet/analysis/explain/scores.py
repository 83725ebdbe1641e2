"""What explanations explain: the score of one class, as a function of the pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError, ShapeError
from glassnet.network import Network
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

BLOCK = 64  # images that go through NumPy's forward and backward at once


def images_for(network: Network, images: Array, where: str) -> Array:
    """Images (N, …) in the network's own shape, out of (N, …) or a single one."""
    rows = network.rows(images)
    shape = network.input_shape if len(network.input_shape) > 1 else np.shape(images)[-3:]
    if int(np.prod(shape)) != network.features:
        shape = network.input_shape
    if not len(rows):
        raise ShapeError(
            tr("There is no image to explain."), where=where, expected=tr("(N, …), N at least 1"), received=rows.shape
        )
    return rows.reshape(len(rows), *shape)


def as_floats(network: Network, images: Array) -> Array:
    """Images as the floats for the first layer with weights: bytes as shares of 255, where `Pixels` has them so."""
    floats = images.astype(network.dtype)
    return floats / floats.dtype.type(255) if network.takes_pixels and images.dtype.kind in "ui" else floats


def score_layers(network: Network) -> int:
    """How many layers lead to the scores: those before a closing sigmoid or softmax, as these are flat in places."""
    return len(network.layers) - int(type(network.layers[-1]).__name__ in ("Sigmoid", "Softmax"))


def chosen_classes(
    network: Network, images: Array, classes: Sequence[int] | Array | int | None, where: str
) -> NDArray[np.int64]:
    """The class to explain for each image: as given, one for all, or what the network says."""
    if classes is None:
        return network.predict(images)
    chosen = np.broadcast_to(np.asarray(classes), (len(images),))
    if chosen.dtype.kind not in "ui" or (len(chosen) and not 0 <= chosen.min() <= chosen.max() < len(network.classes)):
        raise InputError(
            tr("There is no such class."),
            where=f"{where}(classes)",
            expected=f"0 … {len(network.classes) - 1}: {', '.join(network.classes[:12])}",
            received=classes,
        )
    return np.asarray(chosen, dtype=np.int64)


def score_gradient(outputs: int, classes: NDArray[np.int64]) -> Array:
    """∂score/∂outputs (N, outputs): 1 at the class; for a single output, +1 for class 1 and −1 for class 0."""
    if outputs == 1:
        return np.where(classes == 1, 1.0, -1.0)[:, None]
    return np.eye(outputs)[classes]
