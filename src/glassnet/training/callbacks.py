"""Callbacks: called during training, which they may end."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glassnet.errors import InputError
from glassnet.nn.stack import Stack
from glassnet.support.habits import answered
from glassnet.support.i18n import tr
from glassnet.training.history import Epoch, History
from glassnet.training.stop import Stop, StopReason


@dataclass
class Progress:
    """The progress of a training. A callback ends it by `stop(reason)`."""

    network: Stack
    epochs: int
    steps_per_epoch: int
    history: History = field(default_factory=History)
    epoch: int = 0  # from 1; 0 before the first
    step: int = 0  # steps done in this epoch
    cost: float = float("nan")  # mean over the steps of this epoch so far
    reason: Stop | None = None
    error: type[BaseException] | None = None  # what ended the training instead, such as KeyboardInterrupt
    settings: dict[str, Any] = field(default_factory=dict)  # of the training, to be shown
    checkpoint: Path | None = None
    folder: Path | None = None  # of the run, where there is one

    def stop(self, reason: str | Stop) -> None:
        """End training after this step or epoch, for a reason, perhaps in words, that history.stopped will give."""
        if self.reason is None:
            if not isinstance(reason, Stop):
                reason = Stop(StopReason.CALLBACK, self.epoch, self.step, words=str(reason))
            self.reason = reason


class Callback:
    """Override what you need. `every_steps`: how often `on_step_end` is called, in steps.

    0 is never; None is after each stretch of steps that ran without a break, which takes about a tenth of a second.
    With a moving average of the weights the network has that average at the end of an epoch, and its own weights at a step.
    """

    every_steps: int | None = 0

    def on_train_begin(self, progress: Progress) -> None:
        """Before the first epoch."""

    def on_step_end(self, progress: Progress) -> None:
        """After each `every_steps` steps; the network's weights are those after the step."""

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        """After an epoch and its validation."""

    def on_train_end(self, progress: Progress) -> None:
        """After the last epoch, however training ended."""

    def on_run_saved(self, folder: Path) -> None:
        """After `gn.train` has written the model into the run's folder; `fit` does not call it."""


class EarlyStopping(Callback):
    """End training when the score has not risen by more than `min_delta` for `patience` epochs.

    The score is the validation accuracy; without one, minus the loss.
    """

    @answered
    def __init__(self, patience: int = 10, min_delta: float = 0.0) -> None:
        if patience < 1 or min_delta < 0:
            raise InputError(
                tr("Invalid options for early stopping."),
                where="EarlyStopping",
                expected=tr("patience of at least 1, min_delta of at least 0"),
                received=f"{patience=}, {min_delta=}",
            )
        self.patience, self.min_delta = patience, min_delta

    def on_train_begin(self, progress: Progress) -> None:
        if progress.history.epochs:  # of a training that is resumed: it may have ended here already
            self.on_epoch_end(progress, progress.history.epochs[-1])

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        scores = progress.history.scores()
        best, since = scores[0], 0
        for score in scores[1:]:
            if score > best + self.min_delta:
                best, since = score, 0
            else:
                since += 1
        if since >= self.patience:
            progress.stop(Stop(StopReason.NO_IMPROVEMENT, progress.epoch, since=since, patience=self.patience))


EpochFunction = Callable[[Progress, Epoch], object]


class _AfterEpoch(Callback):
    """Calls a function after each epoch."""

    def __init__(self, function: EpochFunction) -> None:
        self.function = function

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        self.function(progress, epoch)


def as_callbacks(value: Callback | EpochFunction | Sequence[Callback | EpochFunction] | None, where: str) -> list[Callback]:
    """A list from one callback or several; a function is called as `on_epoch_end` is, with (progress, epoch)."""
    several = value if isinstance(value, (list, tuple)) else [] if value is None else [value]
    return [_as_callback(callback, where) for callback in several]


def _as_callback(value: object, where: str) -> Callback:
    if isinstance(value, Callback):
        return value
    if callable(value) and not isinstance(value, type):
        try:
            inspect.signature(value).bind(None, None)
        except TypeError:
            pass
        except ValueError:  # a built-in function does not say what it takes
            return _AfterEpoch(value)
        else:
            return _AfterEpoch(value)
    raise InputError(
        tr("This is not a callback."),
        where=where,
        expected=tr("a Callback, or a function (progress, epoch)"),
        received=repr(value),
        hint=f"{value.__name__}()" if isinstance(value, type) else "lambda progress, epoch: print(epoch.train_accuracy)",
    )
