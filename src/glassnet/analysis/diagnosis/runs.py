"""The diagnosis of a run, and of several: whether the best is better than the others by more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glassnet.analysis.diagnosis.diagnose import diagnose
from glassnet.analysis.diagnosis.difference import diagnose_difference
from glassnet.analysis.diagnosis.finding import Diagnosis
from glassnet.errors import RunError
from glassnet.experiment.run import Run
from glassnet.experiment.sweep import check_distinct, check_same_data, load_runs
from glassnet.support.i18n import tr


def diagnose_run(run: Run) -> Diagnosis:
    return diagnose(run.history, run.network, run.splits, learning_rate=run.learning_rate)


def diagnose_runs(folders: Sequence[str | Path]) -> Diagnosis:
    """Whether the best of several runs, or of several folders of seeds, is better than the others by more than chance.

    On validation data, which all must share. Raises `RunError` where they do not.
    """
    paths = [Path(folder) for folder in folders]
    check_distinct(paths)
    groups = [load_runs(path) for path in paths]
    first = groups[0][0]
    data = first.splits.validation
    if data is None or not data.is_classification:
        raise RunError(
            tr("Runs are compared on validation images with classes."),
            where=first.folder,
            expected=tr("a validation part"),
            received=tr("none") if data is None else tr("targets that are no classes"),
        )
    check_same_data([run for group in groups for run in group], "validation")
    histories = [[run.history for run in group] for group in groups]
    return diagnose_difference([[run.network for run in group] for group in groups], data, list(map(str, paths)), histories)
