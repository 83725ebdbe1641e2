"""What a check of data comes to: findings, each with its evidence, and the pictures that it speaks of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Picture:
    """One picture: its `part`, its `index` there, its `label`, its `file` where it has one, and a `note` on it."""

    part: str
    index: int
    label: str | None = None
    file: str | None = None
    note: str = ""

    def __str__(self) -> str:
        text = f"{self.part} {self.index}"
        text += f" ({self.file})" if self.file else ""
        text += f" {self.label!r}" if self.label is not None else ""
        return text + (f", {self.note}" if self.note else "")

    def as_dict(self) -> dict[str, Any]:
        values = {"part": self.part, "index": self.index, "label": self.label, "file": self.file, "note": self.note}
        return {key: value for key, value in values.items() if value not in (None, "")}


@dataclass(frozen=True)
class Finding:
    """Something in the data that a person should know before training.

    `name`      one word for it, the same for ever
    `evidence`  what was found, with the figures
    `cause`     what it does, or where it comes from
    `try_next`  what to do, the first thing first
    `groups`    the pictures, those together that belong together (copies of one another); single ones alone
    `files`     files that are not in the data set, with the reason
    """

    name: str
    evidence: str
    cause: str
    try_next: tuple[str, ...]
    groups: tuple[tuple[Picture, ...], ...] = ()
    files: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.evidence}"

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """All pictures of all groups."""
        return tuple(picture for group in self.groups for picture in group)

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "evidence": self.evidence,
            "cause": self.cause,
            "try_next": list(self.try_next),
            "groups": [[picture.as_dict() for picture in group] for group in self.groups],
            "files": [{"file": file, "reason": reason} for file, reason in self.files],
        }


def counted(count: int, noun: str = "picture") -> str:
    """1 picture, 2 pictures."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
