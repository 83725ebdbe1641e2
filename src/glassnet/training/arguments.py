"""Arguments of `fit` and its like, checked before anything begins, and the random generators of an epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data import Dataset
from glassnet.data.augmentation import Augmentation
from glassnet.errors import InputError, ModelFileError
from glassnet.nn.optimizers import Optimizer, ScipyMinimize
from glassnet.nn.stack import Stack
from glassnet.runtime import StepPlan
from glassnet.support.arrays import Array
from glassnet.support.checks import is_whole, whole_number
from glassnet.support.i18n import first_of, tr
from glassnet.support.memory import require_memory
from glassnet.support.registry import describe

ORDER, DROPOUT, AUGMENTATION = 0, 1, 2  # streams of random numbers of an epoch


@dataclass(frozen=True, kw_only=True)
class Plan(StepPlan):
    """The arguments of `fit`, checked."""

    train: Dataset
    epochs: int
    soft_targets: Array | None = None  # (N, outputs), in place of the labels
    validation: Dataset | None = None
    seed: int = 0
    keep_best: bool = False
    checkpoint: Path | None = None
    resume: bool = False
    plain_epochs: int = 0  # the last ones, without augmentation
    shuffle_block: int | None = None  # images that stay together in the order of an epoch, up to a window
    statistics: bool = True  # of the layers' outputs, after each epoch

    @property
    def targets(self) -> Array:
        """What the loss compares the outputs with: the soft targets, else the labels."""
        return self.train.labels if self.soft_targets is None else self.soft_targets

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.train) // self.batch_size)

    def shown(self) -> dict[str, Any]:
        """The settings, to be shown: `Progress.settings`."""
        return {
            "optimizer": describe(self.optimizer),
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "images": len(self.train),
            "average": self.averaging,
            "augmentation": None if self.augmentation is None else describe(self.augmentation),
            "plain_epochs": self.plain_epochs or None,
            "shuffle_block": self.shuffle_block,
            "precision": None if self.precision == "float32" else self.precision,
        }


def network_settings(stack: Stack) -> dict[str, Any]:
    """Those of the network, to be shown."""
    return {"layers": [repr(layer) for layer in stack.layers], "loss": repr(stack.loss), "parameters": stack.flat.size}


def epoch_generator(seed: int, epoch: int, stream: int) -> np.random.Generator:
    """The random numbers of one epoch, from the seed alone, so that training can resume at any epoch."""
    words = [seed >> shift & 0xFFFFFFFF for shift in range(0, max(1, seed.bit_length()), 32)]
    return np.random.default_rng(np.array([*words, epoch, stream], dtype=np.uint32))  # default_rng([…]), which takes longer


def as_dataset(
    value: Dataset | tuple[Array, Array], where: str, classes: Sequence[str] | None = None, new: int | None = None
) -> Dataset:
    """A Dataset from itself or from (images, labels): class indices, one-hot rows, or names.

    Names are those of `classes`, if given; or others, sorted, where there are as many as `new`.
    """
    if isinstance(value, Dataset):
        return value
    if isinstance(value, (tuple, list)) and len(value) == 2:
        labels = np.asarray(value[1])
        if labels.ndim != 1 or not len(labels) or not all(isinstance(label, str) for label in labels):
            return Dataset(value[0], _indices(labels))
        names = tuple(map(str, np.unique(labels.astype(np.str_))))
        if classes is not None and set(names) <= set(classes):
            names = tuple(classes)
        elif classes is not None and len(names) != new:
            raise InputError(
                tr("The labels are names that are not the network's classes."),
                where=where,
                expected=tr("{count} names", count=new) if new else first_of(classes),
                received=first_of(names),
                hint=tr("give the last Dense layer {units} units", units=len(names)) if new else None,
            )
        places = {name: place for place, name in enumerate(names)}
        return Dataset(value[0], [places[str(label)] for label in labels], classes=names)
    raise InputError(
        tr("This is not a data set."),
        where=where,
        expected=tr("a Dataset, or (images, labels)"),
        received=type(value).__name__,
    )


def _indices(labels: Array) -> Array:
    """One-hot rows (N, classes), and a column (N, 1) of integers, as class indices (N,); other labels as they are."""
    if labels.ndim == 2 and labels.shape[1] == 1 and labels.dtype.kind in "biu":
        return labels[:, 0]
    is_one_hot = labels.ndim == 2 and labels.shape[1] > 1 and labels.dtype.kind in "biuf"
    if is_one_hot and ((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all():
        return np.asarray(labels.argmax(axis=1))
    return labels


def check_seed(seed: int) -> int:
    if is_whole(seed) and seed >= 0:
        return int(seed)
    return whole_number(seed, tr("A seed is a whole number of at least 0."), "seed", "0, 1, 2 …", least=0)


def check_whole(value: object, name: str, least: int, where: str) -> None:
    """Refuse an argument that is not a whole number of at least `least`."""
    if is_whole(value) and value >= least:
        return
    if least == 1:
        what = tr("{name} must be a whole number above 0.", name=name)
    else:
        what = tr("{name} must be a whole number of at least {least}.", name=name, least=least)
    whole_number(value, what, f"{where}({name})", tr("{least} or more", least=least), least)


def check_fit(
    epochs: int,
    batch_size: int,
    plain_epochs: int,
    keep: str,
    average: float | None,
    augmentation: Augmentation | None,
    optimizer: Optimizer | ScipyMinimize,
    shuffle_block: int | None = None,
) -> None:
    """Refuse what `Network.fit` can't do with these arguments of it."""
    for name, value, least in (("epochs", epochs, 1), ("batch_size", batch_size, 1), ("plain_epochs", plain_epochs, 0)):
        check_whole(value, name, least, "fit")
    if shuffle_block is not None:
        check_whole(shuffle_block, "shuffle_block", 1, "fit")
    if keep not in ("last", "best"):
        raise InputError(tr("Unknown choice."), where="fit(keep)", expected="'last' | 'best'", received=repr(keep))
    if average is not None and not (isinstance(average, float) and 0 < average < 1):
        raise InputError(
            tr("The decay of the moving average must lie between 0 and 1."),
            where="fit(average)",
            expected=tr("a number between 0 and 1, such as 0.999"),
            received=average,
        )
    if isinstance(optimizer, ScipyMinimize):
        expected = tr("None, or another optimizer")
        if average is not None:
            what = tr("ScipyMinimize has no mini-batch steps to average over.")
            raise InputError(what, where="fit(average)", expected=expected, received=average)
        if augmentation is not None:
            what = tr("ScipyMinimize needs the same images in every step.")
            raise InputError(what, where="fit(augmentation)", expected=expected, received=augmentation)


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


