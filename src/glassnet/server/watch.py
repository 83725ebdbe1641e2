"""`glassnet train --watch`: starts the process that serves the page of a training, and tells it how the training goes on."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path

from glassnet.errors import spell
from glassnet.support.extras import require_extra
from glassnet.support.i18n import tr
from glassnet.training import Callback, Progress

EXTRA = ("starlette", "uvicorn")
STARTING = 10.0  # seconds that a training waits for its page at the most


def check_installed() -> None:
    """Raise `InputError` where the packages of the extra `serve` are missing."""
    require_extra(
        "serve", EXTRA, tr("The page of a training needs packages that are not installed."), "glassnet train --watch"
    )


class Watch(Callback):
    """Serves a page of the training in another process from its beginning on; `done` when its report is written.

    Whatever happens to that process, the training goes on.
    """

    def __init__(self, show: Callable[[str], None], open_page: Callable[[str], object] | None = None) -> None:
        self._show, self._open = show, open_page or _open
        self._folder: Path | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.address = ""

    def __call__(self, folder: Path) -> Watch:
        self._folder = folder
        return self

    def on_train_begin(self, progress: Progress) -> None:
        assert self._folder is not None
        try:
            with socket.create_server(("127.0.0.1", 0)) as listening:
                self.address = f"http://127.0.0.1:{listening.getsockname()[1]}/"
                self.process = _start(self._folder, listening)
        except OSError as error:
            self._show(tr("The page of the training can't be served: {reason}", reason=spell(error)))
            return
        self._show(tr("The training can be watched at {address}", address=self.address))
        self._open(self.address)

    def on_train_end(self, progress: Progress) -> None:
        self._tell("trained")

    def done(self) -> None:
        """The report is written: the page shows it as long as it is open."""
        self._tell("done")
        self.leave()

    def leave(self) -> None:
        """The page's process may end."""
        if self.process is not None and self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()

    def _tell(self, word: str) -> None:
        if self.process is not None and self.process.stdin is not None:
            with contextlib.suppress(OSError, ValueError):  # it has ended
                self.process.stdin.write(f"{word}\n".encode())
                self.process.stdin.flush()


def _start(folder: Path, listening: socket.socket) -> subprocess.Popen[bytes]:
    """A process in a session of its own, so that Ctrl-C reaches only the training. The socket is open before it is."""
    process = subprocess.Popen(
        [sys.executable, "-m", "glassnet.server.live", str(folder.absolute()), str(listening.fileno())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=(listening.fileno(),),
        start_new_session=True,
    )
    if process.stdout is not None:
        with process.stdout:  # its start would slow the training more than all that follows
            select.select([process.stdout], [], [], STARTING)
    threading.Thread(target=process.wait, daemon=True).start()  # leaves no zombie; the page may be open longer than we live
    return process


def _open(address: str) -> None:
    """Open the page in the user's browser, where there is a display."""
    on_a_screen = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if on_a_screen:
        threading.Thread(target=lambda: webbrowser.open(address), daemon=True).start()
