"""`glassnet evaluate RUN`: open the test set, and note that it was opened."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glassnet.cli.console import say

NAME = "evaluate"


def command(run: Annotated[Path, typer.Argument(help="A run folder.", show_default=False)]) -> None:
    """Open the test set, which stays closed during training; each look is noted in the run's ledger."""
    from glassnet.run import Run

    done = Run.load(run)
    result = done.evaluate()
    say(f"Test set: {result}")
    if done.recipe.expect:
        say(f"Expected: {done.recipe.expect}")
    say()
    width = max(5, *(len(report.name) for report in result.per_class))
    say(f"  {'class':<{width}}  pictures  found  recall  precision")
    for report in result.per_class:
        say(
            f"  {report.name:<{width}}  {report.total:8}  {report.correct:5}  {100 * report.recall:5.1f} %  "
            f"{100 * report.precision:6.1f} %"
        )
    say()
    count = len(done.looks)
    say(
        "This was the first look at the test set: the figure is an honest one."
        if count == 1
        else f"This was look {count} at the test set. What is chosen by looking at it, it can't judge any more."
    )
