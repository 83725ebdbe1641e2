"""Snapshots: the weights after some epochs of a run, at most a dozen, denser where training begins."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glassnet.errors import ModelFileError, writing
from glassnet.network import Network
from glassnet.nn.stack import Stack
from glassnet.support.arrays import Array
from glassnet.support.atomic import files_named, sweep
from glassnet.support.i18n import tr
from glassnet.support.storage import read_tensors, write_tensors
from glassnet.training import Callback, Epoch, Progress, StopReason

FOLDER, NAME = "snapshots", re.compile(r"epoch-(\d{4,})\.safetensors")
LARGE = 250_000  # numbers: from here on they are kept in float16, with three digits each
HIGHEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Snapshot:
    """The weights after `epoch`, 0 for the initial ones; each use reads the file.

    Weights of large networks were rounded to float16: good to look at, not to train on with.
    """

    epoch: int
    path: Path

    @property
    def state(self) -> Array:
        """The parameters and then the running statistics, as one float32 vector."""
        tensors, header = read_tensors(self.path, "snapshot")
        state = tensors.get("state")
        if header.get("epoch") != self.epoch or state is None or state.ndim != 1 or not np.isfinite(state).all():
            expected, received = tr("the weights after epoch {epoch}", epoch=self.epoch), ", ".join(tensors) or "–"
            raise ModelFileError(tr("The snapshot is damaged."), where=self.path, expected=expected, received=received)
        return state.astype(np.float32)

    def restore(self, network: Network) -> None:
        """Give the network these weights. Raises `ModelFileError` for a snapshot of another network."""
        state = self.state
        if state.shape != network.state.shape:
            what = tr("The snapshot is of another network.")
            raise ModelFileError(what, where=self.path, expected=network.state.shape, received=state.shape)
        network.state[...] = state


def read_snapshots(folder: Path) -> list[Snapshot]:
    """The snapshots in the folder of a run, by epoch; none where it has none."""
    try:
        found = files_named(folder / FOLDER, NAME)
    except OSError:
        return []
    return sorted((Snapshot(_epoch(path), path) for path, _ in found), key=lambda snapshot: snapshot.epoch)


def chosen_epochs(epochs: int, count: int) -> list[int]:
    """At most `count` of the epochs 0 … `epochs`, about evenly spread on a logarithmic scale; the last is among them.

    >>> chosen_epochs(30, 12)
    [0, 1, 2, 3, 4, 5, 8, 11, 15, 21, 30]
    """
    if count == 1:
        return [epochs]
    return sorted({0, *np.rint(np.geomspace(epochs, 1, count - 1)).astype(int).tolist()})


class KeepSnapshots(Callback):
    """Writes snapshots/epoch-0003.safetensors and so on: the initial weights, some epochs, and the last.

    A training that is resumed has the files of one that was not interrupted: those of other epochs are removed.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self._folder, self._count = folder / FOLDER, count
        self._chosen: frozenset[int] = frozenset()

    def on_train_begin(self, progress: Progress) -> None:
        self._chosen = frozenset(chosen_epochs(progress.epochs, self._count))
        done = len(progress.history)
        with writing(self._folder):
            self._folder.mkdir(exist_ok=True)
            sweep(self._folder)
            self._thin(done)
        if not done and 0 in self._chosen:
            self._write(progress.network, 0)

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        if epoch.epoch in self._chosen:
            self._write(progress.network, epoch.epoch)

    def on_train_end(self, progress: Progress) -> None:
        last, reason = len(progress.history), progress.reason
        overflowed = reason is not None and reason.reason is StopReason.NOT_FINITE  # it has the weights of an earlier epoch
        if self._chosen and last not in self._chosen and last and not overflowed:
            self._write(progress.network, last)

    def _write(self, network: Stack, epoch: int) -> None:
        state = network.state.astype(np.float32, copy=False)
        if state.size >= LARGE and np.abs(state).max() <= HIGHEST:
            state = state.astype(np.float16)
        write_tensors(self._folder / f"epoch-{epoch:04}.safetensors", {"state": state}, {"kind": "snapshot", "epoch": epoch})

    def _thin(self, done: int) -> None:
        """Of the epochs up to `done`, keep the nearest to each chosen one; remove the others, which will be trained again."""
        found = [_epoch(path) for path, _ in files_named(self._folder, NAME)]
        keep = _nearest(self._chosen, [epoch for epoch in found if epoch <= done], done)
        for path, _ in files_named(self._folder, NAME):
            if _epoch(path) not in keep:
                path.unlink(missing_ok=True)


def _nearest(chosen: Iterable[int], found: list[int], done: int) -> set[int]:
    return {min(found, key=lambda have: abs(have - epoch)) for epoch in chosen if found and epoch <= done}


def _epoch(path: Path) -> int:
    match = NAME.fullmatch(path.name)
    assert match is not None
    return int(match[1])
