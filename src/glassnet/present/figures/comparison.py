"""The accuracies of a comparison, as dots with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glassnet.analysis.comparison.result import Comparison
from glassnet.present.figures.base import GREY, INK, TRAIN, VALIDATION, chart, plain, width_of, zoom
from glassnet.support.i18n import mark, tr

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FAR = 4  # times the range of the others: what is further below is drawn at the edge, with its number


def comparison_figure(found: Comparison) -> Figure:
    """Accuracies with their 95 % intervals, the best first; hollow: the best is not shown to be better.

    The accuracy of each seed is a small dot. What lies far below the others is written at the left edge.
    """
    entrants = found.entrants
    labels = [entrant.label for entrant in entrants]
    left = 0.15 + max(map(width_of, labels))
    figure, (axes,) = chart(left + 4.4, 0.85 + 0.3 * max(3, len(entrants)), left=left)
    height = figure.get_figheight()
    figure.subplots_adjust(bottom=0.5 / height, top=1 - 0.28 / height, right=1 - 0.6 / (left + 4.4))
    bounds = 100 * np.array([entrant.interval for entrant in entrants])
    values = 100 * np.array([entrant.accuracy for entrant in entrants])
    low, high = zoom(*_range(values, bounds))
    equal = {id(pair.worse) for pair in found.against_best if not pair.shown}
    for place, entrant in enumerate(entrants):
        if values[place] < low:
            text = tr("← {accuracy:.1f} %", accuracy=values[place])
            axes.text(low, place, text, va="center", fontsize=8, color=GREY)
            continue
        colour = TRAIN if entrant.seeds is None else VALIDATION
        axes.errorbar(
            values[place], place, xerr=np.abs(bounds[place] - values[place])[:, None], fmt="o", color=colour, ecolor=INK,
            elinewidth=1, capsize=2, markersize=6, markerfacecolor="white" if id(entrant) in equal else colour,
        )  # fmt: skip
        if len(entrant.right) > 1:
            each = 100 * entrant.right.mean(axis=1)
            axes.plot(each, np.full(len(each), place + 0.25), ".", color=colour, markersize=4, alpha=0.7)
        axes.text(
            1.02, place, f"{values[place]:.2f}", transform=axes.get_yaxis_transform(), va="center", fontsize=8, color=INK
        )
    axes.set_yticks(range(len(entrants)), labels)
    axes.set_ylim(len(entrants) - 0.5, -0.5)
    axes.set_xlim(low, high)
    part = (
        mark("accuracy on {count:,} test images, %")
        if found.part == "test"
        else mark("accuracy on {count:,} validation images, %")
    )
    plain(axes, title=tr(part, count=found.images), grid="x", x=tr("hollow: the best is not shown to be better"))
    return figure


def _range(values: NDArray[np.float64], bounds: NDArray[np.float64]) -> tuple[float, float]:
    """From the lowest to the highest end of the intervals, without those that lie far below the better half."""
    half = values[: max(2, (len(values) + 1) // 2)]
    least = values[0] - FAR * max(1.0, values[0] - half[-1])
    near = values >= least
    return float(bounds[near].min()), float(bounds[near].max())
