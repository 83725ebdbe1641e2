"""Strict JSON: NaN and infinities are written as texts and read back as floats."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

from glassnet.support.i18n import tr

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
            raise ValueError(tr("line {number}: not a complete JSON object ({error})", number=number, error=error)) from None
    return rows
