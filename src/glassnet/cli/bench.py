"""`glassnet bench`: time glassnet against its peers on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glassnet.cli.console import say

NAME = "bench"


def command(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]…", help="What to measure; everything by default.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="For the workloads of more than one core.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is timed; medians are shown.")] = 5,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer pictures: a first impression.")] = False,
    output: Annotated[Path | None, typer.Option(help="Write the results there, as JSON.")] = None,
) -> None:
    """Time glassnet against PyTorch, JAX, scikit-learn and NumPy, as far as they are installed."""
    from glassnet.bench import run, table

    say(table(run(names or None, threads=threads, rounds=rounds, quick=quick, output=output)))
