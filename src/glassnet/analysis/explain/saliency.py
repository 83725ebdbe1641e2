"""Saliency: how much the score of a class answers to a small change of each pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassnet.analysis.explain.scores import BLOCK, as_floats, chosen_classes, images_for, score_gradient, score_layers
from glassnet.network import Network
from glassnet.support.arrays import Array


def saliency(
    network: Network, images: Array, classes: Sequence[int] | Array | int | None = None, *, signed: bool = False
) -> Array:
    """|∂s/∂x| of the score s of a class by each pixel, largest over the colours: (N, H, W) for images (N, H, W, C).

    `classes`: one for each image, or one for all; by default what the network says. The score is what goes into the last
    sigmoid or softmax. `signed`: the gradient itself, in the shape of the images. Simonyan et al., arXiv 1312.6034.
    """
    images = images_for(network, images, "saliency(images)")
    chosen = chosen_classes(network, images, classes, "saliency")
    floats, stop = as_floats(network, images), score_layers(network)
    found = np.empty(images.shape, dtype=network.dtype)
    for start in range(0, len(floats), BLOCK):
        block = slice(start, start + BLOCK)
        scores, back = network.forward(network.rows(floats[block]), stop=stop)
        by_scores = score_gradient(network.outputs, chosen[block]).astype(network.dtype)
        found[block] = back(by_scores.reshape(scores.shape))[0].reshape(found[block].shape)
    if signed:
        return found
    return np.abs(found).max(axis=-1) if found.ndim == 4 else np.abs(found)
