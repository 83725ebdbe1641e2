"""What writes the recipe and the history of a run while it is trained."""

from __future__ import annotations

import time
from pathlib import Path

from glassnet.errors import writing
from glassnet.experiment.recipe import Recipe
from glassnet.support.atomic import write_text
from glassnet.training import Callback, Epoch, Progress

EVERY = 1.0  # seconds between two writes of the history, at least


def keep_text(path: Path, text: str, *, durable: bool = False) -> None:
    """Replace a file of a run."""
    with writing(path):
        write_text(path, text, durable=durable)


class KeepRecipe(Callback):
    """Writes recipe.toml when training begins: one that can't begin leaves the folder as it was.

    Tells the callbacks after it which run this is.
    """

    def __init__(self, path: Path, recipe: Recipe) -> None:
        self._path, self._recipe = path, recipe

    def on_train_begin(self, progress: Progress) -> None:
        keep_text(self._path, self._recipe.to_toml(), durable=True)
        data = self._recipe.data
        progress.folder = self._path.parent
        progress.settings = {"recipe": self._recipe.name, "data": data.source, **progress.settings}


class KeepHistory(Callback):
    """Writes the whole history.jsonl after epochs, at most once every `EVERY` seconds."""

    def __init__(self, path: Path) -> None:
        self._path, self._written = path, -EVERY

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        if time.monotonic() - self._written >= EVERY:
            keep_text(self._path, progress.history.lines())
            self._written = time.monotonic()

    def on_train_end(self, progress: Progress) -> None:
        if progress.history.epochs:
            keep_text(self._path, progress.history.lines())
