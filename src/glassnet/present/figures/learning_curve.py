"""Accuracy over the number of training images: measured, and extrapolated with its uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glassnet.analysis.learning_curve import LearningCurve
from glassnet.present.figures.base import GREY, INK, LINE, PALE, VALIDATION, legend, new_axes, plain, zoom
from glassnet.support.i18n import tr

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BEYOND = 4.0  # times the images there are, at the right end
STEPS = 120


def learning_curve_figure(curve: LearningCurve, title: str = "") -> Figure:
    """Each training as a point; median and 90 % interval of one training, up to four times the images there are."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    figure, axes = new_axes(7, 3.9)
    first = min(one.images for one in curve.measured)
    sizes = np.geomspace(first / 1.3, BEYOND * curve.images, STEPS)
    low, middle, high = 100 * np.array([curve.predict(max(1.0, size)) for size in sizes]).T
    axes.fill_between(sizes, low, high, color=PALE, alpha=0.35, linewidth=0, label=tr("90 % interval of one training"))
    reached = max(one.images for one in curve.measured)
    inside = sizes <= reached
    axes.plot(sizes, middle, color=VALIDATION, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.plot(
        sizes[inside], middle[inside], color=VALIDATION, linewidth=1.8, label=tr("fitted curve, dashed where extrapolated")
    )
    axes.plot(
        [one.images for one in curve.measured], [100 * one.accuracy for one in curve.measured], "o", color=INK, markersize=4,
        markeredgecolor="white", markeredgewidth=0.6, label=tr("trainings"),
    )  # fmt: skip
    axes.axvline(curve.images, color=GREY, linewidth=0.8)
    axes.annotate(
        tr("all {images:,} images", images=curve.images), (curve.images, 0.98), xycoords=("data", "axes fraction"),
        xytext=(-4, 0), textcoords="offset points", ha="right", va="top", fontsize=9, color=GREY,
    )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(sizes[0], sizes[-1])
    shown = [100 * one.accuracy for one in curve.measured]
    bottom, top = zoom(min(*shown, float(np.quantile(low, 0.1))), max(float(high.max()), *shown))
    axes.set_ylim(bottom, min(100.5, top + 0.02 * (top - bottom)))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    plain(axes, title=title, x=tr("training images"), y=tr("accuracy on validation images, %"), grid="both")
    axes.grid(which="minor", visible=False)
    axes.spines["bottom"].set_color(LINE)
    legend(axes, loc="lower right" if bottom == 0 else "best")
    return figure
