"""Figures of explanations: one function for each of glassnet.analysis.explain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glassnet.analysis.explain import activations, nearest_training_images, occlusion, saliency, typical_input
from glassnet.data import Dataset
from glassnet.network import Network
from glassnet.present.figures.base import INK, VALIDATION, new_axes, plain
from glassnet.present.figures.images import check_drawable, heat, images_figure, signed_colours
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_MAPS = 32


def saliency_figure(network: Network, images: Array, classes: Sequence[int] | int | None = None) -> Figure:
    """The images (N, H, W, C), and below each how much the score of its class changes with each pixel."""
    return _two_rows(network, images, saliency(network, images, classes))


def occlusion_figure(network: Network, images: Array, classes: Sequence[int] | int | None = None) -> Figure:
    """The images (N, H, W, C), and below each how much covering a pixel lowers the probability of its class."""
    return _two_rows(network, images, occlusion(network, images, classes))


def nearest_figure(network: Network, images: Array, train: Dataset, *, count: int = 5, layer: str | None = None) -> Figure:
    """A row for each image (N, H, W, C): itself, then the `count` nearest training images by the activations of a layer."""
    near = nearest_training_images(network, images, train, count=count, layer=layer)
    shown: list[Array] = []
    titles: list[str] = []
    said = network.predict(images)
    for image, indices, distances, found in zip(images, near.indices, near.distances, said, strict=True):
        shown += [image, *train.images[indices]]
        names = [network.classes[label] for label in train.labels[indices]] if train.is_classification else [""] * count
        titles += [
            tr("predicted {name}", name=network.classes[found]),
            *(f"{name}\n{far:.3g}" for name, far in zip(names, distances, strict=True)),
        ]
    return images_figure(shown, titles, columns=count + 1)


def typical_input_figure(network: Network, units: Sequence[str]) -> Figure:
    """For each of the units ("dense1.3") the image that maximises its output."""
    check_drawable(network.input_shape, "typical_input_figure(network)")
    found = [typical_input(network, unit) for unit in units]
    images = [(each.image - each.bounds[0]) / (each.bounds[1] - each.bounds[0]) for each in found]
    return images_figure(images, [f"{each.unit}\n{each.value:.3g}" for each in found])


def activations_figure(network: Network, image: Array, layer: str) -> Figure:
    """The outputs of a layer for one image: the maps of a convolution, or a bar for each unit."""
    values = activations(network, image, layer)[0]
    if values.ndim == 3:
        maps = feature_maps(values)
        return images_figure(maps, [f"{layer}.{number}" for number in range(len(maps))], columns=8)
    figure, axes = new_axes(7, 2.4)
    axes.bar(np.arange(values.size), values.ravel(), color=VALIDATION, width=0.9)
    axes.axhline(0, color=INK, linewidth=0.6)
    plain(axes, title=layer, x=tr("unit"))
    return figure


def feature_maps(values: Array) -> list[Array]:
    """Maps (H, W, filters) as colours (H, W, 3), each on its own scale: heat if none is negative, else red and blue.

    A map below a hundredth of the strongest stays dark.
    """
    maps = values[..., :MOST_MAPS]
    if maps.min() < 0:
        return [signed_colours(maps[..., number]) for number in range(maps.shape[-1])]
    least = 0.01 * float(maps.max())
    return [heat(np.where(maps[..., number].max() < least, 0, maps[..., number])) for number in range(maps.shape[-1])]


def _two_rows(network: Network, images: Array, maps: Array) -> Figure:
    images = np.asarray(images)
    check_drawable(images.shape[1:], "images")
    titles = [tr("predicted {name}", name=network.classes[found]) for found in network.predict(images)]
    below = [heat(values, image) for values, image in zip(maps, images, strict=True)]
    return images_figure([*images, *below], titles, columns=len(images))
