"""What all trackers share: what is logged and when, failures, and resuming."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from glassnet.errors import InputError, TrackerWarning, spell
from glassnet.nn.stack import Stack
from glassnet.support.atomic import write_text
from glassnet.support.i18n import Message, tr
from glassnet.training.callbacks import Callback, Progress
from glassnet.training.history import Epoch
from glassnet.training.stop import StopReason

EVERY, SHARE = 1.0, 0.01  # seconds between two writes, at least; of the time, spent on writing, at most
METRICS = {  # names in the trackers, which group them by what stands before the slash
    "loss/train": "train_cost",
    "accuracy/train": "train_accuracy",
    "loss/validation": "validation_cost",
    "accuracy/validation": "validation_accuracy",
    "learning_rate": "learning_rate",
    "seconds": "seconds",
}


class Status(Enum):
    """How a training ended."""

    FINISHED = "finished"
    DIVERGED = "diverged"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(frozen=True)
class Ending:
    """How a training ended, in words too, and its result in figures."""

    status: Status
    words: str
    figures: dict[str, float]
    epoch: int

    @classmethod
    def of(cls, progress: Progress) -> Ending:
        history, reason = progress.history, progress.reason
        if progress.error is not None:
            interrupted = issubclass(progress.error, KeyboardInterrupt)
            status, words = Status.INTERRUPTED if interrupted else Status.FAILED, progress.error.__name__
        elif reason is not None and reason.reason is StopReason.NOT_FINITE:
            status, words = Status.DIVERGED, str(reason)
        else:
            status, words = Status.FINISHED, "" if reason is None else str(reason)
        figures = {"epochs": float(len(history)), "total_seconds": sum(history.seconds)}
        if history.best_epoch:
            figures["best/epoch"] = float(history.best_epoch)
            best = metrics(history.epochs[history.best_epoch - 1])
            figures |= {f"best/{name.replace('/', '_')}": value for name, value in best.items() if "/" in name}
        return cls(status, words, figures, len(history))


class Session:
    """One training in one tracker. `key`: by which the tracker finds it again; `resumed`: whether it was there before."""

    key: str = ""
    resumed: bool = False

    def log(self, epochs: Sequence[Epoch]) -> None:
        """Write the metrics of these epochs."""
        raise NotImplementedError

    def look(self, network: Stack, epoch: int) -> None:
        """Write what there is to see in the weights after an epoch."""

    def end(self, ending: Ending) -> None:
        """Write the result and close."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Close without writing, after a failure."""


class Tracker(Callback):
    """Logs a training, at most once a second. Whatever goes wrong, it warns once, and the training goes on without it.

    `open` makes the `Session`. Of a training with a checkpoint a file beside it, such as checkpoint.trackers.json, keeps the
    sessions' keys and the last epoch logged, so that a training that is resumed goes on in the same session.
    """

    def __init__(self, target: str, name: str | None) -> None:
        self.target, self.name = target, name  # target: what of, and where
        self._session: Session | None = None
        self._waiting: list[Epoch] = []
        self._logged, self._due = 0, 0.0

    def open(self, progress: Progress, key: str | None) -> Session:
        """Begin a session, or go on in the one with this key, if there still is one."""
        raise NotImplementedError

    def run_name(self, progress: Progress) -> str | None:
        """The name that was given, or that of the run's folder or recipe, if any."""
        folder = None if progress.folder is None else progress.folder.resolve().name
        return self.name or folder or progress.settings.get("recipe")

    def on_train_begin(self, progress: Progress) -> None:
        self._session, self._waiting, self._logged, self._due = None, [], 0, 0.0
        self._attempt(self._open, progress)

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        if self._session is not None and epoch.epoch > self._logged:
            self._attempt(self._after_epoch, progress, epoch)

    def on_train_end(self, progress: Progress) -> None:
        self._attempt(self._end, progress)
        self._session = None

    def _open(self, progress: Progress) -> None:
        before = progress.history.epochs
        known = _read(progress.checkpoint).get(self.target, {}) if before else {}
        self._session = self.open(progress, known.get("key"))
        self._logged = known["epoch"] if self._session.resumed else 0
        self._waiting = [epoch for epoch in before if epoch.epoch > self._logged]
        self._send(progress)

    def _after_epoch(self, progress: Progress, epoch: Epoch) -> None:
        assert self._session is not None
        self._waiting.append(epoch)
        self._session.look(progress.network, epoch.epoch)
        if time.monotonic() >= self._due:
            self._send(progress)

    def _send(self, progress: Progress) -> None:
        assert self._session is not None
        start = time.monotonic()
        if self._waiting:
            self._session.log(self._waiting)
            self._logged, self._waiting = self._waiting[-1].epoch, []
        if progress.checkpoint is not None:
            known = {"key": self._session.key, "epoch": self._logged}
            write_text(_file(progress.checkpoint), json.dumps(_read(progress.checkpoint) | {self.target: known}, indent=1))
        now = time.monotonic()
        self._due = now + max(EVERY, (now - start) / SHARE)

    def _end(self, progress: Progress) -> None:
        if self._session is not None:
            self._send(progress)
            self._session.end(Ending.of(progress))

    def _attempt(self, call: Callable[..., None], *arguments: Any) -> None:
        """Call it; after an error, warn and be silent for the rest of the training."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # between the tracker and its own libraries
                call(*arguments)
        except Exception as error:
            if self._session is not None:
                with contextlib.suppress(Exception):
                    self._session.abandon()
            self._session = None
            what = tr("{tracker} failed and records no more of this training, which goes on.", tracker=type(self).__name__)
            warnings.warn(f"{what} {self.target}: {spell(error)}", TrackerWarning, stacklevel=2)


def metrics(epoch: Epoch) -> dict[str, float]:
    """What was measured in an epoch, by the names in the trackers."""
    found = {name: getattr(epoch, own) for name, own in METRICS.items()}
    return {name: float(value) for name, value in found.items() if value is not None}


def parameters(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a training as a flat table: {"optimizer.learning_rate": 0.1}; without those that are None."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": part for key, part in parameters(value).items()}
        elif isinstance(value, (list, tuple)):
            flat[name] = ", ".join(map(str, value))
        elif value is not None:
            flat[name] = value if isinstance(value, (str, int, float)) else str(value)
    return flat


def require(packages: Sequence[str], where: str, install: str) -> None:
    """Raise `InputError` for packages that are not installed; `install`: what pip is to be asked for."""
    if missing := [name for name in packages if importlib.util.find_spec(name) is None]:
        raise InputError(
            tr("This tracker needs packages that are not installed."),
            where=where,
            expected=", ".join(packages),
            received=tr("no {names}", names=", ".join(missing)),
            hint=f"{shlex.quote(sys.executable)} -m pip install {install}",
        )


def check_name(value: object, where: str, expected: Message) -> str:
    """A text that is not empty."""
    if not isinstance(value, (str, Path)) or not re.search(r"\S", str(value)):
        raise InputError(tr("A tracker needs to know where to."), where=where, expected=expected, received=repr(value))
    return str(value)


def _file(checkpoint: Path) -> Path:
    return checkpoint.with_suffix(".trackers.json")


def _read(checkpoint: Path | None) -> dict[str, Any]:
    """The keys that were kept beside a checkpoint; none where the file is missing or damaged."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        found = {} if checkpoint is None else json.loads(_file(checkpoint).read_text(encoding="utf-8"))
        return {name: {"key": str(known["key"]), "epoch": int(known["epoch"])} for name, known in found.items()}
    return {}
