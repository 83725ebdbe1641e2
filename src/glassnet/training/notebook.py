"""Progress in a notebook: a bar and the curves of loss and accuracy, in one output that is updated in place."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from html import escape
from math import isfinite, log10
from typing import Any

from glassnet.support.i18n import tr
from glassnet.training.callbacks import Callback, Progress
from glassnet.training.history import Epoch

EVERY, SHARE = 1.0, 0.01  # seconds between two updates, at least; of the time, spent on them, at most
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 360, 180, 44, 8, 10, 22  # of a chart, in pixels
POINTS = 300  # of a curve, at most
STEEP = 20.0  # from this ratio of the largest loss to the smallest on, its axis is logarithmic
TRAIN, VALIDATION = "#8a8f98", "#3b82f6"  # legible on white and on black
FAINT = "rgb(128 128 128 / .3)"


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook: Jupyter's, or what is derived from it, such as Colab's."""
    find = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return find is not None and any(kind.__name__ == "ZMQInteractiveShell" for kind in type(find()).__mro__)


class NotebookCurves(Callback):
    """A bar over all epochs and the curves so far; at most one update a second, and 1 % of the time."""

    every_steps = None

    def __init__(self) -> None:
        self._handle: Any = None
        self._start, self._before, self._due = 0.0, 0, 0.0

    def on_train_begin(self, progress: Progress) -> None:
        from IPython.display import display

        show: Any = display
        self._start, self._before = time.perf_counter(), len(progress.history)
        self._handle = show(_bundle(progress, self._text(progress)), raw=True, display_id=True)
        self._due = self._start + EVERY

    def on_step_end(self, progress: Progress) -> None:
        if time.perf_counter() >= self._due:
            self._show(progress)

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        self.on_step_end(progress)

    def on_train_end(self, progress: Progress) -> None:
        if self._handle is not None:
            self._show(progress)
        self._handle = None  # it can't be pickled

    def _show(self, progress: Progress) -> None:
        start = time.perf_counter()
        self._handle.update(_bundle(progress, self._text(progress)), raw=True)
        now = time.perf_counter()
        self._due = now + max(EVERY, (now - start) / SHARE)

    def _text(self, progress: Progress) -> str:
        """Epoch, figures and time, in a line."""
        history, taken = progress.history, time.perf_counter() - self._start
        parts: list[str] = [tr("epoch") + f" {progress.epoch}/{progress.epochs}"]
        if isfinite(progress.cost):
            parts.append(tr("loss {cost:.4f}", cost=progress.cost))
        if history.epochs and (accuracy := history.validation_accuracy[-1]) is not None:
            parts.append(tr("validation {accuracy:.2f} %", accuracy=100 * accuracy))
        parts.append(tr("{seconds:.1f} s", seconds=taken))
        if progress.reason is not None:
            parts.append(str(progress.reason))
        elif progress.error is not None:
            parts.append(progress.error.__name__)
        elif 0 < (done := _done(progress)) < 1 and (new := done - self._before / progress.epochs) > 0:
            parts.append(tr("{seconds:.0f} s left", seconds=taken * (1 - done) / new))
        return " · ".join(parts)


def _done(progress: Progress) -> float:
    """The share of the training that is done."""
    steps = max(0, progress.epoch - 1) * progress.steps_per_epoch + progress.step
    return max(len(progress.history) / progress.epochs, steps / (progress.epochs * progress.steps_per_epoch))


def _bundle(progress: Progress, text: str) -> dict[str, str]:
    """The output in the forms that a notebook chooses from."""
    history = progress.history
    bar = (
        f'<div style="height:5px;width:{2 * WIDTH}px;max-width:100%;border-radius:3px;background:{FAINT}">'
        f'<div style="height:5px;width:{100 * _done(progress):.1f}%;border-radius:3px;background:{VALIDATION}"></div></div>'
    )
    charts = [
        chart(tr("loss"), {TRAIN: history.train_cost, VALIDATION: history.validation_cost}, logarithmic=True),
        chart(
            tr("accuracy, %"), {TRAIN: _percent(history.train_accuracy), VALIDATION: _percent(history.validation_accuracy)}
        ),
    ]
    names = {TRAIN: tr("training"), VALIDATION: tr("validation")}
    keys = " &nbsp; ".join(f'<span style="color:{colour}">━</span> {escape(name)}' for colour, name in names.items())
    drawn = "".join(charts) and f'<div style="font-size:12px;margin:4px 0">{keys}</div><div>{"".join(charts)}</div>'
    style = "font-size:13px;font-variant-numeric:tabular-nums;margin-bottom:4px"
    html = f'<div class="glassnet-training"><div style="{style}">{escape(text)}</div>{bar}{drawn}</div>'
    return {"text/plain": text, "text/html": html}


def _percent(column: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else 100 * value for value in column]


def chart(title: str, curves: dict[str, Sequence[float | None]], *, logarithmic: bool = False) -> str:
    """Curves over the epochs by their colours, as an <svg> in the notebook's own colours; nothing where there is no point."""
    found = {colour: _points(column) for colour, column in curves.items()}
    values = [y for points in found.values() for _, y in points]
    if not values:
        return ""
    low, high, last = min(values), max(values), max(x for points in found.values() for x, _ in points)
    steep = logarithmic and low > 0 and high / low > STEEP
    scale = log10 if steep else float
    bottom, top = scale(low), scale(high)
    if top - bottom < 1e-9 * max(1.0, abs(top)):
        bottom, top = bottom - 0.5, top + 0.5

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - 1) / (last - 1) if last > 1 else 0.5
        up = (scale(y) - bottom) / (top - bottom)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - BOTTOM - TOP)

    parts = []
    levels = [bottom + share * (top - bottom) for share in (0, 1 / 3, 2 / 3, 1)]
    ticks = [10**level if steep else level for level in levels]
    for tick, text in zip(ticks, _texts(ticks), strict=True):
        _, y = place(1, tick)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{FAINT}"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    for epoch, anchor in {1: "start", last: "end"}.items() if last > 1 else [(1, "middle")]:
        parts.append(f'<text x="{place(epoch, high)[0]:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{epoch}</text>')
    for colour, points in found.items():
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(x, y) for x, y in points))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>')
        if points:
            x, y = place(*points[-1])
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
    label = escape(str(title), quote=True)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 14}" width="{WIDTH}" role="img" aria-label="{label}" font-size="11" '
        f'fill="currentColor" style="max-width:100%"><text x="{LEFT}" y="11">{label}</text>'
        f'<g transform="translate(0 14)">{"".join(parts)}</g></svg>'
    )


def _texts(ticks: Sequence[float]) -> list[str]:
    """The numbers with as few digits as tell them apart, at least three and at most six."""
    for digits in (3, 4, 5, 6):
        texts = [f"{tick:.{digits}g}" for tick in ticks]
        if len(set(texts)) == len(texts):
            break
    return texts


def _points(column: Sequence[float | None]) -> list[tuple[int, float]]:
    """The epochs (from 1) and values of a curve that can be drawn, at most `POINTS` and the last."""
    found = [(epoch, float(y)) for epoch, y in enumerate(column, 1) if y is not None and isfinite(y)]
    step = -(-len(found) // POINTS) or 1
    return found[::step] + (found[-1:] if found and (len(found) - 1) % step else [])
