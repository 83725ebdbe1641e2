"""Explanations, drawn: one function for each of glassnet.analysis.explain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glassnet.analysis.explain import activations, nearest_training_pictures, occlusion, saliency, typical_input
from glassnet.data import Dataset
from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.present.figures.base import INK, VALIDATION, new_figure, plain
from glassnet.present.figures.images import drawable, heat, pictures_figure, signed_colours
from glassnet.support.arrays import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_MAPS = 32


def saliency_figure(network: Network, images: Array, classes: Sequence[int] | int | None = None) -> Figure:
    """Above the pictures (N, H, W, C), below where the score of their class answers to the pixels."""
    return _two_rows(network, images, saliency(network, images, classes))


def occlusion_figure(network: Network, images: Array, classes: Sequence[int] | int | None = None) -> Figure:
    """Above the pictures (N, H, W, C), below where covering them makes the network less sure of their class."""
    return _two_rows(network, images, occlusion(network, images, classes))


def nearest_figure(network: Network, images: Array, train: Dataset, *, count: int = 5, layer: str | None = None) -> Figure:
    """A row for each picture (N, H, W, C): itself, then the `count` training pictures that the network finds most like it."""
    near = nearest_training_pictures(network, images, train, count=count, layer=layer)
    pictures: list[Array] = []
    titles: list[str] = []
    said = network.predict(images)
    for picture, indices, distances, found in zip(images, near.indices, near.distances, said, strict=True):
        pictures += [picture, *train.images[indices]]
        names = [network.classes[label] for label in train.labels[indices]] if train.is_classification else [""] * count
        titles += [
            f"called {network.classes[found]}",
            *(f"{name}\n{far:.3g}" for name, far in zip(names, distances, strict=True)),
        ]
    return pictures_figure(pictures, titles, columns=count + 1)


def typical_input_figure(network: Network, units: Sequence[str]) -> Figure:
    """For each of the units ("dense1.3") the picture that excites it most."""
    found = [typical_input(network, unit) for unit in units]
    if not drawable(network.input_shape):
        raise InputError(
            "Only pictures can be drawn.",
            where="typical_input_figure",
            expected="(H, W, 1 or 3)",
            received=network.input_shape,
        )
    pictures = [(each.picture - each.bounds[0]) / (each.bounds[1] - each.bounds[0]) for each in found]
    return pictures_figure(pictures, [f"{each.unit}\n{each.value:.3g}" for each in found])


def activations_figure(network: Network, image: Array, layer: str) -> Figure:
    """What a layer gives for one picture: the maps of a convolution, or a bar for each unit."""
    values = activations(network, image, layer)[0]
    if values.ndim == 3:
        maps = feature_maps(values)
        return pictures_figure(maps, [f"{layer}.{number}" for number in range(len(maps))], columns=8)
    figure = new_figure(7, 2.4)
    axes = figure.subplots()
    axes.bar(np.arange(values.size), values.ravel(), color=VALIDATION, width=0.9)
    axes.axhline(0, color=INK, linewidth=0.6)
    plain(axes, title=layer, x="unit")
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
    pictures = np.asarray(images)
    if pictures.ndim != 4 or not drawable(pictures.shape[1:]):
        raise InputError("Only pictures can be drawn.", where="images", expected="(N, H, W, 1 or 3)", received=pictures.shape)
    titles = [f"called {network.classes[found]}" for found in network.predict(pictures)]
    below = [heat(values, picture) for values, picture in zip(maps, pictures, strict=True)]
    return pictures_figure([*pictures, *below], titles, columns=len(pictures))
