"""Progress of training: a live bar on a terminal, curves in a notebook, one plain line an epoch elsewhere."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from glassnet.support.i18n import tr
from glassnet.training.callbacks import Callback, Progress
from glassnet.training.history import Epoch
from glassnet.training.notebook import NotebookCurves, in_notebook

PATIENCE = 0.7  # seconds of silence before a wait is explained


def plain_line(epoch: Epoch) -> str:
    """`Epoch 3: 9302 / 10000`, as in the tutorials; without validation, the loss."""
    if epoch.validation_correct is not None:
        return tr(
            "Epoch {epoch}: {correct} / {total}",
            epoch=epoch.epoch,
            correct=epoch.validation_correct,
            total=epoch.validation_total,
        )
    if epoch.validation_cost is not None:
        return tr("Epoch {epoch}: validation loss {cost:.6g}", epoch=epoch.epoch, cost=epoch.validation_cost)
    return tr("Epoch {epoch}: loss {cost:.6g}", epoch=epoch.epoch, cost=epoch.train_cost)


def print_line(text: str, file: TextIO | None = None) -> None:
    """Print a line; a closed pipe or a full disk behind the output does not end the training."""
    with contextlib.suppress(OSError):
        print(text, file=file or sys.stdout, flush=True)


class PlainLines(Callback):
    """One line an epoch to `file` (standard output); or, with `every`, of the first, of each multiple and of the last."""

    def __init__(self, file: TextIO | None = None, every: int = 1) -> None:
        self._file, self._every, self._silent = file, every, False

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        self._silent = epoch.epoch % self._every != 0 and len(progress.history) > 1
        if not self._silent:
            print_line(plain_line(epoch), self._file)

    def on_train_end(self, progress: Progress) -> None:
        if self._silent:
            print_line(plain_line(progress.history.epochs[-1]), self._file)


class SeedLine(Callback):
    """One line before each training, for several in a row."""

    def on_train_begin(self, progress: Progress) -> None:
        print_line(tr("Seed {seed}", seed=progress.history.seed))


class RanksLine(Callback):
    """One line before a training on several ranks: how they share a mini-batch."""

    def on_train_begin(self, progress: Progress) -> None:
        shares = progress.settings["ranks"]
        shown = ", ".join(map(str, shares))
        print_line(tr("{count} ranks share each mini-batch: {shares} images", count=len(shares), shares=shown))


class EpochCount(Callback):
    """`count`: the epochs that were trained, without those of a checkpoint."""

    count = 0

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        self.count += 1


class LiveBar(Callback):
    """A bar over all epochs with loss, accuracy and time left; it leaves a line for each epoch that was the best so far."""

    every_steps = None

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._best = float("-inf")
        self._start, self._before = 0.0, 0  # seconds, epochs of a checkpoint

    def on_train_begin(self, progress: Progress) -> None:
        from rich.progress import BarColumn, Progress as Bar, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._bar = Bar(
            TextColumn(tr("epoch") + " {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[numbers]}"),
            TimeElapsedColumn(),
            TextColumn(tr("left")),
            TimeRemainingColumn(),
            transient=True,
        )
        self._start, self._before = time.perf_counter(), len(progress.history)
        self._task = self._bar.add_task(
            "", total=progress.epochs * progress.steps_per_epoch, epoch=progress.epoch, epochs=progress.epochs, numbers=""
        )
        with contextlib.suppress(OSError):
            self._bar.start()

    def on_step_end(self, progress: Progress) -> None:
        done = max(0, progress.epoch - 1) * progress.steps_per_epoch + progress.step
        numbers = str(tr("loss {cost:.4f}", cost=progress.cost))
        accuracies = progress.history.validation_accuracy
        if accuracies and accuracies[-1] is not None:
            numbers += tr("  validation {accuracy:.2f} %", accuracy=100 * accuracies[-1])
        self._bar.update(self._task, completed=done, epoch=progress.epoch, numbers=numbers)

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        self.on_step_end(progress)
        if (score := progress.history.scores()[-1]) > self._best:
            self._best = score
            self._print(plain_line(epoch))

    def on_train_end(self, progress: Progress) -> None:
        if self._bar is None:  # what came before it failed to begin
            return
        with contextlib.suppress(OSError):
            self._bar.stop()
        if count := len(progress.history) - self._before:
            self._print(tr("{count} epochs in {seconds:.1f} s", count=count, seconds=time.perf_counter() - self._start))
        self._bar = None  # it holds a lock, which can't be copied or pickled

    def _print(self, text: str) -> None:
        with contextlib.suppress(OSError):  # as `print_line`
            self._bar.console.print(text, highlight=False)


@contextlib.contextmanager
def waiting(text: str, progress: bool | None) -> Iterator[None]:
    """Say what is being done if it takes long: a spinner on a terminal, elsewhere one line. `progress` as in `fit`."""
    if progress is False or (progress is None and not sys.stdout.isatty()):
        yield
        return
    if sys.stdout.isatty():
        from rich.console import Console

        spinner = Console().status(text)
        timer = threading.Timer(PATIENCE, spinner.start)
    else:
        spinner, timer = None, threading.Timer(PATIENCE, print_line, [text])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        if spinner is not None:
            spinner.stop()


@contextlib.contextmanager
def steps_display(text: str, steps: int, progress: bool | None) -> Iterator[Callable[[], None]]:
    """A function to call after each of so many steps of a long work: a bar with the time left on a terminal; elsewhere a
    line at each fifth of the steps. `progress` as in `fit`."""
    done, start = 0, time.perf_counter()
    if progress is False or (progress is None and not sys.stdout.isatty()):
        yield lambda: None
    elif sys.stdout.isatty():
        from rich.progress import BarColumn, Progress as Bar, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (
            TextColumn(text),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn(tr("left")),
            TimeRemainingColumn(),
        )
        with Bar(*columns, transient=True) as bar:
            task = bar.add_task("", total=steps)
            yield lambda: bar.advance(task)
    else:

        def advance() -> None:
            nonlocal done
            done += 1
            if done * 5 // steps > (done - 1) * 5 // steps and done < steps:
                left = (time.perf_counter() - start) * (steps - done) / done
                share = round(100 * done / steps)
                print_line(tr("{text}: {share} %, about {seconds:.0f} s left", text=text, share=share, seconds=left))

        print_line(tr("{text} …", text=text))
        yield advance


def default_display(progress: bool | None, every: int = 1) -> list[Callback]:
    """True: a bar, or a line each `every` epochs; None: a bar on a terminal, else nothing; False: nothing.

    In a notebook, unless False: a bar and curves.
    """
    if progress is not False and in_notebook():
        return [NotebookCurves()]
    if progress is False or (progress is None and not sys.stdout.isatty()):
        return []
    return [LiveBar() if sys.stdout.isatty() else PlainLines(every=every)]
