"""The page: networks in the browser, computed by the same kernels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glassnet.errors import writing
from glassnet.experiment.run import Run
from glassnet.support.atomic import write_text


def page_html(runs: Sequence[Run]) -> str:
    """The page of these runs, as HTML text that needs nothing else."""
    from glassnet.present.page.bundle import bundle
    from glassnet.present.page.model import payload
    from glassnet.present.page.write import page_of

    return page_of(runs[0].recipe.heading, bundle(*payload(runs)))


def write_page(runs: Sequence[Run], path: str | Path) -> Path:
    """Write the page of these runs to a file; its path."""
    path = Path(path)
    text = page_html(runs)
    with writing(path):
        write_text(path, text)
    return path
