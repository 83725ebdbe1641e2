"""Curves over the epochs: loss, accuracy, norms of gradients and updates, activations; and over learning rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.errors import InputError
from glassnet.experiment.lr_finder import RateTest
from glassnet.present.figures.base import (
    INK,
    SERIES,
    TRAIN,
    VALIDATION,
    WRONG,
    chart,
    evenly,
    label_lines,
    legend,
    logarithmic,
    new_axes,
    new_figure,
    plain,
    zoom,
)
from glassnet.support.i18n import mark, tr
from glassnet.training import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (4.8, 2.35)  # inches: two side by side on a laptop, one on a phone, readable on both
STATISTICS = {
    "mean": mark("mean output"),
    "spread": mark("spread of the outputs"),
    "saturated": mark("share of saturated outputs"),
    "dead": mark("share of dead units"),
}


def cost_figure(history: History) -> Figure:
    """The mean training and validation loss over the epochs; on a logarithmic axis if it spans more than a factor of 30."""
    figure, (axes,) = chart(*SIZE)
    values = draw_curves(axes, tr("loss"), history.train_cost, history.validation_cost)
    if len(values) and min(values) > 0 and max(values) > 30 * min(values):
        logarithmic(axes)
    label_lines(axes)
    return figure


def accuracy_figure(history: History) -> Figure:
    """Training and validation accuracy over the epochs, on a scale that shows the differences of the later ones."""
    figure, (axes,) = chart(*SIZE)
    draw_curves(axes, tr("accuracy, %"), history.train_accuracy, history.validation_accuracy, 100.0)
    low = show_late(axes)
    if low:
        axes.set_title(tr("accuracy, %; axis from {low:g} %", low=low), fontsize=10, loc="left", color=INK)
    label_lines(axes)
    return figure


def history_figure(history: History) -> Figure:
    """Loss and accuracy over the epochs, side by side."""
    figure = new_figure(2 * SIZE[0], SIZE[1])
    left, right = figure.subplots(1, 2)
    draw_curves(left, tr("loss"), history.train_cost, history.validation_cost)
    draw_curves(right, tr("accuracy, %"), history.train_accuracy, history.validation_accuracy, 100.0)
    return figure


def show_late(axes: Axes) -> float:
    """Set the y axis, in per cent, to what the lines reach after their first fifth; its lower end."""
    curves = [np.asarray(line.get_ydata(), dtype=float) for line in axes.lines]
    late = np.concatenate([curve[len(curve) // 5 :] for curve in curves]) if curves else np.zeros(0)
    late = late[np.isfinite(late)]
    if not late.size:
        return 0.0
    low, high = zoom(float(late.min()), float(late.max()))
    if high - low < 1:  # noise is not to fill the chart
        low, high = max(0.0, high - 1), max(high, 1.0)
    axes.set_ylim(low, high + 0.02 * (high - low))
    return low


def gradients_figure(history: History) -> Figure:
    """‖g‖ of each weight array at the last step of each epoch."""
    return _norms(history.gradient_norms, tr("gradient norm"))


def updates_figure(history: History) -> Figure:
    """‖Δw‖/‖w‖ of each weight array at the last step of each epoch."""
    return _norms(history.update_norms, tr("norm of the last update / norm of the weights"))


def activation_statistics_figure(activations: Mapping[str, Mapping[str, Sequence[float]]], statistic: str) -> Figure:
    """One statistic of each layer's output over the epochs, from {layer: {statistic: a number for each epoch}}."""
    chosen = {layer: found[statistic] for layer, found in activations.items() if statistic in found}
    if not chosen:
        raise InputError(
            tr("This statistic was not measured."),
            where="activation_statistics_figure(statistic)",
            expected=", ".join(sorted({name for found in activations.values() for name in found}))
            or tr("activation statistics"),
            received=repr(statistic),
        )
    figure, axes = _series(chosen, tr(STATISTICS[statistic]) if statistic in STATISTICS else statistic)
    if statistic in ("saturated", "dead") and axes.get_ylim()[1] < 0.1:  # shares: no axis from −0.05 around zeros
        axes.set_ylim(-0.002, 0.1)
    label_lines(axes)
    return figure


