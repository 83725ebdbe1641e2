"""The snapshots of a run in its page: differences from the trained weights, quantised, as many as a budget allows."""

from __future__ import annotations

import base64
import copy
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassnet.errors import ModelFileError
from glassnet.experiment.run import Run
from glassnet.network import Network
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

BUDGET = 200_000  # bytes of base64
BITS = (8, 6, 5, 4, 3)


@dataclass(frozen=True)
class Quantised:
    """A state as the trained one plus whole numbers of each array's scale."""

    steps: Array  # int8, one per number of the state
    scales: Array  # float32, one per array

    @property
    def packed_size(self) -> int:
        """Bytes in the page."""
        return len(base64.b64encode(zlib.compress(self.steps.tobytes(), 9)))


def pack_snapshots(run: Run, images: Array, labels: Array, budget: int = BUDGET) -> tuple[dict[str, Any], dict[str, Array]]:
    """The entry `snapshots` of the header, and its arrays; `images`: those that the accuracies are measured on.

    Each snapshot is the saved weights plus `steps` times a scale of each array: w_e = w + s·q. Epochs are left out
    where the budget is too small for all of them at three bits. The saved network stands at its own epoch, in float32.
    """
    saved = run.network.state.astype(np.float32)
    arrays = _arrays(run.network)
    trained = _saved_epoch(run)
    states = {snapshot.epoch: snapshot.state for snapshot in run.snapshots if snapshot.epoch != trained}
    for snapshot in run.snapshots:
        if snapshot.epoch in states and states[snapshot.epoch].shape != saved.shape:
            raise ModelFileError(
                tr("The snapshot is of another network."),
                where=snapshot.path,
                expected=saved.shape,
                received=states[snapshot.epoch].shape,
            )
    bits, chosen = _fitting(states, saved, arrays, budget)
    epochs = sorted(chosen)
    network = copy.deepcopy(run.network)
    rows = [
        {"epoch": epoch, "accuracy": _accuracy(network, states[epoch], images, labels),
         "shown": _accuracy(network, dequantised(chosen[epoch], saved, arrays), images, labels)}
        for epoch in epochs
    ]  # fmt: skip
    entry = {
        "bits": bits, "trained": trained, "accuracy": _accuracy(network, saved, images, labels), "epochs": rows,
        "arrays": arrays, "kept": len(states),
    }  # fmt: skip
    if not epochs:
        return entry, {}
    return entry, {
        "snapshots": np.stack([chosen[epoch].steps for epoch in epochs]),
        "snapshot_scales": np.stack([chosen[epoch].scales for epoch in epochs]),
    }


def quantised(state: Array, saved: Array, arrays: Sequence[tuple[int, int]], bits: int) -> Quantised:
    """The difference of `state` from `saved`, each of the `arrays` (offset, size) in 2ᵇⁱᵗˢ − 1 steps from −max to max."""
    most = 2 ** (bits - 1) - 1
    steps, scales = np.zeros(saved.size, np.int8), np.zeros(len(arrays), np.float32)
    for number, (at, size) in enumerate(arrays):
        change = state[at : at + size].astype(np.float64) - saved[at : at + size]
        scales[number] = np.abs(change).max(initial=0.0) / most
        if scales[number]:
            steps[at : at + size] = np.clip(np.rint(change / scales[number]), -most, most)
    return Quantised(steps, scales)


def dequantised(packed: Quantised, saved: Array, arrays: Sequence[tuple[int, int]]) -> Array:
    """The state that the page makes of it."""
    state = saved.copy()
    for (at, size), scale in zip(arrays, packed.scales, strict=True):
        state[at : at + size] += scale * packed.steps[at : at + size]
    return state


def _fitting(
    states: dict[int, Array], saved: Array, arrays: Sequence[tuple[int, int]], budget: int
) -> tuple[int, dict[int, Quantised]]:
    """All snapshots with as many bits as fit; else, with the fewest bits, as many as fit, spread over those there are."""
    for bits in BITS:
        packed = {epoch: quantised(state, saved, arrays, bits) for epoch, state in states.items()}
        sizes = {epoch: one.packed_size for epoch, one in packed.items()}
        if sum(sizes.values()) <= budget:
            return bits, packed
    epochs = sorted(packed)
    for count in range(len(epochs) - 1, 0, -1):
        places = np.unique(np.rint(np.linspace(0, len(epochs) - 1, count)).astype(int)) if count > 1 else [0]
        some = [epochs[place] for place in places]
        if sum(sizes[epoch] for epoch in some) <= budget:
            return bits, {epoch: packed[epoch] for epoch in some}
    return bits, {}


def _arrays(network: Network) -> list[tuple[int, int]]:
    return [(slot.offset, slot.size) for slot in (*network.slots, *network.running_slots)]


def _saved_epoch(run: Run) -> int | None:
    """The epoch whose weights are those of the run's network."""
    return run.history.best_epoch if run.recipe.training.keep == "best" else len(run.history)


def _accuracy(network: Network, state: Array, images: Array, labels: Array) -> float:
    network.state[...] = state
    return float(np.mean(network.predict(images) == labels))
