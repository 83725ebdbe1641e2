"""The folder of a run: the names of its files, whether it is one, and how one begins."""

from __future__ import annotations

import contextlib
from pathlib import Path

from glassnet.errors import MAKE_ROOM, RunError, WriteError, is_full, spell
from glassnet.support.atomic import PART, files_named, sweep
from glassnet.support.i18n import tr

RECIPE, MODEL, CHECKPOINT = "recipe.toml", "model.safetensors", "checkpoint.safetensors"
HISTORY, LEDGER, REPORT = "history.jsonl", "ledger.jsonl", "report.html"


def require_run(folder: Path) -> Path:
    """The folder, if it holds a run."""
    if not (folder / RECIPE).is_file():
        raise RunError(
            tr("This is not a run."),
            where=folder,
            expected=tr("a folder with a {file}, as glassnet train leaves it", file=RECIPE),
            received=tr("no such folder") if not folder.exists() else tr("no {file} in it", file=RECIPE),
        )
    return folder


def old_folder(folder: Path) -> Path:
    """The folder of a run that goes on, without what a killed process left half-written in it."""
    require_run(folder)
    try:
        sweep(folder)
    except OSError as error:
        raise not_writable(folder, error) from None
    return folder


def new_folder(out: str | Path | None, name: str) -> Path:
    """The folder `out`, made if need be, which must be empty; by default runs/`name`, or the first runs/`name`-N free.

    What a run left half-written that was killed before its first file was whole does not count, and goes.
    """
    if out is None:
        number = 1
        while (folder := Path("runs") / (name if number == 1 else f"{name}-{number}")).exists():
            number += 1
    else:
        folder = Path(out)
    try:
        if folder.exists() and (not folder.is_dir() or len(list(folder.iterdir())) > len(files_named(folder, PART))):
            raise RunError(
                tr("The folder for the run is not empty."),
                where=folder,
                expected=tr("a new or empty folder"),
                hint=tr("choose another, or go on with it: glassnet train --resume {folder}", folder=folder)
                if (folder / RECIPE).exists()
                else tr("choose another with --out"),
            )
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
    except OSError as error:
        raise not_writable(folder, error) from None
    return folder


def remove_empty(folder: Path) -> None:
    """Remove a folder that was made for a run which did not begin, if nothing is in it."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def not_writable(folder: Path, error: OSError | WriteError) -> WriteError:
    """The error for a folder in which something could not be written."""
    return WriteError(
        tr("The run's folder can't be written."),
        where=folder,
        expected=tr("a folder that you may write to"),
        received=spell(error),
        hint=tr("choose another with --out, or {other}", other=tr(MAKE_ROOM))
        if is_full(error)
        else tr("choose another with --out"),
    )
