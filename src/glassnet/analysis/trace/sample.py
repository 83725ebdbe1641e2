"""The image that is traced, its label, and the differences to training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from glassnet.analysis.trace.document import ImageView
from glassnet.data import Dataset
from glassnet.data.readers.image import read_image
from glassnet.errors import DataError, InputError
from glassnet.experiment.run import Run
from glassnet.network import Network
from glassnet.support.arrays import Array
from glassnet.support.i18n import Message, first_of, mark, same, tr
from glassnet.support.registry import did_you_mean, nearest

AMONG = 300  # examples in which the default is searched


def unsure(network: Network, data: Dataset, part: str) -> tuple[int, Message | None]:
    """The index of a good example, and why it was chosen.

    Of the first images, the one that is classified correctly with the lowest probability: where the network is sure, the
    loss and all gradients are nearly 0. Without a correct one, the lowest probability decides; without classes, the first.
    """
    among = data.head(AMONG)
    if not among.is_classification:
        return 0, None
    try:
        probabilities = network.predict_proba(among.images)
    except InputError:  # outputs that are not probabilities
        return 0, None
    highest, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == among.labels
    if not np.isfinite(highest).all():
        return 0, None
    place = int(np.where(right, highest, highest + right.any()).argmin())
    facts = {
        "count": len(among),
        "part": tr("validation") if part == "validation" else tr("training"),
        "share": tr("{share} %", share=f"{100 * highest[place]:.0f}"),
    }
    if right.any():
        text = mark("Of the first {count} {part} images, the one classified correctly with the lowest probability, {share}.")
    else:
        text = mark("Of the first {count} {part} images, all misclassified, the one with the lowest probability, {share}.")
    return place, tr(text, **facts)


def part_of(run: Run, part: str) -> Dataset:
    """The training or the validation part of a run's data."""
    if part not in ("train", "validation"):
        raise InputError(
            tr("Unknown part of the data."), where="trace(part)", expected="'train' | 'validation'", received=repr(part),
            hint=tr("the test set is used only by glassnet evaluate") if part == 'test' else None,
        )  # fmt: skip
    found = run.splits.train if part == "train" else run.splits.validation
    if found is None:
        raise DataError(tr("This data has no validation set."), where=run.recipe.data.source)
    return found


def subject_of(
    network: Network, image: Any, label: Any, data: Dataset | None, part: str, run: Run | None, notes: list[Message]
) -> tuple[Array, Array, Message]:
    """The image, its label as an array of one, and its description."""
    given = None if label is None else _label(network, label)
    if isinstance(image, (int, np.integer)) and not isinstance(image, bool):
        x, known, place = _of_data(int(image), data, part)
        target = known if given is None else given
    else:
        if isinstance(image, (str, Path)):
            fit = "stretch" if run is None else run.recipe.data.fit
            x, place = read_image(image, network.input_shape, fit), same(Path(image).name)
        else:
            x, place = np.asarray(image), tr("the image")
            if x.size != network.features:
                raise InputError(tr("The image does not fit the network."), where="trace(image)",
                                 expected=network.input_shape, received=x.shape)  # fmt: skip
        if given is None and not _classifies(network):
            raise InputError(tr("The network does not classify: give the target."), where="--label",
                             expected=tr("{count} numbers", count=network.outputs), received="None")  # fmt: skip
        target = network.predict(x[None]) if given is None else given
        if given is None:
            answer = network.classes[int(target[0])]
            notes.append(tr("No label was given: the network's prediction, {answer}, is used as the target.", answer=answer))
    if target.dtype.kind == "f":
        shown = ", ".join(f"{value:g}" for value in target.ravel())
        return x, target, tr("{place}, target {shown}", place=place, shown=shown)
    right, answer = (network.classes[int(index)] for index in (target[0], network.predict(x[None])[0]))
    return x, target, tr("{place}, labelled {right}; predicted {answer}", place=place, right=right, answer=answer)


def _of_data(number: int, data: Dataset | None, part: str) -> tuple[Array, Array, Message]:
    """An image of the data, its label as an array of one, and its description."""
    if data is None:
        raise InputError(tr("An image number needs a data set."), where="trace(data)", expected="a Dataset",
                         received="None", hint=tr("trace(network, image, label=…), or data=…"))  # fmt: skip
    if not 0 <= number < len(data):
        raise InputError(
            tr("There is no such image."),
            where=f"--image {number}",
            expected=tr("0 … {last}, of the {part} part", last=len(data) - 1, part=part),
            received=number,
            hint=f"--image {min(max(0, number), len(data) - 1)}",
        )
    x, of_part = data.images[number], tr("validation") if part == "validation" else tr("training")
    place = tr("example {number} of the {part} data", number=number, part=of_part)
    if as_image(x) is not None:
        place = tr("image {number} of the {part} data", number=number, part=of_part)
    return x, data.labels[number : number + 1], place


def _classifies(network: Network) -> bool:
    return network.outputs > 1 or network.loss.link is not None or type(network.layers[-1]).__name__ == "Sigmoid"


def _label(network: Network, label: Any) -> Array:
    """A label as an array of one: a class's name or number, or targets."""
    if isinstance(label, str) and label in network.classes:
        return np.array([network.classes.index(label)])
    if isinstance(label, (list, tuple, np.ndarray)) and np.asarray(label).dtype.kind == "f":
        return np.asarray(label, dtype=np.float64).reshape(1, -1)
    number = int(label) if isinstance(label, (int, np.integer)) or (isinstance(label, str) and label.isdigit()) else -1
    if not 0 <= number < len(network.classes):
        raise InputError(
            tr("There is no such class."),
            where="--label",
            expected=first_of(network.classes, " | "),
            received=repr(label),
            hint=did_you_mean(nearest(str(label), network.classes)),
        )
    return np.array([number])


def as_image(image: Array) -> ImageView | None:
    """The image, if it can be shown as one."""
    if image.ndim != 3 or image.shape[2] not in (1, 3):
        return None
    values = image[..., 0] if image.shape[2] == 1 else image
    return ImageView(tr("the image"), "x", values.astype(np.float64))


def differences_of(run: Run) -> list[Message]:
    """What training does differently from this one step."""
    training, notes = run.recipe.training, []
    if training.batch_size > 1:
        notes.append(
            tr(
                "Training averages the gradients of {count} images; this step uses only this one.",
                count=training.batch_size,
            )
        )
    if training.augmentation is not None:
        notes.append(tr("Training augments its images at random; the original image is used here."))
    if training.class_weight is not None:
        notes.append(tr("Training weights the classes; the weight is 1 here."))
    return notes
