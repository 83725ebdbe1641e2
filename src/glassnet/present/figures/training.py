"""A training in one figure: curves, and predictions for some images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.data import Dataset
from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.present.figures.base import GREY, WRONG, new_figure, percent
from glassnet.present.figures.curves import draw_curves
from glassnet.present.figures.images import drawable
from glassnet.support.i18n import tr
from glassnet.training import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST = 14  # letters above an image


def training_figure(history: History, network: Network, data: Dataset | None, title: str = "") -> Figure:
    """Loss and accuracy over the epochs and, if there are images, predictions for some of them, up to a third wrong."""
    images = data is not None and data.is_classification and drawable(data.shape)
    figure = new_figure(10, 4.9 if images else 3.2)
    curves, *rest = figure.subfigures(2 if images else 1, 1, height_ratios=[3, 1.35] if images else None, squeeze=False)
    curves = curves[0]
    if title:
        curves.suptitle(title, fontsize=11)
    left, right = curves.subplots(1, 2)
    draw_curves(left, tr("loss"), history.train_cost, history.validation_cost, last=True)
    draw_curves(right, tr("accuracy, %"), history.train_accuracy, history.validation_accuracy, 100.0, last=True)
    if images and data is not None:
        _predictions(rest[0][0], network, data)
    return figure


def _predictions(figure: Any, network: Network, data: Dataset, count: int = 12) -> None:
    predicted = network.predict(data.images)
    rng = np.random.default_rng(0)
    wrong = rng.permutation(np.flatnonzero(predicted != data.labels))[: count // 3]
    right = rng.permutation(np.flatnonzero(predicted == data.labels))[: count - len(wrong)]
    chosen = np.concatenate([right, wrong])
    try:
        probabilities: Any = network.predict_proba(data.images[chosen])
    except InputError:  # outputs that are not probabilities
        probabilities = [None] * len(chosen)
    figure.suptitle(tr("validation images: predicted class and its probability"), fontsize=10, color=GREY)
    for axes, index, each in zip(figure.subplots(1, count).flat, chosen, probabilities, strict=False):
        axes.imshow(data.images[index].squeeze(), cmap="gray", interpolation="nearest")
        said, truth = network.classes[predicted[index]], network.classes[data.labels[index]]
        confidence = "" if each is None else f"\n{percent(float(each[predicted[index]]))}"
        if said == truth:
            axes.set_title(f"{_short(said)}{confidence}", fontsize=9)
        else:
            axes.set_title(_wrong(said, truth) + confidence, fontsize=9, color=WRONG)
    for axes in figure.axes:
        axes.set_axis_off()


def _short(name: str) -> str:
    """A class name, cut so that it does not overlap the next one."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _wrong(said: str, truth: str) -> str:
    """On one line, or on two if that is too long."""
    one = tr("{said}, is {truth}", said=said, truth=truth)
    return one if len(one) <= LONGEST else tr("{said},\nis {truth}", said=_short(said), truth=_short(truth))
