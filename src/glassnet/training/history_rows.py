"""Whether rows read from a file are those of a history, so that whatever reads a history can rely on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from glassnet.support.i18n import tr

MOST = 2**63  # larger integers are no counts, and overflow what computes with them


class Check(NamedTuple):
    """What a value must be, in words and as a test."""

    expected: str
    holds: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < MOST)


def _table(of: Check) -> Check:
    def holds(value: Any) -> bool:
        return isinstance(value, dict) and all(map(of.holds, value.values()))

    return Check(f"a table of names, for each {of.expected}", holds)


def _or_none(of: Check) -> Check:
    return Check(f"{of.expected}, or null", lambda value: value is None or of.holds(value))


def _is_first_step(value: Any) -> bool:
    return isinstance(value, dict) and all(
        name in FIRST_STEP and FIRST_STEP[name].holds(part) for name, part in value.items()
    )


NUMBER = Check("a number", _is_number)
DURATION = Check("a number, 0 or more", lambda value: _is_number(value) and value >= 0)
SHARE = Check("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1)
COUNT = Check("a whole number, 0 or more", lambda value: _is_number(value) and isinstance(value, int) and value >= 0)
FIRST_STEP = {
    "cost": NUMBER,
    "activations": _table(_table(NUMBER)),
    "gradient_norms": _table(NUMBER),
    "update_norms": _table(NUMBER),
}
COLUMNS = {
    "epoch": COUNT,
    "train_cost": NUMBER,
    "train_accuracy": _or_none(SHARE),
    "validation_cost": _or_none(NUMBER),
    "validation_accuracy": _or_none(SHARE),
    "validation_correct": _or_none(COUNT),
    "validation_total": _or_none(COUNT),
    "learning_rate": NUMBER,
    "seconds": DURATION,
}
LATER = {  # which histories of before do not have
    "gradient_norms": _table(NUMBER),
    "update_norms": _table(NUMBER),
    "steps": COUNT,
    "activations": _table(_table(NUMBER)),
    "first_step": Check(f"a table of {', '.join(FIRST_STEP)}", _is_first_step),
}
TABLES = ("gradient_norms", "update_norms", "activations")


def check_rows(rows: Sequence[Any]) -> None:
    """Raise `ValueError`, naming the line, where rows are not those of epochs one after the other, of one network.

    A training that goes on may do so with other validation data, or without statistics: what is missing may come and go.
    """
    known: dict[str, Any] = {}
    for place, row in enumerate(rows):
        wrong = _wrong(row) or _out_of_order(row, rows[0]["epoch"] + place) or _of_another(row, known)
        if wrong is not None:
            raise ValueError(tr("line {number}: {reason}", number=place + 1, reason=wrong))


def _wrong(row: Any) -> str | None:
    if not isinstance(row, dict):
        return f"expected a JSON object, received {row!r:.40}"
    for name in [*COLUMNS.keys() - row.keys(), *row.keys() - COLUMNS.keys() - LATER.keys()]:
        return f"{name} is {'missing' if name in COLUMNS else 'no column of a history'}"
    for name, check in {**COLUMNS, **LATER}.items():
        if name in row and not check.holds(row[name]):
            return f"{name}: expected {check.expected}, received {row[name]!r:.40}"
    return None


def _out_of_order(row: dict[str, Any], epoch: int) -> str | None:
    if row["epoch"] == epoch:
        return None
    return tr("epoch: expected {expected}, received {received}", expected=epoch, received=row["epoch"])


def _of_another(row: dict[str, Any], known: dict[str, Any]) -> str | None:
    """What has other names than in the rows before, which `known` remembers."""
    for name in TABLES:
        names = _names(row.get(name))
        if names and names != known.setdefault(name, names):
            return f"{name}: expected the names of the lines before, received {', '.join(row[name]):.80}"
    return None


def _names(value: Any) -> dict[str, Any]:
    return {name: _names(part) for name, part in value.items()} if isinstance(value, dict) else {}
