"""`glassnet datasets`: which data there is, and how to get what is not there."""

from __future__ import annotations

from typing import Annotated

import typer

from glassnet.cli.console import say
from glassnet.support.i18n import mark, tr

NAME = "datasets"
HELP = mark("List the data sets, and where they are on this machine.")


def command(
    fetch: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=mark("Download this data set once, with checksums."), show_default=False),
    ] = None,
) -> None:
    from glassnet.data import list_datasets, load_dataset

    if fetch is not None:
        splits = load_dataset(fetch, download=True)
        say(tr("{name} is there: {data}", name=fetch, data=repr(splits.train)))
        return
    for info in list_datasets():
        shape = " × ".join(map(str, info.shape))
        say(f"{info.name}: {tr(info.description)}")
        say(
            tr(
                "  {images:,} of {shape}; {source}; {licence}",
                images=info.images,
                shape=shape,
                source=info.source,
                licence=tr(info.licence),
            )
        )
        say(
            tr("  at {location}", location=info.location)
            if info.available
            else tr("  not here: {location}", location=info.location)
        )
