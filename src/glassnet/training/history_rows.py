"""Whether rows read from a file are those of a history, so that whatever reads a history can rely on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

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


def check_rows(rows: Sequence[Any]) -> None:
    """Raise `ValueError`, naming the line, where rows are not those of epochs one after the other, with the same columns."""
    for place, row in enumerate(rows):
        wrong = _wrong(row) or _unlike(row, rows[0], place)
        if wrong is not None:
            raise ValueError(f"line {place + 1}: {wrong}")


def _wrong(row: Any) -> str | None:
    if not isinstance(row, dict):
        return f"expected a JSON object, received {row!r:.40}"
    for name in [*COLUMNS.keys() - row.keys(), *row.keys() - COLUMNS.keys() - LATER.keys()]:
        return f"{name} is {'missing' if name in COLUMNS else 'no column of a history'}"
    for name, check in {**COLUMNS, **LATER}.items():
        if name in row and not check.holds(row[name]):
            return f"{name}: expected {check.expected}, received {row[name]!r:.40}"
    return None


def _unlike(row: dict[str, Any], first: dict[str, Any], place: int) -> str | None:
    """What differs from the first row, or is out of order."""
    if row["epoch"] != first["epoch"] + place:
        return f"epoch: expected {first['epoch'] + place}, received {row['epoch']}"
    for name in (*COLUMNS, *LATER):
        if name != "first_step" and _form(row.get(name)) != _form(first.get(name)):
            return f"{name}: expected the same kind and names as in the first line, received {row.get(name)!r:.40}"
    return None


def _form(value: Any) -> Any:
    """What is the same for every epoch: whether there is a number, and the names of a table."""
    return {name: _form(part) for name, part in value.items()} if isinstance(value, dict) else value is None
