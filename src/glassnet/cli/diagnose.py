"""`glassnet diagnose RUN…`: why a training failed; of several, whether the best is really better."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassnet.cli.console import fail, say
from glassnet.support.i18n import mark

if TYPE_CHECKING:
    from glassnet.analysis.diagnosis import Diagnosis

NAME = "diagnose"
HELP = mark(
    "Say why a training failed: what is seen, why, and what to try; of several runs, whether the best is really better."
)


def command(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN…",
            help=mark("A run folder, or a folder of several seeds; two or more are compared with each other."),
            show_default=False,
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help=mark("As one JSON object."))] = False,
    strict: Annotated[bool, typer.Option("--strict", help=mark("Exit with 1 if anything is found."))] = False,
) -> None:
    from glassnet.analysis.diagnosis import diagnose
    from glassnet.analysis.diagnosis.difference import diagnose_runs
    from glassnet.experiment.run import Run
    from glassnet.experiment.sweep import is_of_seeds, load_seeds

    diagnoses: list[tuple[str, Diagnosis]] = []
    if len(runs) > 1:
        diagnoses.append((", ".join(map(str, runs)), diagnose_runs(runs)))
    else:
        several = load_seeds(runs[0]) if is_of_seeds(runs[0]) else [Run.load(runs[0])]
        for run in several:
            found = diagnose(run.history, run.network, run.splits, learning_rate=run.learning_rate)
            diagnoses.append((str(run.folder), found))
    if as_json:
        say(json.dumps({name: _plain(diagnosis) for name, diagnosis in diagnoses}, ensure_ascii=False, indent=1))
    else:
        for name, diagnosis in diagnoses:
            say(f"{name}:\n")
            say(str(diagnosis))
            say()
    if strict and not all(diagnosis.healthy for _, diagnosis in diagnoses):
        fail(1)


def _plain(diagnosis: Diagnosis) -> list[dict[str, object]]:
    return [
        {"name": one.name, "evidence": one.evidence, "cause": one.cause, "try_next": list(one.try_next)}
        for one in diagnosis.findings
    ]
