"""The score of one class as a function of the pixels: what saliency and occlusion explain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError, ShapeError
from glassnet.network import Network
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

BLOCK = 64  # images per forward and backward pass in NumPy


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


def as_floats(network: Network, images: Array) -> Array:
    """Images as floats, scaled as the network's `Pixels` layer scales them."""
    floats = images.astype(network.dtype)
    return floats / floats.dtype.type(255) if network.takes_pixels and images.dtype.kind in "ui" else floats


def score_layers(network: Network) -> int:
    """The number of layers up to the scores: all but a final sigmoid or softmax, whose gradients vanish when saturated."""
    return len(network.layers) - int(type(network.layers[-1]).__name__ in ("Sigmoid", "Softmax"))


def select_classes(
    network: Network, images: Array, classes: Sequence[int] | Array | int | None, where: str
) -> NDArray[np.int64]:
    """The class to explain for each image: as given, one for all, or the predicted one."""
    if classes is None:
        return network.predict(images)
    selected = np.broadcast_to(np.asarray(classes), (len(images),))
    if selected.dtype.kind not in "ui" or (
        len(selected) and not 0 <= selected.min() <= selected.max() < len(network.classes)
    ):
        raise InputError(
            tr("There is no such class."),
            where=f"{where}(classes)",
            expected=f"0 … {len(network.classes) - 1}: {', '.join(network.classes[:12])}",
            received=classes,
        )
    return np.asarray(selected, dtype=np.int64)


def score_gradient(outputs: int, classes: NDArray[np.int64]) -> Array:
    """∂score/∂outputs (N, outputs): 1 at the class; for a single output, +1 for class 1 and −1 for class 0."""
    if outputs == 1:
        return np.where(classes == 1, 1.0, -1.0)[:, None]
    return np.eye(outputs)[classes]
