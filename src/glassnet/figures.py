"""Figures for files and notebooks: functions from results to matplotlib figures, drawn without a screen."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.atomic import write_bytes
from glassnet.data import Dataset
from glassnet.network import Network
from glassnet.rate_test import RateTest
from glassnet.training import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAIN, VALIDATION, WRONG, GREY = "#8a8f98", "#1f6feb", "#d1242f", "#57606a"


def training_figure(history: History, network: Network, data: Dataset | None, title: str = "") -> Figure:
    """Cost and accuracy over the epochs, and, where there are pictures, what the network says of some of them.

    Of the pictures shown up to a third are mistakes, so that there is something to learn from.
    """
    from matplotlib.figure import Figure

    pictures = data is not None and data.is_classification and len(data.shape) == 3 and data.shape[2] in (1, 3)
    figure = Figure(figsize=(10, 5.6 if pictures else 3.2), layout="constrained")
    curves, *rest = figure.subfigures(2 if pictures else 1, 1, height_ratios=[3, 2] if pictures else None, squeeze=False)
    curves = curves[0]
    if title:
        curves.suptitle(title, fontsize=11)
    left, right = curves.subplots(1, 2)
    _curve(left, "cost", history.train_cost, history.validation_cost, 1.0)
    _curve(right, "accuracy, %", history.train_accuracy, history.validation_accuracy, 100.0)
    if pictures and data is not None:
        _predictions(rest[0][0], network, data)
    return figure


def _curve(axes: Axes, name: str, train: list[Any], validation: list[Any], factor: float) -> None:
    epochs = np.arange(1, len(train) + 1)
    for label, column, colour in (("training", train, TRAIN), ("validation", validation, VALIDATION)):
        values = [factor * value for value in column if value is not None]
        if values:
            mark = "o" if len(values) == 1 else None
            axes.plot(epochs[: len(values)], values, color=colour, label=f"{label}, at the end {values[-1]:.4g}", marker=mark)
    axes.set_xlabel("epoch")
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
    figure.suptitle("validation pictures: what the network says, and how sure it is", fontsize=10, color=GREY)
    for axes, index, share in zip(figure.subplots(1, count).flat, chosen, probabilities, strict=False):
        axes.imshow(data.images[index].squeeze(), cmap="gray", interpolation="nearest")
        said, truth = network.classes[found[index]], network.classes[data.labels[index]]
        sure = "" if share is None else f"\n{100 * share[found[index]]:.0f} %"
        if said == truth:
            axes.set_title(f"{said}{sure}", fontsize=9)
        else:
            axes.set_title(f"{said}, is {truth}{sure}", fontsize=9, color=WRONG)
    for axes in figure.axes:
        axes.set_axis_off()


def _probabilities(network: Network, images: Any) -> Any:
    from glassnet.errors import InputError

    try:
        return network.predict_proba(images)
    except InputError:
        return [None] * len(images)


def learning_rate_figure(result: RateTest, title: str = "") -> Figure:
    """The costs over the learning rates of a range test, as they were and smoothed, and the rate it suggests."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(result.rates, result.raw, color=TRAIN, linewidth=0.8, label="of each mini-batch")
    axes.plot(result.rates, result.costs, color=VALIDATION, label="smoothed")
    if result.suggested is not None:
        axes.axvline(result.suggested, color=WRONG, linestyle="--", label=f"suggested: {result.suggested:.2g}")
    axes.set_xscale("log")
    spread = float(np.ptp(result.costs)) or 1.0
    axes.set_ylim(float(result.costs.min()) - 0.15 * spread, float(result.costs.max()) + 0.15 * spread)
    axes.set_xlabel("learning rate")
    axes.set_title(f"cost{f': {title}' if title else ''}", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    axes.legend(frameon=False, fontsize=8)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure as a PNG file, in one step."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    write_bytes(path, buffer.getvalue())
