"""`glassnet datasets`: which data there is, and how to get what is not there."""

from __future__ import annotations

from typing import Annotated

import typer

from glassnet.cli.console import say

NAME = "datasets"


def command(
    fetch: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Download this data set once, with checksums.", show_default=False),
    ] = None,
) -> None:
    """List the data sets, and where they are on this machine."""
    from glassnet.data import list_datasets, load_dataset

    if fetch is not None:
        splits = load_dataset(fetch, download=True)
        say(f"{fetch} is there: {splits.train!r}")
        return
    for info in list_datasets():
        shape = " × ".join(map(str, info.shape))
        say(f"{info.name}: {info.description}")
        say(f"  {info.images:,} of {shape}; {info.source}; {info.licence}")
        say(f"  {'at' if info.available else 'not here:'} {info.location}")
