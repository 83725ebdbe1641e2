"""Which pixels matter for the score of a class: its gradient, and the effect of covering them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

from glassnet.analysis.explain.values import images_for
from glassnet.errors import InputError, ShapeError
from glassnet.network import Network
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

BLOCK = 64  # images per forward and backward pass in NumPy
POSITIONS = 14  # of the window along the shorter side, by default


def saliency(
    network: Network, images: Array, classes: Sequence[int] | Array | int | None = None, *, signed: bool = False
) -> Array:
    """|∂s/∂x| of the score s of a class, maximum over the channels: (N, H, W) for images (N, H, W, C).

    `classes`: one per image, or one for all; by default the predicted class. The score is the logit, the input of the last
    sigmoid or softmax. `signed`: the gradient itself, in the shape of the images. Simonyan et al., arXiv 1312.6034.
    """
    images = images_for(network, images, "saliency(images)")
    selected = _classes(network, images, classes, "saliency")
    floats = images.astype(network.dtype)
    if network.takes_pixels and images.dtype.kind in "ui":  # integers are scaled by the layer `Pixels`, floats are not
        floats = floats / floats.dtype.type(255)
    stop = len(network.layers) - int(type(network.layers[-1]).__name__ in ("Sigmoid", "Softmax"))
    if network.outputs == 1:
        dscores = np.where(selected == 1, 1.0, -1.0)[:, None].astype(network.dtype)
    else:
        dscores = np.eye(network.outputs, dtype=network.dtype)[selected]
    gradient = np.empty(images.shape, dtype=network.dtype)
    for start in range(0, len(floats), BLOCK):
        block = slice(start, start + BLOCK)
        scores, backward = network.forward(network.rows(floats[block]), stop=stop)
        gradient[block] = backward(dscores[block].reshape(scores.shape))[0].reshape(gradient[block].shape)
    if signed:
        return gradient
    return np.abs(gradient).max(axis=-1) if gradient.ndim == 4 else np.abs(gradient)


def occlusion(
    network: Network,
    images: Array,
    classes: Sequence[int] | Array | int | None = None,
    *,
    window: int | None = None,
    stride: int | None = None,
    fill: float | None = None,
) -> NDArray[np.float64]:
    """p(class | image) − p(class | image with a square covered), averaged over the squares that cover a pixel: (N, H, W).

    `classes`: one per image, or one for all; by default the predicted class. `window`: side of the square, by default a
    quarter of the image; `stride`: step between squares. `fill`: value of the covered pixels, by default the median of the
    image's border. For networks without probabilities, their output is used instead. Zeiler and Fergus, arXiv 1311.2901.
    """
    images = images_for(network, images, "occlusion(images)")
    if images.ndim != 4:
        raise ShapeError(
            tr("Only images can be covered in parts."),
            where="occlusion(images)",
            expected="(N, H, W, C)",
            received=images.shape,
        )
    height, width = images.shape[1:3]
    side = max(1, min(height, width) // 4) if window is None else window
    step = max(1, ceil((min(height, width) - side) / (POSITIONS - 1))) if stride is None else stride
    for name, value, maximum in (("window", side, min(height, width)), ("stride", step, side)):
        if not 1 <= value <= maximum:
            raise InputError(
                tr("The {name} does not fit.", name=name),
                where=f"occlusion({name})",
                expected=tr("1 … {most}, the side of the window", most=maximum) if name == "stride" else f"1 … {maximum}",
                received=value,
            )
    selected = _classes(network, images, classes, "occlusion")
    tops, lefts = _starts(height, side, step), _starts(width, side, step)
    windows = [(slice(top, top + side), slice(left, left + side)) for top in tops for left in lefts]
    counts = np.zeros((height, width))
    for window_slice in windows:
        counts[window_slice] += 1
    probabilities = _class_probabilities(network, images, selected)
    drops = np.zeros((len(images), height, width))
    for index, image in enumerate(images):
        covered = np.repeat(image[None], len(windows), axis=0)
        value = _border_median(image) if fill is None else np.asarray(fill, dtype=image.dtype)
        for copy, window_slice in zip(covered, windows, strict=True):
            copy[window_slice] = value
        remaining = _class_probabilities(network, covered, np.full(len(covered), selected[index]))
        for drop, window_slice in zip(probabilities[index] - remaining, windows, strict=True):
            drops[index][window_slice] += drop
    return drops / counts


def _starts(size: int, side: int, step: int) -> list[int]:
    """First rows or columns of the squares; the last square ends at the border."""
    return sorted({*range(0, size - side + 1, step), size - side})


def _border_median(image: Array) -> Array:
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    return np.asarray(np.median(edge, axis=0), dtype=image.dtype)


def _class_probabilities(network: Network, images: Array, classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """The probability of each image's class, or the output if the network gives no probabilities."""
    try:
        return np.asarray(network.predict_proba(images)[np.arange(len(images)), classes], dtype=np.float64)
    except InputError:
        outputs = network(images).astype(np.float64)
        signs = np.where(classes == 1, 1.0, -1.0)
        return outputs[:, 0] * signs if network.outputs == 1 else outputs[np.arange(len(images)), classes]


def _classes(network: Network, images: Array, classes: Sequence[int] | Array | int | None, where: str) -> NDArray[np.int64]:
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
