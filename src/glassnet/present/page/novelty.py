"""What a page needs to say that an image is none of the classes: a part of what the network knows of its training images."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassnet.data import Dataset
from glassnet.network import Network
from glassnet.runtime.features import HiddenFeatures, hidden_depths
from glassnet.support.arrays import Array

REFERENCES, COMPONENTS, HELD_OUT = 1000, 64, 5000


def novelty_of(
    network: Network, train: Dataset, validation: Dataset | None
) -> tuple[dict[str, Any] | None, dict[str, Array]]:
    """Numbers and arrays for js/novelty.js, the limit set anew at 1 % false alarms; None for a network without novelty."""
    known = network.fitted_novelty
    if known is None:
        return None, {}
    depths = hidden_depths(network)
    features = HiddenFeatures(network, depths)
    order = np.random.default_rng(0).permutation(len(train))
    count = min(REFERENCES, (len(train) + 1) // 2)
    others = network.rows(
        train.images[order[count : count + HELD_OUT]] if validation is None else validation.images[:HELD_OUT]
    )
    small = known.subset(features(network.rows(train.images[order[:count]])), features(others), COMPONENTS)
    figures = {name: getattr(small, name) for name in ("step", "outside", "limit", "validated", "alarms")}
    return figures | {"depths": list(depths), "shapes": [list(network.shapes[depth]) for depth in depths]}, small.arrays()
