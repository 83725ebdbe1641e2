"""Parallel coordinates: each trial of a search as a line through its settings to its value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glassnet.analysis.search import scale_of, scored
from glassnet.experiment.search.records import SearchResult, Trial
from glassnet.present.figures.base import GREY, INK, LINE, PAPER, SHADES, chart, power, width_of
from glassnet.present.figures.search import broken, cut, factor_of, ticks, value_title, worst_shown
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST_STEP, MOST_STEP = 1.15, 2.2  # inches between two axes


def parallel_coordinates_figure(result: SearchResult) -> Figure:
    """A line for each trial, through its settings to its value; coloured by its place among the complete trials.

    The colours stand for groups of equal size, from the worst to the best, so that a few bad trials do not make all others
    the same colour. Pruned trials are grey and dashed, and end before the value.
    """
    from matplotlib.ticker import MaxNLocator

    plan, complete = result.plan, scored(result)
    scales = [scale_of(result, parameter) for parameter in plan.space]
    step = float(np.clip(max(width_of(cut(scale.name, 24)) + 0.2 for scale in scales), LEAST_STEP, MOST_STEP))
    figure, (axes,) = chart(max(4.8, step * len(scales) + 1.6), 3.4)
    width, height = figure.get_size_inches()
    figure.subplots_adjust(0.6 / width, 0.3 / height, 1 - 0.85 / width, 1 - 0.42 / height)
    low, high = _value_ends(result)

    def settings_of(trial: Trial) -> Array:
        places = [scale.place(trial.settings) for scale in scales]
        return np.array([_share(place, scale.low, scale.high) for place, scale in zip(places, scales, strict=True)])

    pruned = [settings_of(trial) for trial in result.trials if trial.state == "pruned"]
    x, y = broken((np.arange(len(scales), dtype=float), places) for places in pruned)
    axes.plot(x, y, color=GREY, linewidth=0.7, alpha=0.5, linestyle="--")
    for shade in range(len(SHADES)):  # the best on top
        lines = []
        for place, trial in enumerate(complete):
            if len(SHADES) - 1 - place * len(SHADES) // len(complete) == shade:
                value = np.clip(_share(trial.value or 0.0, low, high), 0, 1)
                lines.append((np.arange(len(scales) + 1, dtype=float), np.append(settings_of(trial), value)))
        if lines:
            best = shade == len(SHADES) - 1
            axes.plot(*broken(lines), color=SHADES[shade], linewidth=1.1 if best else 0.9, alpha=0.9 if best else 0.65)
    for place, scale in enumerate(scales):
        axes.axvline(place, color=LINE, linewidth=1)
        for where, text in zip(*ticks(scale), strict=True):
            _tick(axes, place, _share(where, scale.low, scale.high), text)
        _heading(axes, place, cut(scale.name, 24))
    axes.axvline(len(scales), color=INK, linewidth=1)
    for value in MaxNLocator(6).tick_values(factor_of(plan) * min(low, high), factor_of(plan) * max(low, high)):
        share = _share(value / factor_of(plan), low, high)
        if 0 <= share <= 1:
            text = power(float(f"{value:.6g}"))
            axes.annotate(text, (len(scales), share), (5, 0), textcoords="offset points", va="center", fontsize=8, color=INK)
    _heading(axes, len(scales), value_title(plan))
    axes.set_axis_off()
    axes.set_xlim(-0.02, len(scales) + 0.02)
    axes.set_ylim(-0.04, 1.04)
    if not complete:
        axes.annotate(tr("no complete trial"), (0.5, 0.5), xycoords="axes fraction", ha="center", color=INK)
    return figure


def _value_ends(result: SearchResult) -> tuple[float, float]:
    """The ends of the axis of the value, the best above."""
    values = np.array([trial.value for trial in scored(result)], dtype=float)
    if not len(values):
        return (0.0, 1.0) if result.plan.maximise else (1.0, 0.0)
    worst = worst_shown(values, maximise=result.plan.maximise)
    return worst, float(values.max() if result.plan.maximise else values.min())


def _share(place: float, low: float, high: float) -> float:
    return 0.5 if high == low else (place - low) / (high - low)


def _tick(axes: Axes, x: float, y: float, text: str) -> None:
    """A label on an axis, on a pale ground, as lines run through it."""
    axes.annotate(
        text, (x, y), (3 if x == 0 else -3, 0), textcoords="offset points", ha="left" if x == 0 else "right", va="center",
        fontsize=8, color=INK, parse_math=False, bbox={"facecolor": PAPER, "alpha": 0.8, "edgecolor": "none", "pad": 0.8},
    )  # fmt: skip


def _heading(axes: Axes, x: float, text: str) -> None:
    axes.annotate(
        text, (x, 1.0), (0, 9), xycoords=("data", "axes fraction"), textcoords="offset points", ha="center", fontsize=9,
        color=GREY, parse_math=False, annotation_clip=False,
    )  # fmt: skip
