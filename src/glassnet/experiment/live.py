"""What a run shows while it is trained, for a page in another process, and the request to stop after an epoch."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import numpy as np

from glassnet.errors import WriteError
from glassnet.support.storage import write_tensors
from glassnet.training import Callback, Epoch, Progress, Stop, StopReason

LIVE, STOP = "live.safetensors", "stop-after-epoch"  # files in the run's folder; both are gone after the training
EVERY, SHARE = 0.4, 0.003  # seconds between two writes of LIVE, at the least; of the time, spent writing it, at the most


class ShowLive(Callback):
    """Writes the progress and the weights to LIVE now and then; ends training after an epoch in which STOP was made.

    A full disk ends only what is shown: the training's own files come first.
    """

    every_steps = None

    def __init__(self, folder: Path) -> None:
        self._folder, self._due = folder, 0.0

    def on_train_begin(self, progress: Progress) -> None:
        self._remove(STOP)  # of a training that was killed
        self._write(progress)

    def on_step_end(self, progress: Progress) -> None:
        if time.monotonic() >= self._due:
            self._write(progress)

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        self.on_step_end(progress)
        if (self._folder / STOP).exists():
            self._remove(STOP)
            if epoch.epoch < progress.epochs:
                progress.stop(Stop(StopReason.REQUEST, epoch.epoch))

    def on_train_end(self, progress: Progress) -> None:
        self._remove(LIVE)
        self._remove(STOP)

    def _write(self, progress: Progress) -> None:
        start = time.monotonic()
        header = {
            "kind": "live",
            "epochs": progress.epochs,
            "steps": progress.steps_per_epoch,
            "epoch": progress.epoch,
            "step": progress.step,
            "cost": float(progress.cost) if np.isfinite(progress.cost) else None,
        }
        with contextlib.suppress(WriteError):
            write_tensors(self._folder / LIVE, {"state": progress.network.state.astype(np.float32, copy=False)}, header)
        now = time.monotonic()
        self._due = now + max(EVERY, (now - start) / SHARE)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(OSError):
            (self._folder / name).unlink(missing_ok=True)
