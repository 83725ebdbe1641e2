"""A training in one figure: curves, and what the network says of some images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.data import Dataset
from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.present.figures.base import GREY, TRAIN, VALIDATION, WRONG, percent
from glassnet.present.figures.curves import whole_epochs
from glassnet.support.i18n import tr
from glassnet.training import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONGEST = 14  # letters above an image


def training_figure(history: History, network: Network, data: Dataset | None, title: str = "") -> Figure:
    """Cost and accuracy over the epochs, and, where there are images, what the network says of some of them.

    Of the images shown up to a third are mistakes, so that there is something to learn from.
    """
    from matplotlib.figure import Figure

    images = data is not None and data.is_classification and len(data.shape) == 3 and data.shape[2] in (1, 3)
    figure = Figure(figsize=(10, 4.9 if images else 3.2), layout="constrained")
    curves, *rest = figure.subfigures(2 if images else 1, 1, height_ratios=[3, 1.35] if images else None, squeeze=False)
    curves = curves[0]
    if title:
        curves.suptitle(title, fontsize=11)
    left, right = curves.subplots(1, 2)
    _curve(left, tr("loss"), history.train_cost, history.validation_cost, 1.0)
    _curve(right, tr("accuracy, %"), history.train_accuracy, history.validation_accuracy, 100.0)
    if images and data is not None:
        _predictions(rest[0][0], network, data)
    return figure


def _curve(axes: Axes, name: str, train: list[Any], validation: list[Any], factor: float) -> None:
    epochs = np.arange(1, len(train) + 1)
    for label, column, colour in ((tr("training"), train, TRAIN), (tr("validation"), validation, VALIDATION)):
        values = [factor * value for value in column if value is not None]
        if values:
            mark = "o" if len(values) == 1 else None
            axes.plot(
                epochs[: len(values)],
                values,
                color=colour,
                label=tr("{series}, at the end {value:.4g}", series=label, value=values[-1]),
                marker=mark,
            )
    whole_epochs(axes, len(train))
    axes.set_xlabel(tr("epoch"))
    axes.set_title(name, fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    if axes.lines:
        axes.legend(frameon=False, fontsize=8)


def _predictions(figure: Any, network: Network, data: Dataset, count: int = 12) -> None:
    found = network.predict(data.images)
    chance = np.random.default_rng(0)
    wrong = chance.permutation(np.flatnonzero(found != data.labels))[: count // 3]
    right = chance.permutation(np.flatnonzero(found == data.labels))[: count - len(wrong)]
    chosen = np.concatenate([right, wrong])
    probabilities = _probabilities(network, data.images[chosen])
    figure.suptitle(tr("validation images: what the network says, and how sure it is"), fontsize=10, color=GREY)
    for axes, index, share in zip(figure.subplots(1, count).flat, chosen, probabilities, strict=False):
        axes.imshow(data.images[index].squeeze(), cmap="gray", interpolation="nearest")
        said, truth = network.classes[found[index]], network.classes[data.labels[index]]
        sure = "" if share is None else f"\n{percent(float(share[found[index]]))}"
        if said == truth:
            axes.set_title(f"{_short(said)}{sure}", fontsize=9)
        else:
            axes.set_title(_wrong(said, truth) + sure, fontsize=9, color=WRONG)
    for axes in figure.axes:
        axes.set_axis_off()


def _short(name: str) -> str:
    """A class's name, cut where it would run into the next image's."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _wrong(said: str, truth: str) -> str:
    """On one line, or where that is too long on two."""
    one = tr("{said}, is {truth}", said=said, truth=truth)
    return one if len(one) <= LONGEST else tr("{said},\nis {truth}", said=_short(said), truth=_short(truth))


def _probabilities(network: Network, images: Any) -> Any:
    try:
        return network.predict_proba(images)
    except InputError:
        return [None] * len(images)
