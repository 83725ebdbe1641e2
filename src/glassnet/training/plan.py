"""The settings of a training, and its random generators."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glassnet.data import Dataset
from glassnet.data.augmentation import Augmentation
from glassnet.errors import ModelFileError
from glassnet.nn.optimizers import Optimizer

ORDER, CHANCE, CHANGES = 0, 1, 2  # streams of random numbers of an epoch: the order of images, dropout, augmentation


@dataclass(frozen=True)
class Plan:
    """What to train, on what, how long; checked."""

    train: Dataset
    epochs: int
    batch_size: int
    optimizer: Optimizer
    validation: Dataset | None = None
    seed: int = 0
    weights: NDArray[np.float64] | None = None
    keep_best: bool = False
    averaging: float | None = None
    checkpoint: Path | None = None
    resume: bool = False
    threads: int | None = None
    augmentation: Augmentation | None = None
    plain_epochs: int = 0  # the last ones, without augmentation
    statistics: bool = True  # of the layers' outputs, after each epoch

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.train) // self.batch_size)


def epoch_generator(seed: int, epoch: int, stream: int) -> np.random.Generator:
    """The random numbers of one epoch: they follow from the seed alone, so a training can go on from any epoch."""
    return np.random.default_rng([seed, epoch, stream])


def check_length(plan: Plan, before: int | None, done: int, where: str) -> None:
    """Refuse to go on, after `done` epochs, for another number of epochs than `before`, where what was done depends on it."""
    epochs = plan.epochs
    if before == epochs:
        return
    if plan.optimizer.schedule.stretches:
        raise ModelFileError(
            "The learning rate follows a schedule over the whole training, which can't become longer or shorter midway.",
            where=where,
            expected=before,
            received=epochs,
            hint=f"train anew with {epochs} epochs; only a constant learning rate can go on for longer",
        )
    plain = 0 if plan.augmentation is None else plan.plain_epochs
    if plain and before is not None and done > min(before, epochs) - plain:
        raise ModelFileError(
            "The last epochs, without augmentation, have begun: the training can't become longer or shorter any more.",
            where=where,
            expected=before,
            received=epochs,
            hint=f"train anew with {epochs} epochs",
        )
