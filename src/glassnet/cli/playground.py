"""`glassnet playground`: networks trained in the browser, in one HTML file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from glassnet.cli.console import say
from glassnet.support.i18n import mark, tr

HELP = mark("Open a page in which networks are trained on the bundled digits, to try out settings and see what they do.")


def command(
    page: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=mark("Write the page to this HTML file, and don't open it [default: in the cache]."),
            show_default=False,
        ),
    ] = None,
) -> None:
    from glassnet.present.page.playground import write_playground
    from glassnet.support import cache

    if page is not None:
        path = write_playground(page)
        say(tr("{path}   {size:.1f} MB, opens in any browser", path=path, size=path.stat().st_size / 1e6))
        return
    folder = cache.root() / "pages"
    try:
        cache.make_folder(folder)
    except OSError:
        folder = Path()  # no cache can be made: the file lies where the command was run
    path = write_playground(folder / "playground.html").resolve()
    if _has_screen():
        import webbrowser

        webbrowser.open(path.as_uri())
    say(tr("{path}   open it in a browser if it has not opened by itself", path=path))


def _has_screen() -> bool:
    """Whether a browser with a window can be opened: one in the terminal would not show the page."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
