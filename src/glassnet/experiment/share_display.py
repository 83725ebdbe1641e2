"""Progress of the trainings of a learning curve: a bar with the time left on a terminal, elsewhere a line for each."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from glassnet.experiment.shares import Measured, SharePlan
from glassnet.support.i18n import NOTHING, tr
from glassnet.support.terminal import about_time
from glassnet.training import Callback, Epoch, Progress
from glassnet.training.display import print_line


class ShareDisplay(Callback):
    """Shows the plan, then the trainings as they end. `shown` as `progress` in Network.fit."""

    def __init__(self, plan: SharePlan, shown: bool | None) -> None:
        self._plan, self._bar, self._task = plan, None, None
        self._live = shown is not False and sys.stdout.isatty()
        self._plain = bool(shown) and not self._live
        self._images, self._count = 0, 0

    @property
    def shown(self) -> bool:
        return self._live or self._plain

    def begin(self, done: int, work: float, seconds: float) -> None:
        """`done` trainings are done already; the rest takes about so long."""
        if not self.shown:
            return
        kept = tr("; {done} of them are done", done=done) if done else NOTHING
        print_line(tr("{plan}{kept}: {time}.", plan=self._plan.about(), kept=kept, time=about_time(seconds)))
        self._count = done
        if self._live:
            from rich.progress import BarColumn, Progress as Bar, TextColumn, TimeElapsedColumn, TimeRemainingColumn

            left, text = TextColumn(tr("left")), TextColumn("{task.fields[done]}")
            bar: Any = Bar(text, BarColumn(bar_width=24), TimeElapsedColumn(), left, TimeRemainingColumn(), transient=True)
            self._bar, self._task = bar, bar.add_task("", total=work, done=self._done)
            with contextlib.suppress(OSError):
                bar.start()

    def next(self, images: int) -> None:
        """A training on so many images begins."""
        self._images = images

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        if self._bar is not None:
            self._bar.advance(self._task, self._images)

    def add(self, measured: Measured) -> None:
        """A training is done."""
        self._count += 1
        accuracy = 100 * measured.accuracy
        if self._bar is not None:
            self._bar.update(self._task, done=self._done)
        elif self._plain:
            text = tr(
                "{done}: {images:,} images, {accuracy:.2f} %", done=self._done, images=measured.images, accuracy=accuracy
            )
            print_line(text)

    def end(self) -> None:
        if self._bar is not None:
            with contextlib.suppress(OSError):
                self._bar.stop()

    @property
    def _done(self) -> str:
        return f"{self._count}/{len(self._plan.trainings)}"
