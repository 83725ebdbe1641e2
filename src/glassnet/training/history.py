"""The history of a training: one `Epoch` for each epoch, kept in history.jsonl."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from math import isfinite, isnan, nan
from typing import Any

from glassnet.errors import InputError
from glassnet.support.i18n import tr
from glassnet.support.strict_json import line, numbers
from glassnet.support.upwards import Shown, present
from glassnet.training.stop import Stop, StopReason


@dataclass(frozen=True)
class Epoch:
    """One epoch. Costs are means without penalty; the training ones run over the mini-batches as the weights move.

    Norms are of the last step of the epoch: the length of each parameter array's gradient, and of its change relative to
    the array itself. `activations` are statistics of each layer's output for a few training images, always the same, after
    the epoch; where an epoch takes hardly longer than they do, they stay the same for some epochs. `first_step`, of the
    first epoch alone, has the norms of the very first step, and the activations and the loss of those images before it.
    """

    epoch: int
    train_cost: float
    train_accuracy: float | None
    validation_cost: float | None
    validation_accuracy: float | None
    validation_correct: int | None
    validation_total: int | None
    learning_rate: float
    seconds: float
    gradient_norms: dict[str, float] = field(default_factory=dict)
    update_norms: dict[str, float] = field(default_factory=dict)
    steps: int = 0
    activations: dict[str, dict[str, float]] = field(default_factory=dict)
    first_step: dict[str, Any] = field(default_factory=dict)


class History(Shown):
    """`train_cost`, `train_accuracy`, `validation_cost`, `validation_accuracy`, …: one number an epoch.

    `stopped` is why training ended before its last epoch, a reason with its figures, or None.
    `best_epoch` (from 1) is the one with the highest validation accuracy, the earliest of several, or, where there is no
    accuracy, the lowest loss.
    """

    def __init__(self, epochs: Sequence[Epoch] = (), *, seed: int = 0, stopped: Stop | None = None) -> None:
        self.epochs, self.seed, self.stopped = list(epochs), seed, stopped

    def __len__(self) -> int:
        return len(self.epochs)

    def _column(self, name: str) -> list[Any]:
        return [getattr(epoch, name) for epoch in self.epochs]

    @property
    def train_cost(self) -> list[float]:
        return self._column("train_cost")

    @property
    def train_accuracy(self) -> list[float]:
        return self._column("train_accuracy")

    @property
    def validation_cost(self) -> list[float]:
        return self._column("validation_cost")

    @property
    def validation_accuracy(self) -> list[float]:
        return self._column("validation_accuracy")

    @property
    def history(self) -> dict[str, list[float]]:
        """The curves by their names in Keras: loss, accuracy, val_loss, val_accuracy, where they were measured."""
        names = {"loss": "train_cost", "accuracy": "train_accuracy", "val_loss": "validation_cost"}
        columns = {name: self._column(own) for name, own in {**names, "val_accuracy": "validation_accuracy"}.items()}
        return {name: column for name, column in columns.items() if None not in column}

    def frame(self) -> Any:
        """A pandas DataFrame with a row for each epoch, the index, and the figures as columns; NaN where not measured.

            history.frame()[["train_accuracy", "validation_accuracy"]].plot()

        The columns are train_cost, train_accuracy, validation_cost, validation_accuracy, validation_correct,
        validation_total, learning_rate, seconds and steps. Raises `InputError` where pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise InputError(
                tr("A data frame needs pandas, which is not installed."), where="history.frame()", hint="pip install pandas"
            ) from None
        names = [found.name for found in fields(Epoch) if found.name != "epoch" and found.default_factory is MISSING]
        columns = {name: [nan if value is None else value for value in self._column(name)] for name in names}
        return pd.DataFrame(columns, index=pd.Index(self._column("epoch"), name="epoch"))

    def plot(self) -> Any:
        """Loss and accuracy over the epochs, as a matplotlib figure."""
        return present("figures").history_figure(self)

    @property
    def learning_rate(self) -> list[float]:
        return self._column("learning_rate")

    @property
    def seconds(self) -> list[float]:
        """Time of each epoch, validation included."""
        return self._column("seconds")

    @property
    def gradient_norms(self) -> dict[str, list[float]]:
        """‖g‖ of each parameter array at the last step of each epoch."""
        return self._norms("gradient_norms")

    @property
    def update_norms(self) -> dict[str, list[float]]:
        """‖Δw‖ / ‖w‖ of each parameter array at the last step of each epoch."""
        return self._norms("update_norms")

    @property
    def activations(self) -> dict[str, dict[str, list[float]]]:
        """Of each layer, after each epoch: mean and spread of its output, and the share that is saturated or dead."""
        tables = self._tables("activations")
        return {
            layer: {name: [table[layer][name] for table in tables] for name in found}
            for layer, found in (tables[0].items() if tables else ())
        }

    def _norms(self, name: str) -> dict[str, list[float]]:
        tables = self._tables(name)
        return {key: [table[key] for table in tables] for key in (tables[0] if tables else ())}

    def _tables(self, name: str) -> list[dict[str, Any]]:
        """What was measured by names in each epoch; nothing where not in all of them: a training may go on without it."""
        tables = self._column(name)
        return tables if all(tables) else []

    def scores(self) -> list[float]:
        """One number an epoch, higher is better: validation accuracy, else minus the loss (validation, else training)."""
        for name in ("validation_accuracy", "validation_cost", "train_cost"):
            column = self._column(name)
            if column and None not in column:
                return (
                    column if name.endswith("accuracy") else [float("-inf") if isnan(value) else -value for value in column]
                )
        return []

    @property
    def best_epoch(self) -> int | None:
        scores = self.scores()
        return scores.index(max(scores)) + 1 if scores else None

    @property
    def not_finite(self) -> bool:
        """Whether the loss became infinite or NaN."""
        stopped = self.stopped is not None and self.stopped.reason is StopReason.NOT_FINITE
        return stopped or not all(map(isfinite, self.train_cost))

    def rows(self) -> list[dict[str, Any]]:
        """The epochs, ready for JSON and for `from_rows`."""
        return [asdict(epoch) for epoch in self.epochs]

    def lines(self) -> str:
        """One JSON object a line, as kept in history.jsonl; at last, where training ended early, {"stopped": why}."""
        rows = [*self.rows(), *([] if self.stopped is None else [{"stopped": self.stopped.as_dict()}])]
        return "".join(map(line, rows))

    @classmethod
    def from_rows(cls, rows: Sequence[dict[str, Any]], *, seed: int = 0) -> History:
        """The history of what `rows` or `lines` gave. Raises `ValueError` for rows that these can't have given."""
        from glassnet.training.history_rows import check_rows

        rows, stopped = [numbers(row) for row in rows], None
        if rows and isinstance(rows[-1], dict) and set(rows[-1]) == {"stopped"}:
            *rows, last = rows
            try:
                stopped = Stop.of(last["stopped"])
            except (ValueError, TypeError) as error:
                raise ValueError(f"line {len(rows) + 1}: {error}") from None
        check_rows(rows)
        return cls([Epoch(**row) for row in rows], seed=seed, stopped=stopped)

    def __repr__(self) -> str:
        if not self.epochs:
            return "History(no epochs)"
        last = self.epochs[-1]
        parts = [f"{len(self)} epochs", f"train cost {last.train_cost:.4g}"]
        if last.validation_accuracy is not None:
            parts.append(f"validation accuracy {100 * last.validation_accuracy:.2f} %")
        return f"History({', '.join(parts)})"
