"""Explanations, drawn: one function for each of glassnet.analysis.explain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glassnet.analysis.explain import activations, nearest_training_images, occlusion, saliency, typical_input
from glassnet.data import Dataset
from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.present.figures.base import INK, VALIDATION, new_figure, plain
from glassnet.present.figures.images import drawable, heat, images_figure, signed_colours
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_MAPS = 32


def saliency_figure(network: Network, images: Array, classes: Sequence[int] | int | None = None) -> Figure:
    """Above the images (N, H, W, C), below where the score of their class answers to the pixels."""
    return _two_rows(network, images, saliency(network, images, classes))


def occlusion_figure(network: Network, images: Array, classes: Sequence[int] | int | None = None) -> Figure:
    """Above the images (N, H, W, C), below where covering them makes the network less sure of their class."""
    return _two_rows(network, images, occlusion(network, images, classes))


def nearest_figure(network: Network, images: Array, train: Dataset, *, count: int = 5, layer: str | None = None) -> Figure:
    """A row for each image (N, H, W, C): itself, then the `count` training images that the network finds most like it."""
    near = nearest_training_images(network, images, train, count=count, layer=layer)
    shown: list[Array] = []
    titles: list[str] = []
    said = network.predict(images)
    for image, indices, distances, found in zip(images, near.indices, near.distances, said, strict=True):
        shown += [image, *train.images[indices]]
        names = [network.classes[label] for label in train.labels[indices]] if train.is_classification else [""] * count
        titles += [
            tr("called {name}", name=network.classes[found]),
            *(f"{name}\n{far:.3g}" for name, far in zip(names, distances, strict=True)),
        ]
    return images_figure(shown, titles, columns=count + 1)


def typical_input_figure(network: Network, units: Sequence[str]) -> Figure:
    """For each of the units ("dense1.3") the image that excites it most."""
    found = [typical_input(network, unit) for unit in units]
    if not drawable(network.input_shape):
        raise InputError(
            tr("Only images can be drawn."),
            where="typical_input_figure",
            expected=tr("(H, W, 1 or 3)"),
            received=network.input_shape,
        )
    images = [(each.image - each.bounds[0]) / (each.bounds[1] - each.bounds[0]) for each in found]
    return images_figure(images, [f"{each.unit}\n{each.value:.3g}" for each in found])


def activations_figure(network: Network, image: Array, layer: str) -> Figure:
    """What a layer gives for one image: the maps of a convolution, or a bar for each unit."""
    values = activations(network, image, layer)[0]
    if values.ndim == 3:
        maps = feature_maps(values)
        return images_figure(maps, [f"{layer}.{number}" for number in range(len(maps))], columns=8)
    figure = new_figure(7, 2.4)
    axes = figure.subplots()
    axes.bar(np.arange(values.size), values.ravel(), color=VALIDATION, width=0.9)
    axes.axhline(0, color=INK, linewidth=0.6)
    plain(axes, title=layer, x=tr("unit"))
    return figure


def feature_maps(values: Array) -> list[Array]:
    """Maps (H, W, filters) as colours (H, W, 3) of one scale: heat where none is negative, else red and blue."""
    maps = values[..., :MOST_MAPS]
    if maps.min() < 0:
        limit = float(np.abs(maps).max()) or 1.0
        return [signed_colours(maps[..., number], limit) for number in range(maps.shape[-1])]
    most = float(maps.max()) or 1.0
    whole = heat(np.concatenate([maps.reshape(-1, maps.shape[-1]) / most, np.ones((1, maps.shape[-1]))]))[:-1]
    return [whole[:, number].reshape(*maps.shape[:2], 3) for number in range(maps.shape[-1])]


def _two_rows(network: Network, images: Array, maps: Array) -> Figure:
    images = np.asarray(images)
    if images.ndim != 4 or not drawable(images.shape[1:]):
        raise InputError(
            tr("Only images can be drawn."), where="images", expected=tr("(N, H, W, 1 or 3)"), received=images.shape
        )
    titles = [tr("called {name}", name=network.classes[found]) for found in network.predict(images)]
    below = [heat(values, image) for values, image in zip(maps, images, strict=True)]
    return images_figure([*images, *below], titles, columns=len(images))
