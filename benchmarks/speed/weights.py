"""Weights as exchanged with the peers: comparison, saving and loading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Weights = list[tuple[Reals, ...]]
"""The arrays of each layer with parameters, in glassnet's layout: usually (weight, bias)."""

_ROUNDING = 1e-4


def disagreement(start: Weights, expected: Weights, received: Weights) -> float:
    """The largest error of any array relative to the distance it moved plus float32's rounding."""
    worst = 0.0
    for before, target, result in zip(arrays(start), arrays(expected), arrays(received), strict=True):
        if target.shape != result.shape or not np.isfinite(result).all():
            return float("inf")
        scale = np.linalg.norm(target - before) + _ROUNDING * np.linalg.norm(target)
        worst = max(worst, float(np.linalg.norm(result - target) / scale))
    return worst


def overshoot(start: Weights, expected: Weights, received: Weights) -> float:
    """Relative error of the step's length along the expected direction: 0.01 if the learning rate is 1 % too high.

    Rounding errors at kinks have random directions and hardly contribute.
    """
    squared_length, projection = 0.0, 0.0
    for before, target, result in zip(arrays(start), arrays(expected), arrays(received), strict=True):
        squared_length += float(np.vdot(target - before, target - before))
        projection += float(np.vdot(target - before, result - before))
    return projection / squared_length - 1


def arrays(weights: Weights) -> list[Reals]:
    """All arrays, first layer to last."""
    return [array for layer in weights for array in layer]


def save_weights(path: Path, weights: Weights) -> None:
    named = {f"{i}.{j}": array for i, layer in enumerate(weights) for j, array in enumerate(layer)}
    np.savez(path, **named)  # type: ignore[arg-type]  # of NumPy's stub: a name might be allow_pickle


def load_weights(path: Path) -> Weights:
    layers: dict[str, list[Reals]] = {}
    with np.load(path) as stored:
        for name in stored.files:
            layers.setdefault(name.partition(".")[0], []).append(stored[name])
    return [tuple(layer) for layer in layers.values()]
