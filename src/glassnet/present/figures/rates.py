"""The learning-rate range test, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glassnet.experiment.lr_finder import RateTest
from glassnet.present.figures.base import TRAIN, VALIDATION, WRONG
from glassnet.support.i18n import tr

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def learning_rate_figure(result: RateTest, title: str = "") -> Figure:
    """The costs over the learning rates of a range test, as they were and smoothed, and the rate it suggests."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(result.rates, result.raw, color=TRAIN, linewidth=0.8, label=tr("of each mini-batch"))
    axes.plot(result.rates, result.costs, color=VALIDATION, label=tr("smoothed"))
    if result.suggested is not None:
        axes.axvline(result.suggested, color=WRONG, linestyle="--", label=tr("suggested: {rate:.2g}", rate=result.suggested))
    axes.set_xscale("log")
    spread = float(np.ptp(result.costs)) or 1.0
    axes.set_ylim(float(result.costs.min()) - 0.15 * spread, float(result.costs.max()) + 0.15 * spread)
    axes.set_xlabel(tr("learning rate"))
    axes.set_title(tr("loss: {title}", title=title) if title else tr("loss"), fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    axes.legend(frameon=False, fontsize=8)
    return figure
