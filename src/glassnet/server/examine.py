"""What the page of a training shows of the network itself: its first weights, their norms, and the diagnosis as it stands."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.analysis.diagnosis.advice import of_recipe
from glassnet.analysis.diagnosis.finding import Diagnosis
from glassnet.analysis.diagnosis.rules import diagnose
from glassnet.experiment.recipe import load_recipe
from glassnet.experiment.run import read_splits
from glassnet.experiment.run_folder import MODEL, RECIPE
from glassnet.network import Network
from glassnet.nn import GELU, BatchNorm, LayerNorm, LeakyReLU, ReLU, Sigmoid, Swish, Tanh
from glassnet.nn.optimizers import ScipyMinimize
from glassnet.present.figures.weights import weight_values
from glassnet.server.sections import Row, pair
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.training import History

UNITS, SIDE = 30, 32  # units or filters shown; pixels of a side, above which blocks are averaged
ACTIVATIONS = (GELU, LeakyReLU, ReLU, Sigmoid, Swish, Tanh)


class Examiner:
    """The network of a run in this process; the weights come from the process that trains it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._recipe = folder, load_recipe(folder / RECIPE)
        self._splits = read_splits(self._recipe)
        self.network = self._recipe.make_network(self._splits)
        self.network.adapt(self._splits.train.images)

    def take(self, state: Array) -> None:
        """Give the network these parameters and running statistics."""
        if state.shape == self.network.state.shape:
            self.network.state[...] = state

    def take_result(self) -> None:
        """Give the network the weights that the run has kept, once it has."""
        if (self._folder / MODEL).exists():
            self.take(Network.load(self._folder / MODEL).state)

    def norms(self) -> dict[str, float]:
        """‖w‖ of each matrix of weights."""
        state = self.network.state
        return {slot.name: float(np.linalg.norm(slot.part(state))) for slot in self.network.slots if len(slot.shape) > 1}

    def activations(self) -> dict[str, str]:
        """For each layer with weights the activation that follows it, if one does before the next."""
        found: dict[str, str] = {}
        last = ""
        for name, layer in zip(self.network.names, self.network.layers, strict=True):
            if layer.parameters and not isinstance(layer, (BatchNorm, LayerNorm)):
                last = name
            elif last and isinstance(layer, ACTIVATIONS):
                found.setdefault(last, name)
        return found

    def weights(self) -> dict[str, Any] | None:
        """The weights of the first layer that has images; None where no layer has."""
        for name, values in weight_values(self.network).items():
            return {"layer": name, **tiles(values)}
        return None

    def diagnosis(self, rows: list[Row]) -> dict[str, Any]:
        """The diagnosis of the epochs so far, for the page. Raises `GlassnetError` and `ValueError`."""
        history = History.from_rows(rows, seed=self._recipe.training.seed)
        optimizer = self._recipe.make_optimizer()
        rate = None if isinstance(optimizer, ScipyMinimize) else float(optimizer.schedule.rates(0, 1, 1)[0])
        found = diagnose(history, self.network, self._splits, learning_rate=rate, in_force=of_recipe(self._recipe))
        return spell(found) | {"epoch": len(history)}


def spell(found: Diagnosis) -> dict[str, Any]:
    """A diagnosis as plain data, in both languages."""
    return {
        "findings": [
            {
                "title": pair(finding.title),
                "parts": [
                    {"name": pair(tr("Evidence")), "text": pair(finding.evidence)},
                    {"name": pair(tr("Cause")), "text": pair(finding.cause)},
                    {"name": pair(tr("Try")), "text": pair(finding.try_next[0])},
                ],
            }
            for finding in found.top
        ],
        "verdict": pair(found.verdict),
        "remarks": [pair(remark) for remark in found.remarks],
    }


def tiles(values: Array) -> dict[str, Any]:
    """The weights (H, W, units) of the first units as bytes in base64, 128 for 0; large images are averaged over blocks."""
    height, width, total = values.shape
    block = -(-max(height, width) // SIDE)
    high, wide = max(1, height // block), max(1, width // block)
    shown = values[: high * block, : wide * block, :UNITS]
    if block > 1 and min(height, width) >= block:
        shown = shown.reshape(high, block, wide, block, -1).mean(axis=(1, 3))
    limit = float(np.quantile(np.abs(shown), 0.998)) or 1.0
    pixels = np.rint(128 + 127 * np.clip(shown / limit, -1, 1)).astype(np.uint8).transpose(2, 0, 1)
    count, high, wide = pixels.shape
    return {
        "height": high,
        "width": wide,
        "shown": count,
        "total": total,
        "pixels": base64.b64encode(pixels.tobytes()).decode(),
    }
