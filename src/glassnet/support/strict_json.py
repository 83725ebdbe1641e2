"""JSON that other programs can read too: numbers that JSON has no word for become texts, and come back as numbers."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

WORDS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def plain(value: Any) -> Any:
    """The value with "NaN", "Infinity" and "-Infinity" for the floats in it that are not finite."""
    if isinstance(value, float) and not isfinite(value):
        return WORDS[str(float(value))]
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def numbers(value: Any) -> Any:
    """The value with floats for those words: what `plain` was given."""
    if isinstance(value, dict):
        return {name: numbers(part) for name, part in value.items()}
    if isinstance(value, list):
        return [numbers(part) for part in value]
    return float(value) if isinstance(value, str) and value in WORDS.values() else value


def is_number(value: Any) -> bool:
    """Whether it is a float, or an integer that 64 bits hold."""
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63)


def is_count(value: Any) -> bool:
    return is_number(value) and isinstance(value, int) and value >= 0


def line(value: Any) -> str:
    """One line of a .jsonl file."""
    return json.dumps(plain(value), allow_nan=False) + "\n"


def lines(text: str) -> list[Any]:
    """The values of a .jsonl file's lines. Raises `ValueError`, naming the line, for one that is no JSON."""
    rows = []
    for number, row in enumerate(text.removesuffix("\n").split("\n") if text else [], 1):
        try:
            rows.append(numbers(json.loads(row)))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {number}: no whole JSON object ({error})") from None
    return rows
