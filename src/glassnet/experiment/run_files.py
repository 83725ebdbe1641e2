"""The history and the ledger of a run, read as they were written or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from glassnet.errors import RunError, reason
from glassnet.network import Network
from glassnet.support.atomic import write_text
from glassnet.support.i18n import tr
from glassnet.support.strict_json import line, lines
from glassnet.training import History
from glassnet.training.history_rows import Count, Number, find_error


class Look(BaseModel, strict=True, extra="allow"):
    """One evaluation on the test set, as a line of the ledger."""

    time: str
    model: str
    correct: Count
    total: Count
    loss: Number
    views: Count = 1
    ensemble: list[Any] = []


def read_history(path: Path, network: Network, seed: int) -> History:
    """The history of a network's training; `RunError` for a file that is damaged, or of another network."""
    try:
        history = History.from_rows(lines(path.read_text(encoding="utf-8")), seed=seed)
        if not history.epochs and history.stopped is None:
            raise ValueError("nothing")
        if history.epochs:
            _check_epochs(history, network)
    except (OSError, ValueError) as error:
        received = reason(error)
        raise RunError(
            tr("The run's history can't be read."), where=path, expected=tr("one JSON object a line"), received=received
        ) from None
    return history


def _check_epochs(history: History, network: Network) -> None:
    first = history.epochs[0]
    if first.epoch != 1:
        raise ValueError(
            tr(
                "line {number}: {reason}",
                number=1,
                reason=tr("epoch: expected {expected}, received {received}", expected=1, received=first.epoch),
            )
        )
    arrays, layers = {"all", *(slot.name for slot in network.slots)}, set(network.names)
    for found in (vars(first), first.first_step):
        for name, known in (("gradient_norms", arrays), ("update_norms", arrays), ("activations", layers)):
            for strange in sorted(found.get(name, {}).keys() - known):
                raise ValueError(tr("line 1: {name}: the network has no {part}", name=name, part=repr(strange)))


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Every look at the test set, the oldest first; `RunError` for a damaged ledger."""
    return _looks(path, _text(path))


def add_look(path: Path, look: dict[str, Any]) -> None:
    """Write one more look; those before stay as they stand in the file."""
    before = _text(path)
    _looks(path, before)
    write_text(path, before + ("\n" if before and not before.endswith("\n") else "") + line(look))


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
        tr("The run's ledger is damaged; nothing is added to it."),
        where=path,
        expected=tr("each look at the test set as one JSON object a line, with time, correct, total, loss and model"),
        received=received,
        hint=tr("mend that line, or put an undamaged copy of the file in its place"),
    )
