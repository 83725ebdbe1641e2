"""Texts in columns of a terminal, where a Chinese character takes two."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import east_asian_width


def columns(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def pad(text: str, width: int, *, right: bool = False) -> str:
    """The text at the left of so many columns, or at the right."""
    gap = " " * (width - columns(text))
    return gap + text if right else text + gap


def table(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """The rows as lines: the first `left` cells left-aligned, the others right-aligned."""
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(pad(cell, width, right=i >= left) for i, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]
