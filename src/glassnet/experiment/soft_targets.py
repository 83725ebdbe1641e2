"""Soft targets of a distillation: what an ensemble of teachers answers for the training images.

Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from glassnet.data import Dataset
from glassnet.errors import RunError
from glassnet.experiment.ensemble import Ensemble
from glassnet.experiment.run_folder import MODEL, fingerprint_of
from glassnet.experiment.sections import DistillationSection
from glassnet.network import Network
from glassnet.nn.losses import Loss
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.support.memory import require_memory


def soft_targets(section: DistillationSection, student: Network, train: Dataset) -> Array:
    """The targets (N, outputs) of a student for its training images, as the section of its recipe describes them.

    Raises `RunError` for a teacher that is not there any more or has changed.
    """
    teachers = [_load(Path(folder), known) for folder, known in section.teachers.items()]
    return mixed_targets(teachers, train, student.loss, student.outputs, section.temperature, section.weight)


def mixed_targets(
    teachers: Sequence[Network], train: Dataset, loss: Loss, outputs: int, temperature: float, weight: float
) -> Array:
    """w·mean_k q_k + (1 − w)·t; q_k = p_k^(1/T) / Σ p_k^(1/T), p_k: probabilities of teacher k, t: the targets of the labels.

    As p = softmax(z), q is softmax(z/T). For one output, a sigmoid's, the columns of class 1.
    """
    Ensemble(teachers)  # raises where they differ
    what = tr("the soft targets of {images:,} images", images=len(train))
    require_memory(2 * 8 * outputs * len(train), what, "distillation", tr("fewer training images"))
    answers = np.mean([_softened(teacher.predict_proba(train.images), temperature) for teacher in teachers], axis=0)
    hard = loss.targets(train.labels, outputs, np.float64)
    return np.asarray(weight * (answers if outputs > 1 else answers[:, 1:]) + (1 - weight) * hard)


def _softened(probabilities: Array, temperature: float) -> Array:
    powers = np.asarray(probabilities, dtype=np.float64) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _load(folder: Path, fingerprint: str) -> Network:
    """A teacher's network, if it is the one that the recipe names."""
    found = fingerprint_of(folder) if (folder / MODEL).is_file() else None
    if found != fingerprint:
        raise RunError(
            tr("A teacher is not there any more.") if found is None else tr("A teacher was trained anew since."),
            where=folder / MODEL,
            expected=tr("the model with the fingerprint {fingerprint}", fingerprint=fingerprint),
            received=tr("no such file") if found is None else found,
            hint=tr("put it back, or start another distillation"),
        )
    return Network.load(folder / MODEL)
