"""The tutorial's table, units against learning rate: the best value for each pair of values of two parameters."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from glassnet.analysis.search import Importance, Scale, scale_of, scored
from glassnet.experiment.search.records import SearchResult, Trial
from glassnet.present.figures.base import power
from glassnet.present.figures.search import cut, factor_of, worst_shown

BINS = 6  # of a range


@dataclass(frozen=True)
class Cell:
    """`text`: the value; `heat`: from 0, the worst, to 1, the best; `number`: of its trial, the best of so many `trials`."""

    text: str
    heat: float
    trials: int
    number: int
    best: bool


@dataclass(frozen=True)
class ValueTable:
    """Rows of (label, a cell or None for each column). `others`: the parameters over which a cell is the best."""

    row: str
    column: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]
    others: tuple[str, ...]


def value_table(result: SearchResult, importance: Importance | None) -> ValueTable | None:
    """Of the two parameters of the search, or the two most important ones; None if there are fewer or no complete trial."""
    trials = scored(result)
    scales = [scale for parameter in result.plan.space if (scale := scale_of(result, parameter)).varies]
    if len(scales) < 2 or not trials:
        return None
    chosen = scales[:2]
    if len(scales) > 2 and importance is not None:
        wanted = list(importance.shares)[:2]
        chosen = [scale for scale in scales if scale.key in wanted]
    down, across = chosen
    labels = _labels(down), _labels(across)
    cells: dict[tuple[int, int], list[Trial]] = {}
    for trial in trials:  # the best first
        places = _bin(down, trial), _bin(across, trial)
        if places[0] is not None and places[1] is not None:
            cells.setdefault((places[0], places[1]), []).append(trial)
    values = np.array([found[0].value for found in cells.values()], dtype=float)
    if not len(values):
        return None
    worst = worst_shown(values, maximise=result.plan.maximise)
    best = values.max() if result.plan.maximise else values.min()

    def cell(row: int, column: int) -> Cell | None:
        if (row, column) not in cells:
            return None
        found = cells[row, column]
        value = found[0].value or 0.0
        heat = 1.0 if best == worst else float(np.clip((value - worst) / (best - worst), 0, 1))
        return Cell(shown(result, value), heat, len(found), found[0].number, found[0] is trials[0])

    rows = tuple((label, tuple(cell(r, c) for c in range(len(labels[1])))) for r, label in enumerate(labels[0]))
    return ValueTable(down.name, across.name, labels[1], rows, tuple(scale.name for scale in scales if scale not in chosen))


def shown(result: SearchResult, value: float) -> str:
    """A value without its unit: accuracies in per cent."""
    return f"{100 * value:.2f}" if result.plan.maximise else f"{factor_of(result.plan) * value:.4g}"


def _labels(scale: Scale) -> tuple[str, ...]:
    if scale.kind == "names":
        return tuple(cut(name, 24) for name in scale.names)
    edges = np.linspace(scale.low, scale.high, BINS + 1)
    ends = [power(float(f"{10**edge if scale.kind == 'log' else edge:.2g}")) for edge in edges]
    return tuple(f"{low} – {high}" for low, high in itertools.pairwise(ends))


def _bin(scale: Scale, trial: Trial) -> int | None:
    place = scale.place(trial.settings)
    if not np.isfinite(place):
        return None
    if scale.kind == "names":
        return int(place)
    return int(np.clip((place - scale.low) / (scale.high - scale.low) * BINS, 0, BINS - 1))
