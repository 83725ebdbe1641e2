"""The settings of a training, and its random generators."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glassnet.data import Dataset
from glassnet.errors import ModelFileError
from glassnet.runtime import StepPlan
from glassnet.support.i18n import tr

ORDER, DROPOUT, AUGMENTATION = 0, 1, 2  # streams of random numbers of an epoch


@dataclass(frozen=True, kw_only=True)
class Plan(StepPlan):
    """The arguments of `fit`, checked."""

    train: Dataset
    epochs: int
    validation: Dataset | None = None
    seed: int = 0
    keep_best: bool = False
    checkpoint: Path | None = None
    resume: bool = False
    plain_epochs: int = 0  # the last ones, without augmentation
    statistics: bool = True  # of the layers' outputs, after each epoch

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.train) // self.batch_size)


def epoch_generator(seed: int, epoch: int, stream: int) -> np.random.Generator:
    """The random numbers of one epoch, from the seed alone, so that training can resume at any epoch."""
    return np.random.default_rng([seed, epoch, stream])


def check_length(plan: Plan, before: int | None, done: int, where: str) -> None:
    """Refuse to go on, after `done` epochs, for another number of epochs than `before`, where what was done depends on it."""
    epochs = plan.epochs
    if before == epochs:
        return
    if plan.optimizer.schedule.stretches:
        raise ModelFileError(
            tr("The learning rate follows a schedule over the whole training, so the number of epochs can't change."),
            where=where,
            expected=before,
            received=epochs,
            hint=tr(
                "start a new training with {epochs} epochs; with a constant learning rate, a training can be extended",
                epochs=epochs,
            ),
        )
    plain = 0 if plan.augmentation is None else plan.plain_epochs
    if plain and before is not None and done > min(before, epochs) - plain:
        raise ModelFileError(
            tr("The last epochs, without augmentation, have begun, so the number of epochs can't change any more."),
            where=where,
            expected=before,
            received=epochs,
            hint=tr("start a new training with {epochs} epochs", epochs=epochs),
        )
