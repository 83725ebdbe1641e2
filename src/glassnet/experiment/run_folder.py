"""The folder of a run: the names of its files, how it is made, and its history and ledger, checked as they are read."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from glassnet.errors import MAKE_ROOM, GlassnetError, RunError, WriteError, is_full, reason, spell, writing
from glassnet.network import Network
from glassnet.support.atomic import PART, files_named, sweep, write_text
from glassnet.support.i18n import tr
from glassnet.support.paths import exists
from glassnet.support.strict_json import line, lines
from glassnet.training import History
from glassnet.training.history_rows import Count, Number, find_error

RECIPE, MODEL, CHECKPOINT = "recipe.toml", "model.safetensors", "checkpoint.safetensors"
HISTORY, LEDGER, REPORT = "history.jsonl", "ledger.jsonl", "report.html"
EXPORTS = "exports.jsonl"  # what the network was written as, with the proofs


def require_run(folder: Path) -> Path:
    """The folder, if it is that of a run."""
    if not (folder / RECIPE).is_file():
        raise RunError(
            tr("This is not a run folder."),
            where=folder,
            expected=tr("a folder with a {file}, written by glassnet train", file=RECIPE),
            received=tr("no such folder") if not folder.exists() else tr("no {file} in it", file=RECIPE),
        )
    return folder


def fingerprint_of(folder: Path) -> str:
    """The beginning of the SHA-256 of a run's model file."""
    return hashlib.sha256((folder / MODEL).read_bytes()).hexdigest()[:16]


def old_folder(folder: Path) -> Path:
    """The folder of a run to continue; half-written files of a killed process are removed."""
    require_run(folder)
    try:
        sweep(folder)
    except OSError as error:
        raise not_writable(folder, error) from None
    return folder


@contextlib.contextmanager
def new_folder(out: str | Path | None, name: str) -> Iterator[Path]:
    """The folder `out`, which must be empty or new; by default runs/`name`, or the first runs/`name`-N that does not exist.

    Half-written files of a killed run are removed. If an error follows, a new folder that is still empty is removed.
    """
    was_there = out is not None and exists(Path(out))
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
                hint=tr("choose another, or resume it: glassnet train --resume {folder}", folder=folder)
                if (folder / RECIPE).exists()
                else tr("choose another with --out"),
            )
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
    except OSError as error:
        raise not_writable(folder, error) from None
    try:
        yield folder
    except GlassnetError:
        if not was_there:
            with contextlib.suppress(OSError):  # not empty
                folder.rmdir()
        raise


def not_writable(folder: Path, error: OSError | WriteError) -> WriteError:
    """The error for a folder that can't be written."""
    return WriteError(
        tr("The run's folder can't be written."),
        where=folder,
        expected=tr("a writable folder"),
        received=spell(error),
        hint=tr("choose another with --out, or {other}", other=tr(MAKE_ROOM))
        if is_full(error)
        else tr("choose another with --out"),
    )


class Look(BaseModel, strict=True, extra="allow"):
    """An evaluation on the test set: a line of the ledger."""

    time: str
    model: str
    correct: Count
    total: Count
    loss: Number
    views: Count = 1
    ensemble: list[Any] = []


def read_history(path: Path, network: Network, seed: int) -> History:
    """The history of a network's training; `RunError` for a file that is damaged or of another network."""
    try:
        history = History.from_rows(lines(path.read_text(encoding="utf-8")), seed=seed)
        if not history.epochs and history.stopped is None:
            raise ValueError("nothing")
        if history.epochs:
            _check_epochs(history, network)
    except (OSError, ValueError) as error:
        expected, received = tr("one JSON object per line"), reason(error)
        raise RunError(tr("The run's history can't be read."), where=path, expected=expected, received=received) from None
    return history


def _check_epochs(history: History, network: Network) -> None:
    first = history.epochs[0]
    if first.epoch != 1:
        wrong = tr("epoch: expected {expected}, received {received}", expected=1, received=first.epoch)
        raise ValueError(tr("line {number}: {reason}", number=1, reason=wrong))
    arrays, layers = {"all", *(slot.name for slot in network.slots)}, set(network.names)
    for found in (vars(first), first.first_step):
        for name, known in (("gradient_norms", arrays), ("update_norms", arrays), ("activations", layers)):
            for strange in sorted(found.get(name, {}).keys() - known):
                raise ValueError(tr("line 1: {name}: the network has no {part}", name=name, part=repr(strange)))


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Every evaluation on the test set, the oldest first; `RunError` for a damaged ledger."""
    return _looks(path, _text(path))


def add_look(path: Path, look: dict[str, Any]) -> None:
    """Append an evaluation; the lines before stay as they are."""
    before = _text(path)
    _looks(path, before)
    write_text(path, before + ("\n" if before and not before.endswith("\n") else "") + line(look))


def add_export(folder: Path, record: dict[str, Any]) -> None:
    """Append the record of an export."""
    with writing(folder / EXPORTS):
        write_text(folder / EXPORTS, _text(folder / EXPORTS) + line(record))


def read_exports(folder: Path) -> list[dict[str, Any]]:
    """The records of all exports, the oldest first."""
    try:
        return lines(_text(folder / EXPORTS))
    except ValueError as error:
        raise RunError(tr("The run's list of exports is damaged."), where=folder / EXPORTS, received=str(error)) from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise _damaged(path, reason(error)) from None


def _looks(path: Path, text: str) -> list[dict[str, Any]]:
    try:
        rows = lines(text)
        if not rows and path.exists():
            raise ValueError(tr("an empty file"))
    except ValueError as error:
        raise _damaged(path, str(error)) from None
    for number, row in enumerate(rows, 1):
        if find_error(Look, row) is not None or not row["correct"] <= row["total"] > 0:
            raise _damaged(path, f"line {number}: {row!r:.80}")
    return rows


def _damaged(path: Path, received: str) -> RunError:
    return RunError(
        tr("The run's ledger is damaged."),
        where=path,
        expected=tr("one JSON object per line, with time, correct, total, loss and model"),
        received=received,
        hint=tr("correct that line, or restore an undamaged copy of the file"),
    )
