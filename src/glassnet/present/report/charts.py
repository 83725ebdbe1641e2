"""The report's charts: figures as a notebook could draw them, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glassnet.present.figures import (
    accuracy_figure,
    activation_statistics_figure,
    calibration_figure,
    class_accuracy_figure,
    cost_figure,
    gradients_figure,
    updates_figure,
)
from glassnet.present.figures.curves import STATISTICS
from glassnet.present.report.facts import Facts
from glassnet.support.i18n import mark

if TYPE_CHECKING:
    from matplotlib.figure import Figure


ACTIVITY = "activations-"  # begins the names of charts of activations
ABOUT = {  # what each chart shows
    "cost": mark("loss"),
    "accuracy": mark("accuracy, %"),
    "classes": mark("accuracy of each class, %"),
    "calibration": mark("perfectly calibrated"),
    "gradients": mark("gradient norm"),
    "updates": mark("norm of the last update / norm of the weights"),
    **{ACTIVITY + statistic: text for statistic, text in STATISTICS.items()},
}


def drawings(facts: Facts) -> dict[str, Figure]:
    """The report's charts by name, those that this run has."""
    history, found = facts.run.history, {}
    if history.epochs:
        found["cost"] = cost_figure(history)
        if any(value is not None for value in [*history.train_accuracy, *history.validation_accuracy]):
            found["accuracy"] = accuracy_figure(history)
        if any(history.gradient_norms.values()):
            found["gradients"] = gradients_figure(history)
        if any(history.update_norms.values()):
            found["updates"] = updates_figure(history)
        measured = {statistic for found_in in history.activations.values() for statistic in found_in}
        for statistic in ("mean", "spread", "saturated", "dead"):
            if statistic in measured:
                found[ACTIVITY + statistic] = activation_statistics_figure(history.activations, statistic)
    if facts.result is not None and facts.data.is_classification:
        found["classes"] = class_accuracy_figure(facts.result)
    if facts.calibration is not None:
        found["calibration"] = calibration_figure(facts.calibration)
    return found
