"""`glassnet datasets`: list the data sets, or download one."""

from __future__ import annotations

from typing import Annotated

import typer

from glassnet.cli.console import say
from glassnet.support.i18n import mark, tr

HELP = mark("List the data sets and where they are on this machine.")


def command(
    fetch: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=mark("Download this data set and verify its checksums."), show_default=False),
    ] = None,
) -> None:
    from glassnet.data import list_datasets, load_dataset

    if fetch is not None:
        splits = load_dataset(fetch, download=True)
        say(tr("{name} is available: {data}", name=fetch, data=repr(splits.train)))
        return
    for info in list_datasets():
        shape = " × ".join(map(str, info.shape))
        say(f"{info.name}: {tr(info.description)}")
        facts = {"images": info.images, "shape": shape, "source": info.source, "licence": tr(info.licence)}
        say(tr("  {images:,} of {shape}; {source}; {licence}", **facts))
        location = mark("  at {location}") if info.available else mark("  not on this machine: {location}")
        say(tr(location, location=info.location))
