"""What a search leaves as files: the table of all trials, and the recipe of the best."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from glassnet.errors import writing
from glassnet.experiment.search.records import SearchResult
from glassnet.experiment.search.space import shown
from glassnet.support.atomic import write_text

TRIALS, BEST = "trials.csv", "best.toml"


def write_results(result: SearchResult) -> list[Path]:
    """Write trials.csv, and best.toml if a trial is complete, into the folder of a search; the files."""
    texts = {TRIALS: trials_csv(result)}
    if result.best is not None:
        texts[BEST] = result.recipe_of(result.best).to_toml()
    for name, text in texts.items():
        with writing(result.folder / name):
            write_text(result.folder / name, text)
    return [result.folder / name for name in texts]


def trials_csv(result: SearchResult) -> str:
    """All trials in the order of their numbers, without times: the same plan gives the same text."""
    plan, file = result.plan, io.StringIO(newline="")
    keys = [parameter.key for parameter in plan.space]
    parts = [f"part_{number}" for number in range(1, plan.folds * plan.seeds + 1)] if plan.folds * plan.seeds > 1 else []
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(["trial", *keys, "state", "value", "spread", *parts, "point"])
    for trial in result.trials:
        reached = [_number(part) for part in trial.parts[: len(parts)]]
        rows.writerow([
            trial.number,
            *(shown(trial.settings[key]) if key in trial.settings else "" for key in keys),
            trial.state,
            _number(trial.value),
            _number(trial.spread),
            *reached,
            *[""] * (len(parts) - len(reached)),
            trial.point,
        ])  # fmt: skip
    return file.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)
