"""The quality of a network: accuracy of each class, confusion matrix and calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassnet.nn.confusion import DRAWN
from glassnet.nn.metrics import Calibration, Evaluation, wilson
from glassnet.present.figures.base import GREY, INK, LINE, PALE, VALIDATION, chart, new_axes, plain, width_of, zoom
from glassnet.support.i18n import tr

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_BARS = 30
LONGEST = 30  # letters of a class name beside its bar


def class_accuracy_figure(result: Evaluation) -> Figure:
    """The recall of each class with its 95 % interval, of more than 30 the worst; above 60, how many have which recall."""
    reports = [report for report in result.per_class if report.total]
    if len(reports) > DRAWN:
        return _recall_histogram(np.array([report.recall for report in reports]), result.accuracy)
    if len(reports) > MOST_BARS:
        reports = sorted(reports, key=lambda report: report.recall)[:MOST_BARS]
    names = [_short(report.name) for report in reports]
    left = 0.15 + max(map(width_of, names), default=0)
    figure, (axes,) = chart(4.8, 0.8 + 0.27 * max(3, len(reports)), left=left)
    figure.subplots_adjust(bottom=0.3 / figure.get_figheight(), right=1 - 0.5 / 4.8)  # no name below, a number on the right
    places = np.arange(len(reports))
    shares = np.array([100 * report.recall for report in reports])
    bounds = np.array([wilson(report.correct, report.total) for report in reports]) * 100
    low, _ = zoom(float(bounds.min(initial=100)), 100)
    axes.errorbar(
        shares, places, xerr=np.abs(bounds.T - shares), fmt="o", color=VALIDATION, ecolor=INK, elinewidth=1, capsize=2,
        markersize=5, clip_on=False,
    )  # fmt: skip
    axes.axvline(100 * result.accuracy, color=GREY, linestyle="--", linewidth=1)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlim(low, 100 + 0.02 * (100 - low))
    title = tr("accuracy of each class, %; axis from {low:g} %", low=low) if low else tr("accuracy of each class, %")
    plain(axes, title=title, grid="x")
    right = 100 + (0.09 if low < 80 else 0.13) * (100 - low)  # beside the dots, clear of the intervals
    for place, share in zip(places, shares, strict=True):
        axes.text(right, float(place), f"{share:.{0 if low < 80 else 1}f}", ha="right", va="center", fontsize=8, color=INK)
    return figure


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _recall_histogram(recalls: NDArray[np.float64], accuracy: float) -> Figure:
    """Numbers of classes by their recall, in twenty steps."""
    figure, (axes,) = chart(4.8, 2.9)
    counts, edges = np.histogram(100 * recalls, bins=20, range=(0, 100))
    axes.bar(edges[:-1], counts, width=4.4, align="edge", color=PALE)
    axes.axvline(100 * accuracy, color=GREY, linestyle="--", linewidth=1)
    axes.set_xlim(0, 100)
    plain(axes, title=tr("number of classes"), x=tr("recall, %"))
    return figure


def _confused_figure(result: Evaluation) -> Figure:
    """The most frequent mistakes as bars: class → what it was taken for."""
    found = result.most_confused(MOST_BARS)
    names = [f"{_short(one.truth)} → {_short(one.predicted)}" for one in found]
    left = 0.15 + max(map(width_of, names), default=0)
    figure, (axes,) = chart(4.8, 0.8 + 0.27 * max(3, len(found)), left=left)
    bars = axes.barh(range(len(found)), [one.count for one in found], color=PALE)
    axes.bar_label(bars, fontsize=8, color=INK, padding=2)
    axes.set_yticks(range(len(found)), names)
    axes.set_ylim(max(3, len(found)) - 0.5, -0.5)
    plain(axes, title=tr("the most frequent mistakes: class → prediction, images"), grid="x")
    return figure


def confusion_figure(result: Evaluation) -> Figure:
    """The confusion matrix: true classes in rows, predicted ones in columns; above 60 classes the most frequent mistakes."""
    from matplotlib.colors import LogNorm

    count = len(result.classes)
    if count > DRAWN:
        return _confused_figure(result)
    side = min(9.0, 1.8 + 0.34 * count)
    figure, axes = new_axes(side, side)
    confusion = np.asarray(result.confusion)
    counts = confusion.astype(float)
    right = np.eye(count, dtype=bool)
    for mask, colours in ((right, "Blues"), (~right, "Reds")):
        norm = LogNorm(0.5, max(2.0, counts[mask].max(initial=1)) * 3)
        axes.imshow(np.where(mask & (counts > 0), counts, np.nan), cmap=colours, norm=norm)
    if count <= MOST_BARS:
        for row, column in zip(*np.nonzero(confusion), strict=True):
            colour = "white" if row == column else INK
            text = str(confusion[row, column])
            axes.annotate(text, (column, row), ha="center", va="center", fontsize=7, color=colour)
        axes.set_xticks(range(count), result.classes)
        axes.set_yticks(range(count), result.classes)
    axes.set_xlabel(tr("predicted class"), fontsize=9, color=GREY)
    axes.set_ylabel(tr("true class"), fontsize=9, color=GREY)
    axes.tick_params(colors=GREY, labelsize=8, length=0)
    axes.spines[:].set_color(LINE)
    return figure


def calibration_figure(result: Calibration) -> Figure:
    """Reliability diagram: accuracy over confidence, and the number of images below; calibrated on the diagonal."""
    figure, (top, bottom) = chart(4.8, 3.9, rows=[3, 1])
    filled = result.counts > 0
    middles = 100 * (result.edges[:-1] + result.edges[1:]) / 2
    top.plot([0, 100], [0, 100], color=GREY, linestyle="--", linewidth=1, label=tr("perfectly calibrated"))
    counts, confidence, accuracy = result.counts[filled], 100 * result.confidence[filled], 100 * result.accuracy[filled]
    bounds = 100 * np.array([wilson(int(n * right / 100 + 0.5), int(n)) for n, right in zip(counts, accuracy, strict=True)])
    errors = np.abs(bounds.T - accuracy)
    line: dict[str, Any] = {"color": VALIDATION, "marker": "o", "markersize": 4, "linewidth": 1.3, "capsize": 2}
    top.errorbar(confidence, accuracy, yerr=errors, label=tr("this network"), **line)
    along: dict[str, Any] = {"rotation": 45, "rotation_mode": "anchor", "transform_rotates_text": True}
    top.text(2, 5, tr("perfectly calibrated"), fontsize=9, color=GREY, **along)
    top.set_ylim(-3, 103)  # no dot is cut in half
    plain(top, title=tr("accuracy, %"))
    bars = bottom.bar(middles, result.counts, width=0.8 * 100 / len(middles), color=PALE)
    bottom.bar_label(bars, [f"{count:,}" if count else "" for count in result.counts], fontsize=8, color=INK, padding=1)
    bottom.margins(y=0.25)
    plain(bottom, title=tr("images"), x=tr("confidence, %"))
    bottom.set_yticks([])
    bottom.set_xlim(0, 101)
    return figure
