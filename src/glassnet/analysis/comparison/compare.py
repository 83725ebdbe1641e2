"""`compare`: runs, and baselines on the same data, with tests of every pair."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glassnet.analysis.comparison.measure import Comparing, Group, comparing, short_names
from glassnet.analysis.comparison.result import Comparison
from glassnet.experiment.more_seeds import more_seeds
from glassnet.experiment.run import Run
from glassnet.experiment.sweep import load_runs
from glassnet.support.habits import answered
from glassnet.training.display import SeedLine


@answered
def compare(
    runs: Sequence[str | Path | Run] | str | Path | Run,
    *,
    baselines: bool = False,
    seeds: int | None = None,
    test: bool = False,
    out: str | Path = "runs",
    threads: int | None = None,
    progress: bool | None = None,
) -> Comparison:
    """Compare runs on the same images, and with `baselines` five classifiers of scikit-learn and the majority class.

    `runs`: runs, or folders of runs or of several seeds. `seeds`: train each recipe until there are so many seeds, into
    out/compare-NAME. `test`: compare on the test set instead of the validation data, which is recorded in each run's ledger.
    `threads`, `progress`: as in `train`.

    One network each: McNemar's test; several seeds: a t-test over images and seeds; p-values corrected by Holm for all pairs.
    Raises `RunError` for runs of other classes or data, `InputError` for a run that is listed twice.

    Example::

        first = gn.train("digits", epochs=2, out="runs/two", progress=False)
        second = gn.train("digits", epochs=9, out="runs/nine", progress=False)
        found = gn.compare([first, second])
        print(found)
        found.best.accuracy, found.pairs[0].p, found.pairs[0].shown
    """
    listed = [runs] if isinstance(runs, (str, Path, Run)) else list(runs)
    prepared = prepare(
        listed, baselines=baselines, seeds=seeds, test=test, out=out, options={"threads": threads, "progress": progress}
    )
    return Comparison.of([measure() for _, measure in prepared.steps()], prepared.part)


def prepare(
    runs: Sequence[str | Path | Run],
    *,
    baselines: bool,
    seeds: int | None,
    test: bool,
    out: str | Path,
    options: dict[str, Any],
) -> Comparing:
    """What `compare` measures, once all runs are checked and further seeds are trained; `options` as in `train`."""
    folders = [run.folder if isinstance(run, Run) else Path(run) for run in runs]
    loaded = [[run] if isinstance(run, Run) else load_runs(Path(run)) for run in runs]
    names = short_names(folders)
    groups = [Group(name, tuple(group)) for name, group in zip(names, loaded, strict=True)]
    prepared = comparing(groups, "test" if test else "validation", baselines=baselines)
    if seeds is None:
        return prepared
    lines = [] if options.get("progress") is False else [SeedLine()]
    more = [
        Group(group.name, tuple(more_seeds(group.runs, seeds, folder.resolve().name, Path(out), callbacks=lines, **options)))
        for group, folder in zip(groups, folders, strict=True)
    ]
    return comparing(more, prepared.part, baselines=baselines)
