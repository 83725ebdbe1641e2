"""A bar for long reading: on a terminal only, on stderr, and only after a moment."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

PATIENCE = 0.7
"""Seconds of work before a bar appears: what is quicker needs none."""


@contextlib.contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A function that is told how many more of `total` are done."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    began, done = time.monotonic(), 0
    bar: Any = None
    task: Any = None

    def advance(count: int) -> None:
        nonlocal bar, task, done
        done += count
        if bar is None and time.monotonic() - began > PATIENCE:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn(label), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn())
            bar = Progress(*columns, console=Console(stderr=True), transient=True)
            task = bar.add_task("", total=total)
            bar.start()
        if bar is not None:
            bar.update(task, completed=done)

    try:
        yield advance
    finally:
        if bar is not None:
            bar.stop()
