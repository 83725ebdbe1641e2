"""The progress of a search: a bar on a terminal, one plain line a trial elsewhere."""

from __future__ import annotations

import contextlib
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

from glassnet.experiment.search.plan import text_of
from glassnet.support.i18n import tr
from glassnet.training.display import print_line

if TYPE_CHECKING:
    from glassnet.experiment.search.records import SearchPlan, Trial


def value_text(plan: SearchPlan, trial: Trial) -> str:
    """The value of a trial with its spread, if it has one."""
    if trial.value is None:
        return tr("no value")
    factor, form, unit = (100, ".2f", " %") if plan.maximise else (1, ".6g", "")
    spread = "" if trial.spread is None else f" ± {factor * trial.spread:{form}}"
    return f"{factor * trial.value:{form}}{spread}{unit}"


class TrialProgress:
    """Shows each trial that `add` is called with: how many are done, the best so far, the time left."""

    def __init__(self, plan: SearchPlan) -> None:
        self._plan, self._done = plan, set[int]()
        self._best: Trial | None = None
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> TrialProgress:
        if sys.stdout.isatty():
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn(tr("trial") + " {task.completed}/{task.total}"),
                BarColumn(bar_width=20),
                TextColumn("{task.fields[best]}"),
                TimeElapsedColumn(),
                TextColumn(tr("left")),
                TimeRemainingColumn(),
                transient=True,
            )
            self._task = self._bar.add_task("", total=self._plan.trials, best="")
            with contextlib.suppress(OSError):
                self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            with contextlib.suppress(OSError):
                self._bar.stop()

    def add(self, trial: Trial) -> None:
        """Show a trial that has ended."""
        self._done.add(trial.number)
        better = trial.state == "complete" and self._is_better(trial)
        if better:
            self._best = trial
        if self._bar is None:
            print_line(self._line(trial))
            return
        best = "" if self._best is None else tr("best {value}", value=value_text(self._plan, self._best))
        self._bar.update(self._task, completed=len(self._done), best=best)
        if better:
            with contextlib.suppress(OSError):
                self._bar.console.print(self._line(trial), highlight=False)

    def _is_better(self, trial: Trial) -> bool:
        if trial.value is None or self._best is None or self._best.value is None:
            return trial.value is not None
        return (trial.value > self._best.value) == self._plan.maximise and trial.value != self._best.value

    def _line(self, trial: Trial) -> str:
        states = {"complete": value_text(self._plan, trial), "pruned": tr("pruned"), "failed": tr("failed")}
        return tr(
            "{done} of {total}: {value}  {settings}",
            done=len(self._done),
            total=self._plan.trials,
            value=states[trial.state],
            settings=text_of(trial.settings),
        )
