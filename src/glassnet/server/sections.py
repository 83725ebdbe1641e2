"""What the page of a training shows, as plain data: its curves, its progress, and the health of its layers."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from glassnet.support.i18n import Message, tr

MOST = 400  # points of a curve
RECENT = 5  # epochs, by whose time the rest is estimated
TRAIL = 40  # epochs of a layer's small chart
COLUMNS = ("train_cost", "validation_cost", "train_accuracy", "validation_accuracy")

Row = dict[str, Any]


def pair(text: str) -> dict[str, str]:
    """A message as the page's script takes it."""
    return {"en": text.en, "zh": text.zh} if isinstance(text, Message) else {"en": str(text), "zh": str(text)}


def finite(value: Any) -> float | None:
    """A number for JSON; None for what is none, NaN and infinity."""
    return float(value) if isinstance(value, (int, float)) and isfinite(value) else None


def curves(rows: Sequence[Row], epochs: int) -> dict[str, Any]:
    """Loss and accuracy after each epoch, thinned where there are many, and the best epoch."""
    count = len(rows)
    places = range(count) if count <= MOST else sorted({round(k * (count - 1) / (MOST - 1)) for k in range(MOST)})
    found: dict[str, Any] = {"epoch": [rows[k].get("epoch", k + 1) for k in places], "epochs": epochs}
    for name in COLUMNS:
        values = [finite(rows[k].get(name)) for k in places]
        if any(value is not None for value in values):
            found[name] = values
    found["best"] = best(rows)
    return found


def best(rows: Sequence[Row]) -> dict[str, float] | None:
    """The first epoch with the highest validation accuracy, or the lowest loss where there is none."""
    for name, sign in (("validation_accuracy", 1.0), ("validation_cost", -1.0)):
        scores = [sign * value if (value := finite(row.get(name))) is not None else -float("inf") for row in rows]
        if scores and isfinite(max(scores)):
            place = scores.index(max(scores))
            return {"epoch": rows[place].get("epoch", place + 1), name: sign * scores[place]}
    return None


def time_left(rows: Sequence[Row], done: float, epochs: int) -> float | None:
    """Seconds for the rest of the epochs, at the pace of the last ones; None before the first."""
    recent = sorted(value for row in rows[-RECENT:] if (value := finite(row.get("seconds"))) is not None)
    return (epochs - done) * recent[len(recent) // 2] if recent else None


def duration(seconds: float) -> Message:
    """12 s, 3:07 min, 1:02 h."""
    whole = max(0, round(seconds))
    if whole < 60:
        return tr("{seconds} s", seconds=whole)
    if whole < 3600:
        return tr("{minutes}:{seconds:02} min", minutes=whole // 60, seconds=whole % 60)
    return tr("{hours}:{minutes:02} h", hours=whole // 3600, minutes=whole // 60 % 60)


def layers(rows: Sequence[Row], norms: dict[str, float], activations: dict[str, str]) -> list[dict[str, Any]]:
    """For each layer with weights: their norm now, and after the last epoch the gradient, the update and the units.

    `norms`: of the matrices of weights, by name ("dense1.weight"). `activations`: the layer that shows the units of each.
    """
    last = rows[-1] if rows else {}
    gradients, updates, outputs = (last.get(name) or {} for name in ("gradient_norms", "update_norms", "activations"))
    found: list[dict[str, Any]] = []
    for array in norms or [name for name in gradients if name.endswith(".weight")]:
        layer = array.rpartition(".")[0]
        units = outputs.get(activations.get(layer, layer), {})
        entry = {
            "name": array.removesuffix(".weight"),
            "weight": finite(norms.get(array)),
            "gradient": finite(gradients.get(array)),
            "update": finite(updates.get(array)),
            "saturated": finite(units.get("saturated")),
            "dead": finite(units.get("dead")),
            "trail": [finite((row.get("update_norms") or {}).get(array)) for row in rows[-TRAIL:]],
        }
        found.append(entry)
    return found


class Within:
    """The loss within epochs: the mean over the steps between two looks, as points (epochs done, loss)."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float]] = []
        self._before = (0, 0, 0.0)  # epoch, step, sum of the losses of its steps

    def add(self, epoch: int, step: int, cost: float | None, done: float) -> bool:
        """Whether there is a new point."""
        if cost is None or step < 1:
            return False
        same, first, total = self._before
        if same != epoch or step <= first:
            first, total = 0, 0.0
        if (epoch, step) == self._before[:2]:
            return False
        recent = (cost * step - total) / (step - first)
        self._before = (epoch, step, cost * step)
        if not isfinite(recent):
            return False
        self.points.append((done, max(0.0, recent)))
        if len(self.points) > 2 * MOST:
            self.points = self.points[::2]
        return True
