"""What was measured epoch by epoch: cost, accuracy, and how gradients, updates and activations fared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.errors import InputError
from glassnet.present.figures.base import INK, SERIES, TRAIN, VALIDATION, legend, logarithmic, new_figure, plain
from glassnet.support.i18n import mark, tr
from glassnet.training import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (4.8, 3.0)  # inches: two side by side on a laptop, one on a phone, with letters that can be read on both
MOST_SERIES = len(SERIES)
STATISTICS = {
    "mean": mark("mean output"),
    "spread": mark("spread of the outputs"),
    "saturated": mark("share of saturated outputs"),
    "dead": mark("share of dead units"),
}


def cost_figure(history: History) -> Figure:
    """The mean cost over the epochs, in training and on validation images; on a logarithmic axis where it falls far."""
    figure = new_figure(*SIZE)
    axes = figure.subplots()
    values = _lines(axes, {tr("training"): history.train_cost, tr("validation"): history.validation_cost}, 1.0)
    plain(axes, title=tr("loss"), x=tr("epoch"))
    if len(values) and min(values) > 0 and max(values) > 30 * min(values):
        logarithmic(axes)
    return figure


def accuracy_figure(history: History) -> Figure:
    """The share of right answers over the epochs, in training and on validation images."""
    figure = new_figure(*SIZE)
    axes = figure.subplots()
    _lines(axes, {tr("training"): history.train_accuracy, tr("validation"): history.validation_accuracy}, 100.0)
    plain(axes, title=tr("accuracy, %"), x=tr("epoch"))
    return figure


def gradients_figure(history: History) -> Figure:
    """‖g‖ of each weight array at the last step of each epoch."""
    return _norms(history.gradient_norms, tr("gradient norm"))


def updates_figure(history: History) -> Figure:
    """‖Δw‖/‖w‖ of each weight array at the last step of each epoch."""
    return _norms(history.update_norms, tr("norm of the last update / norm of the weights"))


def activation_statistics_figure(activations: Mapping[str, Mapping[str, Sequence[float]]], statistic: str) -> Figure:
    """One statistic of each layer's output over the epochs, out of {layer: {statistic: one number an epoch}}."""
    figure = new_figure(*SIZE)
    axes = figure.subplots()
    chosen = {layer: found[statistic] for layer, found in activations.items() if statistic in found}
    if not chosen:
        raise InputError(
            tr("This was not measured."),
            where="activation_statistics_figure(statistic)",
            expected=", ".join(sorted({name for found in activations.values() for name in found}))
            or tr("activation statistics"),
            received=repr(statistic),
        )
    _series(axes, _thinned(chosen))
    plain(axes, title=tr(STATISTICS[statistic]) if statistic in STATISTICS else statistic, x=tr("epoch"))
    return figure


def _norms(norms: Mapping[str, Sequence[float]], title: str) -> Figure:
    """Of the weights; biases follow them closely and would only crowd the figure."""
    figure = new_figure(*SIZE)
    axes = figure.subplots()
    weights = {name: values for name, values in norms.items() if name.endswith("weight")} or dict(norms)
    chosen = {  # a logarithmic axis has no place for 0, where nothing moves any more
        name.removesuffix(".weight"): [value if value > 0 and isfinite(value) else np.nan for value in values]
        for name, values in _thinned(weights).items()
    }
    _series(axes, chosen)
    plain(axes, title=title, x=tr("epoch"))
    if any(isfinite(value) for values in chosen.values() for value in values):
        logarithmic(axes)
    return figure


def _thinned(series: Mapping[str, Sequence[float]]) -> dict[str, Sequence[float]]:
    """At most as many as there are colours, evenly out of all, the first and last among them."""
    names = list(series)
    places = np.unique(np.linspace(0, len(names) - 1, min(len(names), MOST_SERIES)).round().astype(int))
    return {names[place]: series[names[place]] for place in places}


def _series(axes: Axes, series: Mapping[str, Sequence[float]]) -> None:
    for (name, values), colour in zip(series.items(), SERIES, strict=False):
        epochs = np.arange(1, len(values) + 1)
        axes.plot(epochs, values, color=colour, label=name, linewidth=1.3, marker=_mark(values))
    whole_epochs(axes, max(map(len, series.values()), default=1))
    if series:
        legend(axes, ncols=1 if len(series) < 5 else 2)


def _mark(values: Sequence[float]) -> str | None:
    """A dot for each value where a line alone would not show all: single ones, and those between gaps."""
    return "." if len(values) < 2 or not np.isfinite(values).all() else None


def _lines(axes: Axes, columns: Mapping[str, Sequence[Any]], factor: float) -> list[float]:
    """A line for each column that was measured, its last value written at its end; all finite values."""
    finite: list[float] = []
    longest = 1
    for (label, column), colour in zip(columns.items(), (TRAIN, VALIDATION), strict=True):
        values = [np.nan if value is None else factor * value for value in column]
        if not any(isfinite(value) for value in values):
            continue
        axes.plot(np.arange(1, len(values) + 1), values, color=colour, label=label, marker="o" if len(values) == 1 else None)
        finite += [value for value in values if isfinite(value)]
        longest = max(longest, len(values))
    whole_epochs(axes, longest)
    if axes.lines:
        legend(axes)
    else:
        axes.annotate(tr("nothing finite was measured"), (0.5, 0.5), xycoords="axes fraction", ha="center", color=INK)
    return finite


def whole_epochs(axes: Axes, count: int) -> None:
    """Marks at whole epochs only, and at the one that there is."""
    from matplotlib.ticker import FixedLocator, MaxNLocator

    axes.xaxis.set_major_locator(FixedLocator([1]) if count == 1 else MaxNLocator(nbins=6, integer=True))
    if count == 1:
        axes.set_xlim(0, 2)
