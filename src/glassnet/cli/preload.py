"""What the figures and the report of a training need, imported while it runs."""

from __future__ import annotations

import contextlib
import importlib
import threading

from glassnet.training import Callback, Progress

MODULES = (
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "scipy.ndimage",
    "scipy.spatial.distance",
    "jinja2",
    "glassnet.present.figures.training",
    "glassnet.present.report.write",
)
WARM_UP = (("glassnet.present.figures.base", "find_fonts"), ("glassnet.present.report.write", "template"))


class Preload(Callback):
    """Imports the modules in a thread while the network is trained, so that its end need not wait for them.

    The thread has ended when training has: of two threads that import parts of one package, Python may give one of them
    a module of which only the beginning has run.
    """

    def on_train_begin(self, progress: Progress) -> None:
        self._thread = threading.Thread(target=_load)
        self._thread.start()

    def on_train_end(self, progress: Progress) -> None:
        if progress.error is None:
            self._thread.join()


def _load() -> None:
    with contextlib.suppress(Exception):  # what fails here fails again where it is needed, and is reported there
        for name in MODULES:
            importlib.import_module(name)
        for name, function in WARM_UP:
            getattr(importlib.import_module(name), function)()
