"""A run: a training from a recipe and the folder with its results; `train` makes one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from glassnet.data import Dataset, Splits
from glassnet.data.remote import is_url
from glassnet.data.style import ImageStyle
from glassnet.errors import MAKE_ROOM, DataError, InputError, RankError, RunError, UnfinishedError, WriteError, writing
from glassnet.experiment.alike import check_alike
from glassnet.experiment.auto_recipe import as_recipe
from glassnet.experiment.fit_options import early_stopping, fit_options
from glassnet.experiment.keeping import KeepHistory, KeepRecipe, keep_text
from glassnet.experiment.live import ShowLive
from glassnet.experiment.recipe import Recipe, load_recipe
from glassnet.experiment.run_folder import (
    CHECKPOINT,
    HISTORY,
    LEDGER,
    MODEL,
    RECIPE,
    add_look,
    fingerprint_of,
    new_folder,
    not_writable,
    old_folder,
    read_history,
    read_ledger,
    require_run,
)
from glassnet.experiment.sections import DataSection
from glassnet.experiment.snapshots import KeepSnapshots, Snapshot, read_snapshots
from glassnet.network import Network
from glassnet.nn.metrics import Evaluation
from glassnet.nn.optimizers import ScipyMinimize
from glassnet.runtime import Ranks
from glassnet.support.habits import answered
from glassnet.support.i18n import tr
from glassnet.support.upwards import Shown
from glassnet.training import Callback, History
from glassnet.training.callbacks import EpochFunction, as_callbacks
from glassnet.training.display import RanksLine, default_display, waiting


@dataclass
class Run(Shown):
    """`network`, `history` and `recipe` of one training, in `folder`."""

    folder: Path
    recipe: Recipe
    network: Network
    history: History
    _splits: Splits | None = field(default=None, repr=False)

    @classmethod
    def load(cls, folder: str | Path) -> Run:
        path = require_run(Path(folder))
        recipe = load_recipe(path / RECIPE)
        if not (path / MODEL).exists():
            raise RunError(
                tr("The run has no model yet: its training was interrupted."),
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
        """The learning rate of the first step; None for an optimizer without one."""
        optimizer = self.recipe.make_optimizer()
        return None if isinstance(optimizer, ScipyMinimize) else float(optimizer.schedule.rates(0, 1, 1)[0])

    @property
    def looks(self) -> list[dict[str, Any]]:
        """Every evaluation on the test set so far, the oldest first."""
        return read_ledger(self.folder / LEDGER)

    @property
    def snapshots(self) -> list[Snapshot]:
        """The weights after some of the epochs, from the initial ones (epoch 0) on; read when they are used."""
        return read_snapshots(self.folder)

    @property
    def test(self) -> Dataset:
        """The test set; `evaluate` uses it and records that in the ledger."""
        if self.splits.test is None:
            raise DataError(tr("This data has no test set."), where=self.recipe.data.source)
        return self.splits.test

    @property
    def fingerprint(self) -> str:
        """The beginning of the SHA-256 of the model file."""
        return fingerprint_of(self.folder)

    def evaluate(self, views: int | None = None, top_k: int | None = None, precision: str = "float32") -> Evaluation:
        """Evaluate on the test set; the ledger records it before the result is returned.

        `views`: views of each image to average over; by default those of the recipe. `top_k` and `precision` as in
        `Network.evaluate`.
        """
        options = self.views(views)
        read_ledger(self.folder / LEDGER)  # raises before the evaluation if it can't be recorded
        result = self.network.evaluate(self.test, **options, top_k=top_k, precision=precision)
        self.note(result, precision, **({"views": options["views"]} if options else {}))
        return result

    def views(self, requested: int | None = None) -> dict[str, Any]:
        """Options of `Network.evaluate` for the requested views, by default the recipe's; empty for one view."""
        count = self.recipe.evaluation.views if requested is None else requested
        if count == 1:
            return {}
        changes = self.recipe.make_view_augmentation()
        if changes is None:
            raise RunError(
                tr("The recipe has no augmentation for views."),
                where=self.folder / RECIPE,
                expected=tr("training.augmentation, or evaluation.view_augmentation"),
                hint=tr("evaluate without views, or add one: {example}", example="view_augmentation = { shift = 1 }"),
            )
        return {"augmentation": changes, "views": count, "seed": self.recipe.training.seed}

    def note(self, result: Evaluation, precision: str = "float32", **more: Any) -> None:
        """Record an evaluation on the test set in the ledger."""
        look = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "correct": result.correct,
            "total": result.total,
            "loss": result.loss,
            **({} if result.top_k is None else {"top_k": result.top_k, "top_k_correct": result.top_k_correct}),
            "model": self.fingerprint,
            **({} if precision == "float32" else {"precision": precision}),
            **more,
        }
        with writing(self.folder / LEDGER, tr("The evaluation can't be recorded in the ledger, so its result is not shown.")):
            add_look(self.folder / LEDGER, look)


