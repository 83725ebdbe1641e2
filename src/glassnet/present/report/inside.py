"""The inside of the network as images: weights, feature maps, and the typical input of each class."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from glassnet.analysis.explain import activations, typical_input
from glassnet.network import Network
from glassnet.nn import BatchNorm, Conv2D, Dropout, LayerNorm, Nested
from glassnet.nn.confusion import DRAWN
from glassnet.present.figures.base import evenly
from glassnet.present.figures.explanations import feature_maps
from glassnet.present.figures.images import drawable
from glassnet.present.figures.weights import layers_with_images, weight_images
from glassnet.present.report.facts import Facts
from glassnet.present.report.showing import Tile
from glassnet.present.report.sprites import Sheet
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

MOST_UNITS, MOST_LAYERS, MOST_CLASSES = 32, 3, 15
FEW_CLASSES = 5  # of very many
CLIMBS = 3_000_000_000  # most multiplications for gradient ascent: about two seconds
STEPS = 60


@dataclass
class Inside:
    """Groups of tiles: {"layer", "shown", "total", "tiles"} for weights and maps; tiles alone for the classes."""

    sheets: list[Sheet] = field(default_factory=list)
    weights: list[dict[str, Any]] = field(default_factory=list)
    maps: list[dict[str, Any]] = field(default_factory=list)
    typical: list[Tile] = field(default_factory=list)

    def add(self, name: str, images: list[Array], captions: list[str]) -> list[Tile]:
        """Tiles of a new sheet."""
        sheet = Sheet(name, images, exact=True)
        self.sheets.append(sheet)
        return [Tile(name, sheet.style(place), caption) for place, caption in enumerate(captions)]


def look_inside(facts: Facts) -> Inside:
    found, network = Inside(), facts.run.network
    if len(network.input_shape) != 3 or not facts.is_finite:
        return found
    for name in evenly(layers_with_images(network), MOST_LAYERS):
        images = weight_images(network, name)
        tiles = found.add(f"weights-{name}", images[:MOST_UNITS], list(map(str, range(min(len(images), MOST_UNITS)))))
        found.weights.append({"layer": name, "shown": len(tiles), "total": len(images), "tiles": tiles})
    if not facts.has_images:
        return found
    image = facts.data.images[facts.drawn(1)]
    for name in evenly(_with_maps(network), MOST_LAYERS):
        values = activations(network, image, name)[0]
        maps = feature_maps(values)
        (whole,) = found.add(f"input-{name}", [np.asarray(image[0])], [tr("input")])
        tiles = found.add(f"maps-{name}", maps, list(map(str, range(len(maps)))))
        total = values.shape[-1]
        found.maps.append({"layer": name, "shown": len(maps), "total": total, "image": whole, "tiles": tiles})
    if drawable(network.input_shape):
        _typical(network, found)
    return found


def _with_maps(network: Network) -> list[str]:
    """The last layer of each block: the activation after a convolution and its normalisation, or what joins branches."""
    found = []
    for number, layer in enumerate(network.layers):
        if not isinstance(layer, (Conv2D, Nested)) or len(network.shapes[number + 1]) != 3:
            continue
        place = number
        while place + 1 < len(network.layers):
            after = network.layers[place + 1]
            if after.parameters and not isinstance(after, (BatchNorm, LayerNorm)):
                break
            if network.shapes[place + 2] != network.shapes[number + 1]:
                break
            place += 1
            if not isinstance(after, (BatchNorm, LayerNorm, Dropout)):
                break
        found.append(network.names[place])
    return list(dict.fromkeys(found))


def _typical(network: Network, found: Inside) -> None:
    """The typical input of each class score, unless that takes too long."""
    if 3 * STEPS * min(MOST_CLASSES, network.outputs) * sum(network.operations()) > CLIMBS:
        return
    last = max((n for n, layer in enumerate(network.layers) if layer.parameters), default=None)
    if last is None or len(network.shapes[last + 1]) != 1 or network.outputs != network.shapes[last + 1][0]:
        return
    name = network.names[last]
    most = MOST_CLASSES if network.outputs <= DRAWN else FEW_CLASSES
    climbs = [typical_input(network, f"{name}.{unit}", steps=STEPS) for unit in range(min(most, network.outputs))]
    images = [(climb.image - climb.bounds[0]) / (climb.bounds[1] - climb.bounds[0]) for climb in climbs]
    captions = list(network.classes) if network.outputs > 1 else [network.classes[1]]
    found.typical = found.add("typical", images, captions[: len(images)])
