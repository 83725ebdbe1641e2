"""The settings of a training, and its streams of random numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glassnet.data import Dataset
from glassnet.errors import InputError, ModelFileError
from glassnet.nn.stack import Stack
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


def check_labels(stack: Stack, data: Dataset, where: str) -> None:
    """Refuse labels that the network has no output for."""
    if not data.is_classification:
        if data.labels.shape[1] != stack.outputs:
            raise InputError(
                tr("The targets do not fit the network's outputs."),
                where=where,
                expected=f"(N, {stack.outputs})",
                received=data.labels.shape,
            )
        return
    classes = max(2, stack.outputs)
    highest = int(data.labels.max())
    if highest >= classes:
        raise InputError(
            tr("A label lies beyond the network's outputs."),
            where=f"{where}, item {int(data.labels.argmax())}",
            expected=f"0 … {classes - 1}",
            received=highest,
            hint=tr("give the last Dense layer {units} units", units=highest + 1),
        )


def check_length(plan: Plan, before: int | None, done: int, where: str) -> None:
    """Refuse to go on, after `done` epochs, for another number of epochs than `before`, where what was done depends on it."""
    epochs = plan.epochs
    if before == epochs:
        return
    if plan.optimizer.schedule.stretches:
        raise ModelFileError(
            tr("The learning rate follows a schedule over the whole training, which can't become longer or shorter midway."),
            where=where,
            expected=before,
            received=epochs,
            hint=tr("train anew with {epochs} epochs; only a constant learning rate can go on for longer", epochs=epochs),
        )
    plain = 0 if plan.augmentation is None else plan.plain_epochs
    if plain and before is not None and done > min(before, epochs) - plain:
        raise ModelFileError(
            tr("The last epochs, without augmentation, have begun: the training can't become longer or shorter any more."),
            where=where,
            expected=before,
            received=epochs,
            hint=tr("train anew with {epochs} epochs", epochs=epochs),
        )
