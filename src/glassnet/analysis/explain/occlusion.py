"""Occlusion: how much less sure the network is of a class once a part of the image is covered."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

from glassnet.analysis.explain.scores import chosen_classes, images_for
from glassnet.errors import InputError, ShapeError
from glassnet.network import Network
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

PLACES = 14  # of the window down and across, by default: finer maps cost more and show no more


def occlusion(
    network: Network,
    images: Array,
    classes: Sequence[int] | Array | int | None = None,
    *,
    window: int | None = None,
    stride: int | None = None,
    fill: float | None = None,
) -> NDArray[np.float64]:
    """p(class) of the whole image less that with a square covered, averaged over the squares on each pixel: (N, H, W).

    Where it is large, the network needs what was covered; where it is below 0, it would be surer without. `window`: the side
    of the square, a quarter of the image by default; `stride`: from one square to the next. `fill`: what covers, by default
    the median of the image's border, its paper. For outputs that are no probabilities, the output itself takes their place.
    Zeiler and Fergus, arXiv 1311.2901.
    """
    images = images_for(network, images, "occlusion(images)")
    if images.ndim != 4:
        raise ShapeError(
            tr("Only images have parts to cover."), where="occlusion(images)", expected="(N, H, W, C)", received=images.shape
        )
    height, width = images.shape[1:3]
    side = max(1, min(height, width) // 4) if window is None else window
    step = max(1, ceil((min(height, width) - side) / (PLACES - 1))) if stride is None else stride
    for name, value, most in (("window", side, min(height, width)), ("stride", step, side)):
        if not 1 <= value <= most:
            raise InputError(
                tr("The {name} does not fit.", name=name),
                where=f"occlusion({name})",
                expected=tr("1 … {most}, the window's side: else pixels are left out", most=most)
                if name == "stride"
                else f"1 … {most}",
                received=value,
            )
    chosen = chosen_classes(network, images, classes, "occlusion")
    tops, lefts = _starts(height, side, step), _starts(width, side, step)
    whole = _sureness(network, images, chosen)
    found = np.zeros((len(images), height, width))
    counts = np.zeros((height, width))
    for number, image in enumerate(images):
        covered = np.repeat(image[None], len(tops) * len(lefts), axis=0)
        paint = _border(image) if fill is None else np.asarray(fill, dtype=image.dtype)
        places = [(slice(top, top + side), slice(left, left + side)) for top in tops for left in lefts]
        for copy, (down, across) in zip(covered, places, strict=True):
            copy[down, across] = paint
        drops = whole[number] - _sureness(network, covered, np.full(len(covered), chosen[number]))
        for drop, (down, across) in zip(drops, places, strict=True):
            found[number, down, across] += drop
            if number == 0:
                counts[down, across] += 1
    return found / counts


def _starts(size: int, side: int, step: int) -> list[int]:
    """Where squares begin, the last at the very end."""
    return sorted({*range(0, size - side + 1, step), size - side})


def _border(image: Array) -> Array:
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    return np.asarray(np.median(edge, axis=0), dtype=image.dtype)


def _sureness(network: Network, images: Array, classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """The probability of each image's class, or the output where there are no probabilities."""
    try:
        return np.asarray(network.predict_proba(images)[np.arange(len(images)), classes], dtype=np.float64)
    except InputError:
        outputs = network(images).astype(np.float64)
        signs = np.where(classes == 1, 1.0, -1.0)
        return outputs[:, 0] * signs if network.outputs == 1 else outputs[np.arange(len(images)), classes]
