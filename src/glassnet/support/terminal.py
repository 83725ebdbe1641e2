"""Texts in columns of a terminal, where a Chinese character takes two."""

from __future__ import annotations

import re
from collections.abc import Sequence
from shutil import get_terminal_size
from unicodedata import east_asian_width

from glassnet.support.i18n import Message, tr

CHINESE = r"[\u2e80-\u9fff\uff00-\uffef]"
NOT_FIRST = "，。、；：！？）》」』”’…％"  # Chinese punctuation that does not begin a line
NOT_LAST = "（《「『“‘"
PIECES = re.compile(rf" +|{CHINESE}[{NOT_FIRST}]*|(?:(?! |{CHINESE}).)+[{NOT_FIRST}]*")
MARGIN = 0.5  # of the width, beyond which continuation lines are not indented


def text_width() -> int:
    """Columns that running text is wrapped at: those of the terminal, 80 where there is none, at most 110."""
    return min(110, get_terminal_size().columns)


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


def wrap(text: str, width: int) -> str:
    """The text with lines of at most `width` columns, broken at spaces and between Chinese characters.

    Continuation lines begin where the text of a line begins that has a label or a first column before a gap of two spaces,
    or after a label such as "try:". A word that is wider than the terminal, such as a path, stays whole.
    """
    return "\n".join(part for line in text.split("\n") for part in _wrapped(line, width))


def _wrapped(line: str, width: int) -> list[str]:
    if columns(line) <= width:
        return [line]
    indent = len(line) - len(line.lstrip(" "))
    first = re.match(r" *\S+(?: \S+)*(?:  +|(?<=[:：]) )(?=\S)", line)
    hang = columns(first[0]) if first else indent
    lines, now, gap = [], " " * indent, ""
    if hang > MARGIN * width:
        hang = indent + 4
    for piece in PIECES.findall(line[indent:]):
        if piece.isspace():
            gap = piece
            continue
        room = width - columns(now + gap)
        glued = now[-1:] in NOT_LAST and now.strip()
        if columns(piece) > room and now.strip() and not glued:
            lines.append(now)
            now, gap = " " * hang, ""
        now, gap = now + gap + piece, ""
    return [*lines, now]


def about_time(seconds: float) -> Message:
    """How long something is estimated to take."""
    if seconds < 1.5:
        return tr("about a second")
    if seconds < 100:
        return tr("about {seconds:.0f} s", seconds=seconds)
    if seconds < 6000:
        return tr("about {minutes:.0f} minutes", minutes=seconds / 60)
    return tr("about {hours:.1f} hours", hours=seconds / 3600)
