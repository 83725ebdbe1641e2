"""Saliency: the gradient of a class score with respect to the pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassnet.analysis.explain.scores import BLOCK, as_floats, images_for, score_gradient, score_layers, select_classes
from glassnet.network import Network
from glassnet.support.arrays import Array


def saliency(
    network: Network, images: Array, classes: Sequence[int] | Array | int | None = None, *, signed: bool = False
) -> Array:
    """|∂s/∂x| of the score s of a class, maximum over the channels: (N, H, W) for images (N, H, W, C).

    `classes`: one per image, or one for all; by default the predicted class. The score is the logit, the input of the last
    sigmoid or softmax. `signed`: the gradient itself, in the shape of the images. Simonyan et al., arXiv 1312.6034.
    """
    images = images_for(network, images, "saliency(images)")
    selected = select_classes(network, images, classes, "saliency")
    floats, stop = as_floats(network, images), score_layers(network)
    gradient = np.empty(images.shape, dtype=network.dtype)
    for start in range(0, len(floats), BLOCK):
        block = slice(start, start + BLOCK)
        scores, backward = network.forward(network.rows(floats[block]), stop=stop)
        dscores = score_gradient(network.outputs, selected[block]).astype(network.dtype)
        gradient[block] = backward(dscores.reshape(scores.shape))[0].reshape(gradient[block].shape)
    if signed:
        return gradient
    return np.abs(gradient).max(axis=-1) if gradient.ndim == 4 else np.abs(gradient)
