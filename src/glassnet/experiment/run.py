"""The run folder: what a training leaves behind, and `train`, which makes one from a recipe."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from glassnet.data import Dataset, Splits, expand_by_shifts
from glassnet.errors import MAKE_ROOM, DataError, GlassnetError, RunError, UnfinishedError, WriteError, writing
from glassnet.experiment.data_section import DataSection
from glassnet.experiment.recipe import Recipe, load_recipe
from glassnet.experiment.run_files import add_look, read_history, read_ledger
from glassnet.experiment.run_folder import (
    CHECKPOINT,
    HISTORY,
    LEDGER,
    MODEL,
    RECIPE,
    new_folder,
    not_writable,
    old_folder,
    remove_empty,
    require_run,
)
from glassnet.network import Network
from glassnet.nn.metrics import Evaluation
from glassnet.nn.optimizers import ScipyMinimize
from glassnet.support.atomic import write_text
from glassnet.support.i18n import tr
from glassnet.support.paths import exists
from glassnet.training import Callback, EarlyStopping, Epoch, History
from glassnet.training.callbacks import Progress
from glassnet.training.display import default_display

EVERY = 1.0  # seconds between two writings of the history, at least


@dataclass
class Run:
    """`network`, `history` and `recipe` of one training, in `folder`; the test set stays closed until `evaluate`."""

    folder: Path
    recipe: Recipe
    network: Network
    history: History
    _splits: Splits | None = field(default=None, repr=False)

    @classmethod
    def load(cls, folder: str | Path) -> Run:
        """The run in a folder."""
        path = require_run(Path(folder))
        recipe = load_recipe(path / RECIPE)
        if not (path / MODEL).exists():
            raise RunError(
                tr("The run has no model yet: its training was cut off."),
                where=path,
                expected=MODEL,
                hint=f"glassnet train --resume {path}",
            )
        network = Network.load(path / MODEL)
        return cls(path, recipe, network, read_history(path / HISTORY, network, recipe.training.seed))

    @property
    def splits(self) -> Splits:
        """The data the run was trained on, read on first use."""
        if self._splits is None:
            self._splits = read_splits(self.recipe)
        return self._splits

    @property
    def learning_rate(self) -> float | None:
        """The rate of the first step, as the recipe asks for it; None for an optimizer that has none."""
        optimizer = self.recipe.make_optimizer()
        return None if isinstance(optimizer, ScipyMinimize) else float(optimizer.schedule.rates(0, 1, 1)[0])

    @property
    def looks(self) -> list[dict[str, Any]]:
        """Every look at the test set so far, the oldest first."""
        return read_ledger(self.folder / LEDGER)

    @property
    def test(self) -> Dataset:
        """The sealed test set; `evaluate` opens it and says so in the ledger."""
        if self.splits.test is None:
            raise DataError(tr("This data has no test set."), where=self.recipe.data.path or self.recipe.data.dataset)
        return self.splits.test

    @property
    def fingerprint(self) -> str:
        """The beginning of the SHA-256 of the model file."""
        return hashlib.sha256((self.folder / MODEL).read_bytes()).hexdigest()[:16]

    def evaluate(self, views: int | None = None) -> Evaluation:
        """Open the test set; the look is noted in the ledger before the result is returned.

        `views`: of each image, by which the probabilities are averaged; by default as many as the recipe says.
        """
        options = self.views(views)
        read_ledger(self.folder / LEDGER)  # a look that can't be noted is not taken
        result = self.network.evaluate(self.test, **options)
        self.note(result, **({"views": options["views"]} if options else {}))
        return result

    def views(self, requested: int | None = None) -> dict[str, Any]:
        """Options of `Network.evaluate` for the requested views, by default the recipe's; empty for one view."""
        count = self.recipe.evaluation.views if requested is None else requested
        if count == 1:
            return {}
        changes = self.recipe.make_view_augmentation()
        if changes is None:
            raise RunError(
                tr("The recipe has no augmentation by which views could differ."),
                where=self.folder / RECIPE,
                expected=tr("training.augmentation, or evaluation.view_augmentation"),
                hint=tr(
                    "evaluate without views, or write one into the file: {example}",
                    example="view_augmentation = { shift = 1 }",
                ),
            )
        return {"augmentation": changes, "views": count, "seed": self.recipe.training.seed}

    def note(self, result: Evaluation, **more: Any) -> None:
        """Add a look at the test set to the ledger."""
        look = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "correct": result.correct,
            "total": result.total,
            "loss": result.loss,
            "model": self.fingerprint,
            **more,
        }
        with writing(self.folder / LEDGER, tr("The look at the test set can't be noted, so its result is not told.")):
            add_look(self.folder / LEDGER, look)


class KeepRecipe(Callback):
    """Writes recipe.toml before the first step, so that a training that can't begin leaves the folder as it was."""

    def __init__(self, path: Path, recipe: Recipe) -> None:
        self._path, self._recipe = path, recipe

    def on_train_begin(self, progress: Progress) -> None:
        _write(self._path, self._recipe.to_toml(), durable=True)


