"""A table of gradients by backpropagation next to numerical ones, printed during the training of a small network."""

from __future__ import annotations

from glassnet.analysis.gradient_check import GradientCheck, check_gradients
from glassnet.data import Dataset
from glassnet.network import Network
from glassnet.support import terminal
from glassnet.support.i18n import mark, tr
from glassnet.training import Callback, Epoch
from glassnet.training.callbacks import Progress
from glassnet.training.display import print_line

TABLES = 8  # printed during training, at evenly spaced epochs


COLUMNS = (
    mark("parameter"),
    mark("value"),
    mark("backpropagation"),
    mark("definition"),
    mark("difference"),
)


def rows(check: GradientCheck) -> list[tuple[str, ...]]:
    """Name, value, gradient by backpropagation, numerical gradient and their difference, for each parameter."""
    return [
        (entry.name, f"{entry.value:+.6f}", f"{entry.gradient:+.10f}", f"{entry.numerical:+.10f}", f"{entry.error:.1e}")
        for entry in check.parameters
    ]


def table(check: GradientCheck) -> str:
    """The rows as text with a header."""
    return "\n".join(f"  {line}" for line in terminal.table([tuple(map(tr, COLUMNS)), *rows(check)]))


class GradientTable(Callback):
    """Prints the table before the first epoch and after some of the epochs."""

    def __init__(self, data: Dataset) -> None:
        self._data = data

    def _print(self, progress: Progress, heading: str) -> None:
        assert isinstance(progress.network, Network)
        print_line(f"{heading}\n{table(check_gradients(progress.network, self._data))}")

    def on_train_begin(self, progress: Progress) -> None:
        self._print(progress, tr("At the start"))

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        every = max(1, progress.epochs // TABLES)
        if epoch.epoch % every == 0 or epoch.epoch == progress.epochs:
            self._print(progress, tr("After epoch {epoch}: loss {cost:.6g}", epoch=epoch.epoch, cost=epoch.train_cost))
