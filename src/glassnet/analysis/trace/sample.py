"""The image that is traced, what it shows, and what of training is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from glassnet.analysis.trace.document import ImageView, Text
from glassnet.data import Dataset
from glassnet.data.readers.image import read_image
from glassnet.errors import DataError, InputError
from glassnet.experiment.run import Run
from glassnet.network import Network
from glassnet.support.arrays import Array
from glassnet.support.registry import nearest


def part_of(run: Run, part: str) -> Dataset:
    """The training or the validation part of a run's data."""
    if part not in ("train", "validation"):
        raise InputError(
            "Unknown part of the data.", where="trace(part)", expected="'train' | 'validation'", received=repr(part),
            hint="the test set stays closed; only glassnet evaluate opens it" if part == "test" else None,
        )  # fmt: skip
    found = run.splits.train if part == "train" else run.splits.validation
    if found is None:
        raise DataError("This data has no validation set.", where=run.recipe.data.path or run.recipe.data.dataset)
    return found


def subject_of(
    network: Network, image: Any, label: Any, data: Dataset | None, part: str, run: Run | None, notes: list[Text]
) -> tuple[Array, Array, Text]:
    """The image, its label as an array of one, and what it is in words."""
    if isinstance(image, (int, np.integer)) and not isinstance(image, bool):
        if data is None:
            raise InputError("There is no data to take an image from.", where="trace(data)", expected="a Dataset",
                             received="None", hint="trace(network, image, label=…), or data=…")  # fmt: skip
        if not 0 <= image < len(data):
            raise InputError(
                "There is no such image.",
                where=f"--image {image}",
                expected=f"0 … {len(data) - 1}, of the {part} part",
                received=image,
                hint=f"--image {min(max(0, int(image)), len(data) - 1)}",
            )
        x, target = data.images[int(image)], data.labels[int(image) : int(image) + 1]
        if label is not None:
            target = _label(network, label)
        thing, measure = ("image", "张图片") if as_image(x) is not None else ("example", "个样本")
        whose, zh = ("validation", "验证") if part == "validation" else ("training", "训练")
        place, zh = f"{thing} {image} of the {whose} data", f"{zh}数据的第 {image} {measure}"
    else:
        if isinstance(image, (str, Path)):
            fit = "stretch" if run is None else run.recipe.data.fit
            x, place = read_image(image, network.input_shape, fit), Path(image).name
            zh = place
        else:
            x, place, zh = np.asarray(image), "the image", "给定的图片"
            if x.size != network.features:
                raise InputError("The image does not fit the network.", where="trace(image)",
                                 expected=network.input_shape, received=x.shape)  # fmt: skip
        if label is None and not _classifies(network):
            raise InputError("The network tells no classes apart: it needs the target.", where="--label",
                             expected=f"{network.outputs} numbers", received="None")  # fmt: skip
        target = network.predict(x[None]) if label is None else _label(network, label)
        if label is None:
            notes.append(
                Text(
                    f"No label was given: what the network says, {network.classes[int(target[0])]}, is taken as the target.",
                    f"未给出标签：以网络的回答 {network.classes[int(target[0])]} 作为目标。",
                )
            )
    if target.dtype.kind == "f":
        shown = ", ".join(f"{value:g}" for value in target.ravel())
        return x, target, Text(f"{place}, target {shown}", f"{zh}，目标 {shown}")
    answer = network.classes[int(network.predict(x[None])[0])]
    right = network.classes[int(target[0])]
    return (
        x,
        target,
        Text(f"{place}, labelled {right}; the network says {answer}", f"{zh}，标签 {right}；网络的回答是 {answer}"),
    )


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
        close = nearest(str(label), network.classes)
        raise InputError(
            "There is no such class.",
            where="--label",
            expected=" | ".join(network.classes),
            received=repr(label),
            hint=f"did you mean {close!r}?" if close else None,
        )
    return np.array([number])


def as_image(image: Array) -> ImageView | None:
    """The image to be shown, where it is one."""
    if image.ndim != 3 or image.shape[2] not in (1, 3):
        return None
    values = image[..., 0] if image.shape[2] == 1 else image
    return ImageView(Text("the image", "图片"), "x", values.astype(np.float64))


def differences_of(run: Run) -> list[Text]:
    """What training does that this one step leaves out."""
    training, notes = run.recipe.training, []
    if training.batch_size > 1:
        notes.append(
            Text(
                f"Training averages the gradients of {training.batch_size} images; here the step is of this one alone.",
                f"训练时每步对 {training.batch_size} 张图片的梯度取平均；这里只用这一张。",
            )
        )
    if training.augmentation is not None:
        notes.append(
            Text("Training changes its images at random; here the image is as it is.", "训练时会随机改变图片；这里用原图。")
        )
    if training.class_weight is not None:
        notes.append(Text("Training weighs the classes; here the weight is 1.", "训练时对类别加权；这里权重为 1。"))
    return notes
