"""The history and the ledger of a run, read as they were written or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glassnet.errors import RunError, reason
from glassnet.network import Network
from glassnet.support.atomic import write_text
from glassnet.support.strict_json import line, lines
from glassnet.training import History
from glassnet.training.history_rows import COUNT, NUMBER


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
            "The run's history can't be read.", where=path, expected="one JSON object a line", received=received
        ) from None
    return history


def _check_epochs(history: History, network: Network) -> None:
    first = history.epochs[0]
    if first.epoch != 1:
        raise ValueError(f"line 1: epoch: expected 1, received {first.epoch}")
    arrays, layers = {"all", *(slot.name for slot in network.slots)}, set(network.names)
    for found in (vars(first), first.first_step):
        for name, known in (("gradient_norms", arrays), ("update_norms", arrays), ("activations", layers)):
            for strange in sorted(found.get(name, {}).keys() - known):
                raise ValueError(f"line 1: {name}: the network has no {strange!r}")


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
            raise ValueError("an empty file")
    except ValueError as error:
        raise _damaged(path, str(error)) from None
    for number, row in enumerate(rows, 1):
        if not _is_look(row):
            raise _damaged(path, f"line {number}: {row!r:.80}")
    return rows


def _is_look(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and all(isinstance(row.get(name), str) for name in ("time", "model"))
        and all(COUNT.holds(row.get(name)) for name in ("correct", "total"))
        and 0 <= row["correct"] <= row["total"] > 0
        and NUMBER.holds(row.get("loss"))
        and COUNT.holds(row.get("views", 1))
        and isinstance(row.get("ensemble", []), list)
    )


def _damaged(path: Path, received: str) -> RunError:
    return RunError(
        "The run's ledger is damaged; nothing is added to it.",
        where=path,
        expected="each look at the test set as one JSON object a line, with time, correct, total, loss and model",
        received=received,
        hint="mend that line, or put an undamaged copy of the file in its place",
    )
