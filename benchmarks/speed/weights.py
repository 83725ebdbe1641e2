"""Weights as the peers exchange them, how far two sets of them are apart, and their file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Weights = list[tuple[Reals, ...]]
"""The arrays of each layer that has any, in glassnet's layout: (weight, bias) for most."""

_ROUNDING = 1e-4


def disagreement(start: Weights, expected: Weights, received: Weights) -> float:
    """The largest error of any array relative to how far it moved; what float32 rounds away is allowed for."""
    worst = 0.0
    for before, wanted, got in zip(arrays(start), arrays(expected), arrays(received), strict=True):
        if wanted.shape != got.shape or not np.isfinite(got).all():
            return float("inf")
        scale = np.linalg.norm(wanted - before) + _ROUNDING * np.linalg.norm(wanted)
        worst = max(worst, float(np.linalg.norm(got - wanted) / scale))
    return worst


def overshoot(start: Weights, expected: Weights, received: Weights) -> float:
    """How much farther all weights together went along the expected way than they had to: 0.01 at a rate 1 % too high.

    What rounding puts on the other side of a kink goes all ways, and hardly adds up along this one.
    """
    way, gone = 0.0, 0.0
    for before, wanted, got in zip(arrays(start), arrays(expected), arrays(received), strict=True):
        way += float(np.vdot(wanted - before, wanted - before))
        gone += float(np.vdot(wanted - before, got - before))
    return gone / way - 1


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