def as_soft_targets(values: Array | None, images: int, stack: Stack) -> Array | None:
    """Soft targets (N, outputs), one row for each image, or None."""
    if values is None:
        return None
    rows = np.asarray(values)
    if rows.dtype.kind != "f" or rows.shape != (images, stack.outputs) or not np.isfinite(rows).all():
        raise InputError(
            tr("Soft targets are one row of numbers for each training image."),
            where="fit(soft_targets)",
            expected=tr("floating numbers ({images}, {outputs}), all finite", images=images, outputs=stack.outputs),
            received=f"{rows.dtype} {rows.shape}",
        )
    return np.asarray(rows, dtype=np.float64)


def check_sign(data: Dataset, outputs: int) -> None:
    """Refuse several floating targets, whose accuracy is not defined."""
    if outputs != 1:
        raise InputError(
            tr("Accuracy is defined only for classes, and for the sign of a single target."),
            where="evaluate(data)",
            expected=tr("labels (N,) of classes, or targets (N, 1)"),
            received=tr("targets {shape}", shape=data.labels.shape),
        )


def class_names(names: Sequence[str] | None, stack: Stack) -> tuple[str, ...]:
    """The names of a network's classes, one for each; by default 0, 1, …"""
    hint = tr("end the network with a Dense layer with one unit per class")
    outputs = stack.outputs
    require_memory(64 * outputs, tr("the names of {outputs:,} classes", outputs=outputs), repr(stack.layers[-1]), hint)
    count = max(2, outputs)
    if names is None:
        return tuple(str(i) for i in range(count))
    if len(names) != count:
        raise InputError(
            tr("The number of class names does not fit the network's outputs."),
            where="Network(classes)",
            expected=tr("{count} names, as a single output distinguishes two classes", count=count)
            if outputs == 1
            else tr("{count} names", count=count),
            received=f"{len(names)}: {', '.join(map(str, names[:12]))}{' …' if len(names) > 12 else ''}",
            hint=tr(
                "give the last Dense layer {names} units, or use an architecture, which adapts to the number of classes",
                names=len(names),
            )
            if len(names) > 1
            else None,
        )
    return tuple(map(str, names))


def check_novelty(data: Dataset) -> None:
    """Refuse what novelty is not defined for: targets that are not classes, and a single training image."""
    where = "fit_novelty(train)"
    if not data.is_classification:
        expected, received = tr("labels (N,) of classes"), tr("targets {shape}", shape=data.labels.shape)
        raise InputError(tr("Novelty is defined only for classes."), where=where, expected=expected, received=received)
    if len(data) < 2:
        what = tr("Novelty needs at least two training images.")
        raise InputError(what, where=where, expected=tr("{least} or more", least=2), received=len(data))


def image_weights(
    data: Dataset, class_weight: Mapping[int, float] | str | None, sample_weight: Array | None
) -> NDArray[np.float64] | None:
    """The weight of each image: its own times its class's; None where all are 1."""
    if class_weight is None and sample_weight is None:
        return None
    weights = np.ones(len(data)) if sample_weight is None else np.array(sample_weight, dtype=np.float64)
    if class_weight is not None:
        counts = data.counts
        if isinstance(class_weight, str):
            if class_weight != "balanced":
                raise InputError(
                    tr("Unknown class weights."),
                    where="fit(class_weight)",
                    expected=tr("'balanced', or {weights}", weights="{class: weight}"),
                    received=repr(class_weight),
                )
            table = len(data) / (np.count_nonzero(counts) * np.maximum(counts, 1))
        else:
            table = np.ones(len(counts))
            for label, weight in class_weight.items():
                if not 0 <= int(label) < len(counts):
                    raise InputError(
                        tr("There is no such class."),
                        where="fit(class_weight)",
                        expected=f"0 … {len(counts) - 1}",
                        received=label,
                    )
                table[int(label)] = weight
        weights = weights * table[data.labels]
    if weights.shape != (len(data),) or not np.isfinite(weights).all() or weights.min() < 0:
        raise InputError(
            tr("sample_weight must hold one non-negative number for each image."),
            where="fit(sample_weight)",
            expected=tr("({count},), finite, none negative", count=len(data)),
            received=f"shape {weights.shape}",
        )
    return weights


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
