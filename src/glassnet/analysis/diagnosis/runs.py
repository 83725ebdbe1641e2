"""`diagnose_runs`: whether the best of several runs is better than the others by more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glassnet.analysis.diagnosis.difference import diagnose_difference
from glassnet.analysis.diagnosis.finding import Diagnosis
from glassnet.errors import InputError, RunError
from glassnet.experiment.run import Run
from glassnet.experiment.sweep import is_of_seeds, load_seeds, same_data
from glassnet.support.i18n import tr


def diagnose_runs(folders: Sequence[str | Path]) -> Diagnosis:
    """Whether the best of several runs, or of several folders of seeds, is better than the others by more than chance.

    On validation data, which all must share. Raises `RunError` where they do not.
    """
    paths = [Path(folder) for folder in folders]
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError(
            tr("A run stands twice."), where="diagnose", expected=tr("each run once"), received=", ".join(map(str, paths))
        )
    groups = [load_seeds(path) if is_of_seeds(path) else [Run.load(path)] for path in paths]
    first = groups[0][0]
    data = first.splits.validation
    if data is None or not data.is_classification:
        raise RunError(
            tr("Runs are compared on validation images with classes."),
            where=first.folder,
            expected=tr("a validation part"),
            received=tr("none") if data is None else tr("targets that are no classes"),
        )
    for run in (run for group in groups for run in group):
        other = run.splits.validation
        if other is None or not same_data(data, other):
            raise RunError(
                tr("The runs do not have the same validation images."),
                where=run.folder,
                expected=tr("{data}, as {folder}", data=repr(data), folder=first.folder),
                received=other if other is None else tr("{data}, of other images", data=repr(other)),
                hint=tr("train the runs on the same data with the same split"),
            )
    histories = [[run.history for run in group] for group in groups]
    return diagnose_difference([[run.network for run in group] for group in groups], data, list(map(str, paths)), histories)