@answered
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
    callbacks: Callback | EpochFunction | Sequence[Callback | EpochFunction] = (),
    watch: Callable[[Path], Callback] | None = None,
    ranks: Ranks | None = None,
) -> Run:
    """Train a recipe (by name, path or object) into the folder `out`.

    The path of a folder, zip or file of images trains on these, with a recipe made for them (`auto_recipe`).

    `out`: by default runs/NAME, or the first of runs/NAME-2, … that does not exist. `data`: a folder or file instead of the
    recipe's data set. `settings`: other values for keys of the recipe. `resume`: `out` is an interrupted run, which continues
    from its last checkpoint to bit-identical results. `progress`, `callbacks`: as in Network.fit.
    `watch`: given the run's folder, a callback that shows the training elsewhere; `ShowLive` writes what it can read there.
    `ranks`: of processes that all call this and train the network together on MPI; only rank 0 writes and calls callbacks.
    """
    chosen, splits = prepare(recipe, seed=seed, data=data, epochs=epochs, settings=settings)
    writes = ranks is None or ranks.writes
    if ranks is not None:
        check_alike(ranks, chosen, splits)
    network, training = chosen.make_network(splits), chosen.training
    others = as_callbacks(callbacks, "train(callbacks)")
    options = fit_options(chosen, splits, network, progress if writes else False)
    saved = False
    with _folder(out, chosen, resume) if writes else nullcontext(Path()) as folder:
        if ranks is not None:
            folder = Path(ranks.texts(str(folder))[0])
        again = f"glassnet train --resume {folder}"
        try:
            history = network.fit(
                **options,
                callbacks=[]
                if not writes
                else [
                    *default_display(progress, training.show_every),
                    *([] if ranks is None else [RanksLine()]),
                    KeepRecipe(folder / RECIPE, chosen),
                    KeepHistory(folder / HISTORY),
                    *([KeepSnapshots(folder, training.snapshots)] if training.snapshots else []),
                    *early_stopping(chosen),
                    *others,
                    *([] if watch is None else [ShowLive(folder), watch(folder)]),
                ],
                checkpoint=folder / CHECKPOINT if writes else None,
                resume=resume,
                threads=threads,
                progress=False,
                ranks=ranks,
            )
            if not writes:
                return Run(folder, chosen, network, history, splits)
            with waiting(tr("Learning what the training images look like, to recognise others …"), progress):
                _fit_novelty(network, splits, threads)
                network.image_style = ImageStyle.of(splits.train)
            network.save(folder / MODEL)
            saved = True
            keep_text(folder / HISTORY, history.lines(), durable=True)
            for callback in others:
                callback.on_run_saved(folder)
        except RankError as error:
            error.add_note(tr("Go on from the last checkpoint, with any number of ranks: {command}", command=again))
            raise
        except KeyboardInterrupt as interrupt:
            kept = tr("The last whole epoch is kept.") if (folder / CHECKPOINT).exists() else tr("No epoch was completed.")
            interrupt.add_note(tr("{kept} Continue with: {command}", kept=kept, command=again))
            raise
        except WriteError as error:
            raise _cut_off(folder, error, saved) from None
    return Run(folder, chosen, network, history, splits)


def _folder(out: str | Path | None, recipe: Recipe, resume: bool) -> AbstractContextManager[Path]:
    """The folder to write to: that of the run to go on with, or a new one."""
    return nullcontext(old_folder(Path(out))) if resume and out is not None else new_folder(out, recipe.name)


def _fit_novelty(network: Network, splits: Splits, threads: int | None) -> None:
    """Remember what the training images look like, where there are classes and a hidden layer."""
    with suppress(InputError):
        network.fit_novelty(splits.train, splits.validation, threads=threads)


def _cut_off(folder: Path, error: WriteError, saved: bool) -> RunError:
    """The error for a training whose files can't be written any further, with what was saved."""
    first = tr("{first}; then ", first=tr(MAKE_ROOM)) if error.full else ""
    command = f"glassnet train --resume {folder}"
    kind: type[RunError] = WriteError
    if saved:
        kind = UnfinishedError
        what = tr("Training finished and the model is saved in {path}, but not its history.", path=folder / MODEL)
        hint = tr("{first}{command}, which has nothing left to train", first=first, command=command)
    elif (folder / CHECKPOINT).exists():
        what = tr("The run can't be written any further. The last epoch that could be written is kept.")
        hint = tr("{first}continue with {command}", first=first, command=command)
    else:
        return not_writable(folder, error)
    return kind(what, where=error.where, received=error.received, hint=hint)


def prepare(
    recipe: str | Path | Recipe,
    *,
    seed: int | None = None,
    data: str | Path | None = None,
    epochs: int | None = None,
    settings: dict[str, Any] | None = None,
) -> tuple[Recipe, Splits]:
    """A recipe with other values for some keys, and its data."""
    changes = settings_of(seed, data, epochs, settings)
    chosen = as_recipe(recipe, changes)
    chosen = chosen.changed(changes) if changes else chosen
    splits = read_splits(chosen)
    return with_shuffle_block(chosen, splits), splits


def with_shuffle_block(recipe: Recipe, splits: Splits) -> Recipe:
    """The recipe with the default of `training.shuffle_block` for memory-mapped images, so that its runs record it."""
    block = splits.train.block
    if block is None or recipe.training.shuffle_block is not None:
        return recipe
    return recipe.model_copy(update={"training": recipe.training.model_copy(update={"shuffle_block": block})})


def settings_of(
    seed: int | None, data: str | Path | None, epochs: int | None, settings: dict[str, Any] | None
) -> dict[str, Any]:
    """The keys of a recipe that the arguments of `train` replace."""
    path = None if data is None else str(data) if is_url(data) else str(Path(data).absolute())
    given = {"training.seed": seed, "training.epochs": epochs, "data.path": path}
    return (settings or {}) | {key: value for key, value in given.items() if value is not None}


def resume(folder: str | Path, **options: Any) -> Run:
    """Continue an interrupted run; `options` as in `train`."""
    path = require_run(Path(folder))
    return train(load_recipe(path / RECIPE), out=path, resume=True, **options)


def read_splits(recipe: Recipe, *, anew: bool = False) -> Splits:
    """The data of a recipe; `anew`: from its files even if they were read just before."""
    if anew:
        _read_splits.cache_clear()
    return _read_splits(recipe.data.model_dump_json())


@functools.lru_cache(maxsize=1)
def _read_splits(data: str) -> Splits:
    return DataSection.model_validate_json(data).read()
