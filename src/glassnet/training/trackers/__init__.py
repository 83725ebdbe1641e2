"""Trackers: callbacks that log a training to TensorBoard, MLflow, trackio or Weights & Biases."""

from __future__ import annotations

from collections.abc import Callable

from glassnet.errors import InputError
from glassnet.support.i18n import tr
from glassnet.training.trackers.base import Tracker
from glassnet.training.trackers.mlflow import MLflow
from glassnet.training.trackers.tensorboard import TensorBoard
from glassnet.training.trackers.wandb import WandB

FORMS: dict[str, tuple[Callable[[str], Tracker], str]] = {  # of `--track`: what is made, and where it goes by default
    "tensorboard": (TensorBoard, "logs"),
    "mlflow": (MLflow, "sqlite:///mlflow.db"),
    "trackio": (lambda project: WandB(project, module="trackio"), "glassnet"),
    "wandb": (WandB, "glassnet"),
}


def tracker(text: str) -> Tracker:
    """The tracker of a text such as "tensorboard:logs", "mlflow:sqlite:///mlflow.db", "trackio:PROJECT", "wandb"."""
    name, _, where = text.partition(":")
    if name not in FORMS:
        raise InputError(
            tr("Unknown tracker."),
            where="--track",
            expected=", ".join(f"{form}[:{default}]" for form, (_, default) in FORMS.items()),
            received=repr(text),
            hint="--track tensorboard:logs",
        )
    make, default = FORMS[name]
    return make(where or default)


__all__ = ["MLflow", "TensorBoard", "Tracker", "WandB", "tracker"]
