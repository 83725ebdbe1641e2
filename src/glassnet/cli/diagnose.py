"""`glassnet diagnose RUN…`: why a training failed; of several runs, whether the best is really better."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from glassnet.cli.console import emit, fail, say
from glassnet.support.i18n import mark

HELP = mark("Explain why a training failed and what to try; of several runs, whether the best is significantly better.")


def command(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN…",
            help=mark("A run folder, or a folder of several seeds; two or more are compared with each other."),
            show_default=False,
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help=mark("Print one JSON object."))] = False,
    strict: Annotated[bool, typer.Option("--strict", help=mark("Exit with 1 if anything is found."))] = False,
) -> None:
    from glassnet.analysis.diagnosis.difference import diagnose_runs
    from glassnet.analysis.diagnosis.rules import diagnose_run
    from glassnet.experiment.sweep import load_runs

    if len(runs) > 1:
        diagnoses = {", ".join(map(str, runs)): diagnose_runs(runs)}
    else:
        diagnoses = {str(run.folder): diagnose_run(run) for run in load_runs(runs[0])}
    if as_json:
        parts = ("name", "evidence", "cause", "try_next")
        found = {
            name: [{part: getattr(finding, part) for part in parts} for finding in diagnosis.findings]
            for name, diagnosis in diagnoses.items()
        }
        emit(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        for name, diagnosis in diagnoses.items():
            say(f"{name}:\n", str(diagnosis), "")
    if strict and not all(diagnosis.healthy for diagnosis in diagnoses.values()):
        fail(1)
