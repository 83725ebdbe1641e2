"""Figures for files and notebooks: functions from results to matplotlib figures, drawn without a screen."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.atomic import write_bytes
from glassnet.augmentation import Augmentation
from glassnet.data import Dataset
from glassnet.errors import InputError
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


def augmentation_figure(
    data: Dataset, augmentation: Augmentation, *, seed: int = 0, count: int = 8, views: int = 11, title: str = ""
) -> Figure:
    """A sheet: on the left `count` pictures of different classes, and beside each what training sees of it, `views` times.

    Raises `InputError` where the data holds no grey or coloured pictures.
    """
    from matplotlib.figure import Figure

    if len(data.shape) != 3 or data.shape[2] not in (1, 3):
        raise InputError(
            "Only pictures can be drawn.",
            where="augmentation_figure(data)",
            expected="pictures (H, W, 1) or (H, W, 3)",
            received=data.shape,
        )
    first = np.unique(data.labels, return_index=True)[1] if data.is_classification else np.arange(len(data))
    chosen = np.sort(first)[:count]
    chosen = np.append(chosen, np.setdiff1d(np.arange(min(len(data), 2 * count)), chosen)[: count - len(chosen)])
    plain = data.images[chosen]
    changed = augmentation(np.repeat(plain, views, axis=0), seed)
    left, right = _sheet(plain, 1), _sheet(changed, views)
    gap = np.full((len(left), data.shape[1] // 3, 3), 255, dtype=np.uint8)
    whole, start = np.concatenate([left, gap, right], axis=1), left.shape[1] + gap.shape[1]
    inches = 0.55 * (views + 1.5)
    figure = Figure(figsize=(inches, inches * len(whole) / whole.shape[1] + 0.6), layout="constrained")
    axes = figure.subplots()
    axes.imshow(whole, interpolation="nearest")
    for at, name in ((0, "before"), (start, "after, as training sees them")):
        axes.annotate(name, (at, 0), (0, 5), textcoords="offset points", fontsize=9, color=GREY, annotation_clip=False)
    axes.set_axis_off()
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def _sheet(pictures: Any, columns: int, gap: int = 2) -> Any:
    """Pictures (N, H, W, C) side by side, as one of (…, 3) with white between them; floats from their least to their most."""
    if pictures.dtype.kind == "f":
        low, high = float(pictures.min()), float(pictures.max())
        pictures = (pictures - low) / (high - low if high > low else 1) * 255
    count, height, width, channels = pictures.shape
    rows = count // columns
    sheet = np.full((rows, height + gap, columns, width + gap, channels), 255, dtype=np.uint8)
    sheet[:, :height, :, :width] = pictures.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    whole = sheet.reshape(rows * (height + gap), columns * (width + gap), channels)[:-gap, :-gap]
    return np.broadcast_to(whole, (*whole.shape[:2], 3))


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
