"""`glassnet tune`: measure the algorithms of convolutions on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from glassnet.cli.console import say
from glassnet.support.i18n import mark, tr

HELP = mark("Measure the algorithms of convolutions on this machine, a few seconds; later networks use the quickest.")


def command(
    defaults: Annotated[
        bool, typer.Option("--defaults", help=mark("Go back to the figures that glassnet comes with; nothing is measured."))
    ] = False,
) -> None:
    from glassnet.compiler.costs import DEFAULTS, store
    from glassnet.runtime import tuning

    if defaults:
        path = store(DEFAULTS)
        say(tr("The figures that glassnet comes with are used again: {path}", path=path))
        return
    measured = list(tuning.measure())
    path = store(tuning.fit(measured))
    for outputs, taps, of in tuning.compare(measured):
        figures = {
            direction: tr("{middle:.1f} ({least:.1f} to {most:.1f})", least=low, middle=middle, most=high)
            for direction, (low, middle, high) in of.items()
        }
        say(
            tr(
                "F({m}×{m}, {r}×{r}): {forward} times as quick as direct convolution; gradient of the weights: {gradient}",
                m=outputs,
                r=taps,
                forward=figures["convolve"],
                gradient=figures["gradient"],
            )
        )
    say(
        tr("The costs are kept in {path}", path=path),
        tr("A training that began before can only be resumed with the figures of then (glassnet tune --defaults)."),
    )
