"""A finished search: its best trials, their curves, the value over the trials and along each parameter, and what mattered."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.analysis.search import Importance, Scale, importance_of, scale_of, scored
from glassnet.errors import InputError
from glassnet.experiment.search.records import SearchPlan, SearchResult, Trial
from glassnet.present.figures.base import (
    GREY,
    INK,
    PALE,
    VALIDATION,
    chart,
    legend,
    plain,
    power,
    width_of,
    zoom,
)
from glassnet.present.figures.curves import SIZE
from glassnet.support.arrays import Array
from glassnet.support.i18n import Message, tr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_RANKED, MOST_CURVES = 15, 10
MOST_TICKS, LONGEST = 8, 14  # names on an axis, and letters of each
DOTS: dict[str, Any] = {"linestyle": "none", "marker": "o", "markeredgewidth": 0}


def ranking_figure(result: SearchResult) -> Figure:
    """The best trials from the top: their mean, ± the standard deviation over folds and seeds, and each fold and seed."""
    trials = scored(result)[:MOST_RANKED]
    figure, (axes,) = chart(SIZE[0], 0.85 + 0.22 * max(3, len(trials)), left=0.62)
    factor = factor_of(result.plan)
    for place, trial in enumerate(trials):
        parts = factor * np.array(trial.parts)
        colour = VALIDATION if place == 0 else INK
        if trial.spread is not None:
            axes.plot(parts, np.full(len(parts), place), color=GREY, markersize=3, alpha=0.7, **DOTS)
            ends = factor * ((trial.value or 0.0) + trial.spread * np.array([-1, 1]))
            ends = ends.clip(0, factor) if result.plan.maximise else ends
            axes.plot(ends, [place, place], color=colour, linewidth=1.2, solid_capstyle="butt")
        axes.plot([parts.mean()], [place], color=colour, markersize=6, **DOTS)
    axes.set_yticks(range(len(trials)), [f"#{trial.number}" for trial in trials])
    axes.set_ylim(max(3, len(trials)) - 0.5, -0.6)
    plain(axes, title=value_title(result.plan), grid="x")
    _if_empty(axes, trials)
    return figure


def best_curve_figure(result: SearchResult) -> Figure:
    """The validation curves of the best trials, that of the best emphasised."""
    figure, (axes,) = chart(*SIZE)
    plan, trials = result.plan, [trial for trial in scored(result)[:MOST_CURVES] if trial.curve]
    others = broken((np.arange(1, len(trial.curve) + 1), factor_of(plan) * np.array(trial.curve)) for trial in trials[1:])
    if len(others[0]):
        axes.plot(*others, color=PALE, linewidth=1, label=tr("the next {count}", count=len(trials) - 1))
    for trial in trials[:1]:
        line: dict[str, Any] = {"marker": "o"} if len(trial.curve) == 1 else {}
        name = tr("#{number}, the best", number=trial.number)
        values = factor_of(plan) * np.array(trial.curve)
        axes.plot(np.arange(1, len(values) + 1), values, color=VALIDATION, linewidth=2, label=name, **line)
    plain(axes, title=value_title(plan), x=tr("epoch"))
    _whole(axes)
    late = np.concatenate([np.array(trial.curve)[len(trial.curve) // 3 :] for trial in trials] or [np.zeros(0)])
    set_values(axes, plan, late[np.isfinite(late)])
    if trials:
        _legend_below(axes)
    _if_empty(axes, trials)
    return figure


def progress_figure(result: SearchResult) -> Figure:
    """The value of each trial by its number, and the best value so far."""
    figure, (axes,) = chart(*SIZE)
    plan = result.plan
    complete = sorted(scored(result), key=lambda trial: trial.number)
    _draw_pruned(axes, result, [trial.number for trial in pruned_of(result)])
    values = np.array([trial.value for trial in complete], dtype=float)
    numbers = [trial.number for trial in complete]
    if complete:
        best = np.maximum.accumulate(values) if plan.maximise else np.minimum.accumulate(values)
        axes.plot(
            [*numbers, result.trials[-1].number], factor_of(plan) * np.append(best, best[-1]),
            color=INK, linewidth=1.2, drawstyle="steps-post", label=tr("best so far"),
        )  # fmt: skip
    plain(axes, title=value_title(plan), x=tr("trial"))
    _whole(axes)
    set_values(axes, plan, values)
    draw_dots(axes, plan, numbers, values)
    if complete:
        _legend_below(axes)
    _if_empty(axes, complete)
    return figure


def slices_figure(result: SearchResult, keys: Iterable[str] | None = None) -> Figure:
    """The value against each parameter of the search, or against those with these `keys`, one plot below the other."""
    plan, wanted = result.plan, None if keys is None else set(keys)
    chosen = [parameter for parameter in plan.space if wanted is None or parameter.key in wanted]
    if not chosen:
        raise InputError(
            tr("The search has no such parameter."),
            where="slices_figure(keys)",
            expected=", ".join(parameter.key for parameter in plan.space),
            received=", ".join(sorted(wanted or ())),
        )
    figure, all_axes = chart(SIZE[0], SIZE[1] * len(chosen), rows=[1] * len(chosen), share=False)
    if len(chosen) > 1:
        figure.subplots_adjust(hspace=0.45)
    complete, pruned = scored(result), pruned_of(result)
    values = np.array([trial.value for trial in complete], dtype=float)
    for axes, parameter in zip(all_axes, chosen, strict=True):
        scale = scale_of(result, parameter)
        plain(axes, title=value_title(plan), x=scale.name, grid="both")
        axes.xaxis.label.set_parse_math(False)
        set_values(axes, plan, values)
        _draw_pruned(axes, result, [_beside(scale, trial) for trial in pruned])
        draw_dots(axes, plan, [_beside(scale, trial) for trial in complete], values)
        set_ticks(axes, scale)
        _if_empty(axes, complete)
    return figure


def importance_figure(result: SearchResult, found: Importance | None = None) -> Figure:
    """The share of the variance of the value that each parameter explains by itself, see `importance_of`."""
    found = importance_of(result) if found is None else found
    shares = {} if found is None else found.shares
    names = {parameter.key: cut(scale_of(result, parameter).name, 28) for parameter in result.plan.space}
    left = 0.15 + max([0.4, *(width_of(names[key]) for key in shares)])
    figure, (axes,) = chart(SIZE[0], 0.75 + 0.3 * max(3, len(shares)), left=left)
    figure.subplots_adjust(right=1 - 0.5 / SIZE[0])
    places = np.arange(len(shares))
    bars = axes.barh(places, [100 * share for share in shares.values()], height=0.55, color=PALE)
    axes.bar_label(bars, [f"{100 * share:.0f} %" for share in shares.values()], fontsize=9, color=INK, padding=3)
    axes.set_yticks(places, [names[key] for key in shares])
    for text in axes.get_yticklabels():
        text.set_parse_math(False)
    axes.set_ylim(max(3, len(shares)) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    plain(axes, title=tr("share of the variance, %"), grid="x")
    if found is None:
        axes.annotate(tr("too few complete trials"), (0.5, 0.5), xycoords="axes fraction", ha="center", color=INK)
    return figure


def value_title(plan: SearchPlan) -> Message:
    """What the value of a trial is."""
    return tr("validation accuracy, %") if plan.maximise else tr("validation loss")


def set_values(axes: Axes, plan: SearchPlan, values: Array) -> None:
    """The y axis around these values; where a few are far worse, only around the rest, and the title says so."""
    if not len(values):
        return
    limit = worst_shown(values, maximise=plan.maximise)
    best = float(values.max() if plan.maximise else values.min())
    is_cut = bool((values < limit).any() if plan.maximise else (values > limit).any())
    if plan.maximise:
        low, high = zoom(100 * limit, 100 * best)
        axes.set_ylim(low - 0.04 * (high - low), high + 0.04 * (high - low))
        title = tr("validation accuracy, %; axis from {low:g} %", low=low) if low else value_title(plan)
    else:
        room = 0.06 * ((limit - best) or abs(best) or 1.0)
        axes.set_ylim(best - room, limit + room)
        title = tr("validation loss; axis to {high:.3g}", high=limit) if is_cut else value_title(plan)
    axes.set_title(title, fontsize=10, loc="left", color=INK)


def worst_shown(values: Array, *, maximise: bool) -> float:
    """The worst value, or one four times as far from the best as the median, where the worst is farther."""
    best = values.max() if maximise else values.min()
    distance = np.abs(values - best)
    far = float(distance.max())
    usual = 4 * float(np.median(distance))
    shown = usual if 0 < usual < far else far
    return float(best - shown if maximise else best + shown)


def draw_dots(axes: Axes, plan: SearchPlan, places: Iterable[float], values: Array, colour: str = VALIDATION) -> None:
    """A dot for each value; a triangle at the edge for those beyond it; the best with a ring."""
    if not len(values):
        return
    x, y = np.array(list(places), dtype=float), factor_of(plan) * values
    low, high = axes.get_ylim()
    out = (y < low) | (y > high)
    axes.plot(x[~out], y[~out], color=colour, markersize=4.5 if len(x) < 200 else 3, alpha=0.75, **DOTS)
    edge = low + 0.025 * (high - low) if plan.maximise else high - 0.025 * (high - low)
    axes.plot(
        x[out],
        np.full(out.sum(), edge),
        color=colour,
        markersize=5,
        alpha=0.75,
        **{**DOTS, "marker": "v" if plan.maximise else "^"},
    )
    best = int(np.argmax(y) if plan.maximise else np.argmin(y))
    axes.plot(x[best], y[best], linestyle="none", marker="o", markersize=9, markerfacecolor="none", color=INK)


def set_ticks(axes: Axes, scale: Scale) -> None:
    """The x axis of a parameter, its ticks at round values or at names."""
    places, texts = ticks(scale)
    axes.set_xticks(places, texts)
    for text in axes.get_xticklabels():
        text.set_parse_math(False)
    room = 0.5 if scale.kind == "names" else 0.04 * ((scale.high - scale.low) or 1.0)
    axes.set_xlim(scale.low - room, scale.high + room)


def ticks(scale: Scale, most: int = MOST_TICKS) -> tuple[list[float], list[str]]:
    """Places and texts on the axis of a parameter."""
    from matplotlib.ticker import MaxNLocator

    low, high = scale.low, scale.high
    if scale.kind == "names":
        shown = np.unique(np.linspace(0, len(scale.names) - 1, min(most, len(scale.names))).round().astype(int))
        return [float(place) for place in shown], [cut(scale.names[place]) for place in shown]
    if scale.kind == "log":
        subs = (1, 2, 5) if high - low < 2 else (1,)
        found = [e + np.log10(sub) for e in range(int(np.floor(low)), int(np.ceil(high)) + 1) for sub in subs]
        inside = [place for place in found if low - 1e-9 <= place <= high + 1e-9]
        step = -(-len(inside) // most)
        return inside[::step], [power(float(f"{10**place:.3g}")) for place in inside[::step]]
    inside = [float(place) for place in MaxNLocator(5).tick_values(low, high) if low <= place <= high]
    return inside, [power(float(f"{place:.6g}")) for place in inside]


def cut(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def factor_of(plan: SearchPlan) -> float:
    return 100.0 if plan.maximise else 1.0


def pruned_of(result: SearchResult) -> list[Trial]:
    return [t for t in result.trials if t.state == "pruned" and t.value is not None and isfinite(t.value)]


def _draw_pruned(axes: Axes, result: SearchResult, places: list[float]) -> None:
    """Grey dots, what pruned trials had reached."""
    values = np.array([factor_of(result.plan) * (trial.value or 0.0) for trial in pruned_of(result)])
    if len(values):
        axes.plot(places, values, color=GREY, markersize=3.5, alpha=0.6, label=tr("pruned"), **DOTS)


def _beside(scale: Scale, trial: Trial) -> float:
    """Its place on the axis; at names beside each other, in the same way each time."""
    place = scale.place(trial.settings)
    return place + 0.36 * (trial.number * 0.618034 % 1 - 0.5) if scale.kind == "names" else place


def broken(lines: Iterable[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Several lines as one, with gaps between: one path in the file instead of many."""
    gap = np.array([np.nan])
    parts = [(np.append(x, gap), np.append(y, gap)) for x, y in lines]
    if not parts:
        return np.zeros(0), np.zeros(0)
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def _legend_below(axes: Axes) -> None:
    """The legend in the line of the axis' name, which goes to the left: nothing is drawn over."""
    axes.xaxis.set_label_coords(0, -0.155)
    axes.xaxis.label.set_horizontalalignment("left")
    below: dict[str, Any] = {"loc": "upper right", "bbox_to_anchor": (1.02, -0.12), "ncols": 3, "handlelength": 1.4}
    legend(axes, columnspacing=1, borderpad=0, **below)


def _whole(axes: Axes) -> None:
    """Ticks at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    low, high = axes.get_xlim()
    if high - low < 2:
        axes.set_xlim((low + high) / 2 - 1, (low + high) / 2 + 1)

    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))


def _if_empty(axes: Axes, trials: object) -> None:
    if not trials:
        axes.annotate(tr("no complete trial"), (0.5, 0.5), xycoords="axes fraction", ha="center", color=INK)