class KeepHistory(Callback):
    """Writes the whole history.jsonl after epochs, at most once every `EVERY` seconds."""

    def __init__(self, path: Path) -> None:
        self._path, self._written = path, -EVERY

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        if time.monotonic() - self._written >= EVERY:
            _write(self._path, progress.history.lines())
            self._written = time.monotonic()

    def on_train_end(self, progress: Progress) -> None:
        if progress.history.epochs:
            _write(self._path, progress.history.lines())


def _write(path: Path, text: str, *, durable: bool = False) -> None:
    with writing(path):
        write_text(path, text, durable=durable)


def train(
    recipe: str | Path | Recipe,
    *,
    seed: int | None = None,
    out: str | Path | None = None,
    data: str | Path | None = None,
    epochs: int | None = None,
    settings: dict[str, Any] | None = None,
    resume: bool = False,
    threads: int | None = None,
    progress: bool | None = None,
    callbacks: Sequence[Callback] = (),
) -> Run:
    """Train after a recipe (by name, path or object) into the folder `out`; the run.

    `out`: by default runs/NAME, or the first of runs/NAME-2, … that is free. `data`: a folder or file instead of the
    recipe's data set. `settings`: other values for keys of the recipe. `resume`: `out` is a run that was cut off; it goes on
    from its last checkpoint, after its own recipe, to the same bits. `progress`: as in Network.fit.
    """
    chosen, splits = prepare(recipe, seed=seed, data=data, epochs=epochs, settings=settings)
    network = chosen.make_network(splits)
    optimizer, shifts = chosen.make_optimizer(), chosen.training.expand_shifts
    train_set = expand_by_shifts(splits.train, shifts) if shifts else splits.train
    was_there = out is not None and exists(Path(out))
    folder = old_folder(Path(out)) if resume and out is not None else new_folder(out, chosen.name)
    patience = chosen.training.patience
    saved = False
    try:
        history = network.fit(
            train_set,
            chosen.training.epochs,
            batch_size=chosen.training.batch_size,
            optimizer=optimizer,
            validation=splits.validation,
            seed=chosen.training.seed,
            callbacks=[
                *default_display(progress, chosen.training.show_every),
                KeepRecipe(folder / RECIPE, chosen),
                KeepHistory(folder / HISTORY),
                *([EarlyStopping(patience)] if patience is not None else []),
                *callbacks,
            ],
            class_weight=chosen.training.class_weight,
            augmentation=chosen.make_augmentation(),
            plain_epochs=chosen.training.plain_epochs,
            keep=chosen.training.keep,
            average=chosen.training.average,
            checkpoint=folder / CHECKPOINT,
            resume=resume,
            threads=threads,
            progress=False,
        )
        network.save(folder / MODEL)
        saved = True
        _write(folder / HISTORY, history.lines(), durable=True)
    except KeyboardInterrupt as interrupt:
        kept = tr("The last whole epoch is kept.") if (folder / CHECKPOINT).exists() else tr("No epoch was whole yet.")
        interrupt.add_note(tr("{kept} Go on with: {command}", kept=kept, command=f"glassnet train --resume {folder}"))
        raise
    except GlassnetError as error:
        if not was_there:
            remove_empty(folder)
        if isinstance(error, WriteError):
            raise _cut_off(folder, error, saved) from None
        raise
    return Run(folder, chosen, network, history, splits)


def _cut_off(folder: Path, error: WriteError, saved: bool) -> RunError:
    """The error for a training whose files can't be written any further, with what was saved."""
    first = tr("{first}; then ", first=tr(MAKE_ROOM)) if error.full else ""
    if saved:
        return UnfinishedError(
            tr(
                "The training is done and its model is safe in {path}, but its history could not be written.",
                path=folder / MODEL,
            ),
            where=error.where,
            received=error.received,
            hint=tr("{first}glassnet train --resume {folder}, which has nothing left to train", first=first, folder=folder),
        )
    if (folder / CHECKPOINT).exists():
        return WriteError(
            tr("The run can't be written any further. The last whole epoch that could be written is kept."),
            where=error.where,
            received=error.received,
            hint=tr("{first}go on with glassnet train --resume {folder}", first=first, folder=folder),
        )
    return not_writable(folder, error)


def prepare(
    recipe: str | Path | Recipe,
    *,
    seed: int | None = None,
    data: str | Path | None = None,
    epochs: int | None = None,
    settings: dict[str, Any] | None = None,
) -> tuple[Recipe, Splits]:
    """A recipe with other values for some keys, and its data."""
    chosen = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    changes = dict(settings or {})
    changes |= {"training.seed": seed} if seed is not None else {}
    changes |= {"training.epochs": epochs} if epochs is not None else {}
    changes |= {"data.path": str(Path(data).absolute())} if data is not None else {}
    chosen = chosen.changed(changes) if changes else chosen
    return chosen, read_splits(chosen)


def resume(folder: str | Path, **options: Any) -> Run:
    """Go on with a run that was cut off; `options` as in `train`."""
    path = require_run(Path(folder))
    return train(load_recipe(path / RECIPE), out=path, resume=True, **options)


def read_splits(recipe: Recipe) -> Splits:
    """The data that a recipe names, with its training part never empty."""
    return _read_splits(recipe.data.model_dump_json())


@functools.lru_cache(maxsize=1)
def _read_splits(data: str) -> Splits:
    return DataSection.model_validate_json(data).read()