def learning_rate_figure(result: RateTest, title: str = "") -> Figure:
    """The losses over the learning rates of a range test, raw and smoothed, and the suggested rate."""
    figure, axes = new_axes(7, 3.6)
    axes.plot(result.rates, result.raw, color=TRAIN, linewidth=0.8, label=tr("of each mini-batch"))
    axes.plot(result.rates, result.costs, color=VALIDATION, label=tr("smoothed"))
    if result.suggested is not None:
        axes.axvline(result.suggested, color=WRONG, linestyle="--", label=tr("suggested: {rate:.2g}", rate=result.suggested))
    axes.set_xscale("log")
    spread = float(np.ptp(result.costs)) or 1.0
    axes.set_ylim(float(result.costs.min()) - 0.15 * spread, float(result.costs.max()) + 0.15 * spread)
    plain(axes, title=tr("loss: {title}", title=title) if title else tr("loss"), x=tr("learning rate"))
    legend(axes)
    return figure


def _norms(norms: Mapping[str, Sequence[float]], title: str) -> Figure:
    """Of the weights only: the norms of biases are similar."""
    weights = {name: values for name, values in norms.items() if name.endswith("weight")} or dict(norms)
    chosen = {  # 0 is not on a logarithmic axis
        name.removesuffix(".weight"): [value if value > 0 and isfinite(value) else np.nan for value in values]
        for name, values in weights.items()
    }
    figure, axes = _series(chosen, title)
    if any(isfinite(value) for values in chosen.values() for value in values):
        logarithmic(axes)
    label_lines(axes)
    return figure


def _series(series: Mapping[str, Sequence[float]], title: str) -> tuple[Figure, Axes]:
    """A line for each series, of at most as many as there are colours."""
    figure, (axes,) = chart(*SIZE)
    for name, colour in zip(evenly(list(series), len(SERIES)), SERIES, strict=False):
        values = series[name]
        mark = "." if len(values) < 2 or not np.isfinite(values).all() else None  # a line shows no value between gaps
        axes.plot(np.arange(1, len(values) + 1), values, color=colour, label=name, linewidth=1.3, marker=mark)
    _whole_epochs(axes, max(map(len, series.values()), default=1))
    plain(axes, title=title, x=tr("epoch"))
    return figure, axes


def draw_curves(
    axes: Axes, title: str, train: Sequence[Any], validation: Sequence[Any], factor: float = 1.0, *, last: bool = False
) -> list[float]:
    """Lines for training and validation, with `last` a legend with their final values; returns all finite values."""
    finite: list[float] = []
    longest = 1
    for label, column, colour in ((tr("training"), train, TRAIN), (tr("validation"), validation, VALIDATION)):
        values = [np.nan if value is None else factor * value for value in column]
        if not any(isfinite(value) for value in values):
            continue
        name = tr("{series}, at the end {value:.4g}", series=label, value=values[-1]) if last else label
        axes.plot(np.arange(1, len(values) + 1), values, color=colour, label=name, marker="o" if len(values) == 1 else None)
        finite += [value for value in values if isfinite(value)]
        longest = max(longest, len(values))
    _whole_epochs(axes, longest)
    plain(axes, title=title, x=tr("epoch"))
    if axes.lines and last:
        legend(axes)
    elif not axes.lines:
        axes.annotate(tr("no finite values"), (0.5, 0.5), xycoords="axes fraction", ha="center", color=INK)
    return finite


def _whole_epochs(axes: Axes, count: int) -> None:
    """Ticks at whole epochs only."""
    from matplotlib.ticker import FixedLocator, MaxNLocator

    axes.xaxis.set_major_locator(FixedLocator([1]) if count == 1 else MaxNLocator(nbins=6, integer=True))
    if count == 1:
        axes.set_xlim(0, 2)
