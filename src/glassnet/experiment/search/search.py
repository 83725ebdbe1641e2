"""A search in one process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from glassnet.errors import GlassnetError
from glassnet.experiment.run import read_splits
from glassnet.experiment.run_folder import new_folder
from glassnet.experiment.search.plan import PLAN, plan_text, points
from glassnet.experiment.search.records import SearchPlan, SearchResult, Trial
from glassnet.experiment.search.trial import run_trial
from glassnet.support.atomic import write_text
from glassnet.support.strict_json import line, lines


def search(
    plan: SearchPlan,
    *,
    out: str | Path | None = None,
    storage: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    on_trial: Callable[[Trial], object] | None = None,
    resume: bool = False,
) -> SearchResult:
    splits, trials = read_splits(plan.recipe), []
    with nullcontext(Path(out)) if resume and out else new_folder(out, f"search-{plan.recipe.name}") as folder:
        write_text(folder / PLAN, plan_text(plan))
        file = folder / "trials.jsonl"
        done = {row["point"]: row for row in lines(file.read_text())} if file.exists() else {}
        for point in points(plan):
            if point.identity in done:
                row = done[point.identity]
                trials.append(Trial(**{**row, "parts": tuple(row["parts"]), "curve": tuple(row["curve"])}))
                continue
            try:
                outcome = run_trial(plan, point.settings or {}, splits, threads=threads)
                found: dict[str, Any] = {"parts": outcome.parts, "curve": outcome.curve, "seconds": outcome.seconds}
            except GlassnetError as error:
                found = {"state": "failed", "error": str(error)}
            found = {"state": "complete", "settings": point.settings or {}, **found}
            trial = Trial(number=point.number, point=point.identity, **found)
            trials.append(trial)
            with file.open("a") as opened:
                opened.write(line(asdict(trial)))
            if on_trial is not None:
                on_trial(trial)
    return SearchResult(plan, tuple(trials), folder)
