"""A training in one figure: curves, and predictions for some images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.data import Dataset
from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.present.figures.base import GREY, INK, WRONG, percent
from glassnet.present.figures.curves import draw_curves
from glassnet.present.figures.images import drawable
from glassnet.support.i18n import tr
from glassnet.training import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONGEST = 14  # letters above an image
WIDTH = 10  # inches


def training_figure(history: History, network: Network, data: Dataset | None, title: str = "") -> Figure:
    """Loss and accuracy over the epochs and, if there are images, predictions for some of them, up to a third wrong."""
    from matplotlib.figure import Figure

    images = data is not None and data.is_classification and drawable(data.shape)
    height, below = (4.9, 1.6) if images else (3.2, 0.0)
    figure = Figure(figsize=(WIDTH, height))  # fixed margins, as those of `chart`
    figure.subplots_adjust(0.55 / WIDTH, (below + 0.65) / height, 1 - 0.15 / WIDTH, 1 - 0.55 / height, wspace=0.15)
    if title:
        figure.suptitle(title, fontsize=11, y=1 - 0.1 / height)
    left, right = figure.subplots(1, 2)
    draw_curves(left, tr("loss"), history.train_cost, history.validation_cost, last=True)
    draw_curves(right, tr("accuracy, %"), history.train_accuracy, history.validation_accuracy, 100.0, last=True)
    if images and data is not None:
        _predictions(figure.add_axes((0.15 / WIDTH, 0.1 / height, 1 - 0.3 / WIDTH, below / height)), network, data)
    return figure


def _predictions(axes: Axes, network: Network, data: Dataset, count: int = 12) -> None:
    """Images in a row on one pair of axes, in units of their width: a pair for each takes long to draw."""
    predicted = network.predict(data.images)
    rng = np.random.default_rng(0)
    wrong = rng.permutation(np.flatnonzero(predicted != data.labels))[: count // 3]
    right = rng.permutation(np.flatnonzero(predicted == data.labels))[: count - len(wrong)]
    chosen = np.concatenate([right, wrong])
    try:
        probabilities: Any = network.predict_proba(data.images[chosen])
    except InputError:  # outputs that are not probabilities
        probabilities = [None] * len(chosen)
    axes.set_title(tr("validation images: predicted class and its probability"), fontsize=10, color=GREY)
    axes.set_axis_off()
    tall, wide = data.shape[0] / max(data.shape[:2]), data.shape[1] / max(data.shape[:2])
    step, top = 1.12, 1.75  # from image to image; to the upper end of the axes
    for place, (index, each) in enumerate(zip(chosen, probabilities, strict=True)):
        middle = step * (place + 0.5)
        axes.imshow(
            data.images[index].squeeze(), cmap="gray", interpolation="nearest",
            extent=(middle - wide / 2, middle + wide / 2, 0, tall),
        )  # fmt: skip
        said, truth = network.classes[predicted[index]], network.classes[data.labels[index]]
        confidence = "" if each is None else f"\n{percent(float(each[predicted[index]]))}"
        text, colour = (_short(said), INK) if said == truth else (_wrong(said, truth), WRONG)
        axes.text(middle, tall + 0.06, text + confidence, fontsize=9, color=colour, ha="center", va="bottom")
    axes.set_xlim(0, step * count)
    axes.set_ylim(0, top)


def _short(name: str) -> str:
    """A class name, cut so that it does not overlap the next one."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _wrong(said: str, truth: str) -> str:
    """On one line, or on two if that is too long."""
    one = tr("{said}, is {truth}", said=said, truth=truth)
    return one if len(one) <= LONGEST else tr("{said},\nis {truth}", said=_short(said), truth=_short(truth))
