"""The schema of a history's rows: whatever reads a history can rely on them.

Imported only to read a history: pydantic takes a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from glassnet.support.i18n import tr

MOST = 2**63  # larger integers are no counts, and overflow what computes with them


def _not_huge(value: Any) -> Any:
    if isinstance(value, int) and abs(value) >= MOST:
        raise ValueError("a number below 2^63")
    return value


Number = Annotated[float, BeforeValidator(_not_huge)]
Fraction = Annotated[Number, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, lt=MOST)]
Norms = dict[str, Number]
Activations = dict[str, dict[str, Number]]


class FirstStep(BaseModel, strict=True, extra="forbid"):
    """`Epoch.first_step`."""

    cost: Number = 0.0
    activations: Activations = {}
    gradient_norms: Norms = {}
    update_norms: Norms = {}


class Row(BaseModel, strict=True, extra="forbid"):
    """One epoch; histories of earlier versions lack the columns that have a default."""

    epoch: Count
    train_cost: Number
    train_accuracy: Fraction | None
    validation_cost: Number | None
    validation_accuracy: Fraction | None
    validation_correct: Count | None
    validation_total: Count | None
    learning_rate: Number
    seconds: Annotated[Number, Field(ge=0)]
    gradient_norms: Norms = {}
    update_norms: Norms = {}
    steps: Count = 0
    activations: Activations = {}
    first_step: FirstStep = FirstStep()


def check_rows(rows: Sequence[Any]) -> None:
    """Raise `ValueError` with the line unless the rows are those of successive epochs of one network.

    A resumed training may have other validation data, or no statistics: columns may be empty in some rows.
    """
    known: dict[str, Any] = {}
    for line, row in enumerate(rows, 1):
        wrong = find_error(Row, row) or _out_of_order(row, rows[0]["epoch"] + line - 1) or _of_another(row, known)
        if wrong is not None:
            raise ValueError(f"line {line}: {wrong}")


def find_error(model: type[BaseModel], row: Any) -> str | None:
    """The first value of a row that the model refuses, in words; None for a valid row."""
    if not isinstance(row, dict):
        return f"expected a JSON object, received {row!r:.40}"
    try:
        model.model_validate(row)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        name = ".".join(map(str, problem["loc"]))
        if problem["type"] in ("missing", "extra_forbidden"):
            return f"{name} is {'missing' if problem['type'] == 'missing' else 'no column of a history'}"
        expected = problem["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
        return f"{name}: expected {expected}, received {problem['input']!r:.40}"
    return None


def _out_of_order(row: dict[str, Any], epoch: int) -> str | None:
    if row["epoch"] == epoch:
        return None
    return tr("epoch: expected {expected}, received {received}", expected=epoch, received=row["epoch"])


def _of_another(row: dict[str, Any], known: dict[str, Any]) -> str | None:
    """What has other names than in the rows before, which `known` remembers."""
    for name in ("gradient_norms", "update_norms", "activations"):
        names = _names(row.get(name))
        if names and names != known.setdefault(name, names):
            return f"{name}: expected the names of the lines before, received {', '.join(row[name]):.80}"
    return None


def _names(value: Any) -> dict[str, Any]:
    return {name: _names(part) for name, part in value.items()} if isinstance(value, dict) else {}
