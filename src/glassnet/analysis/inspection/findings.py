"""What a check of data comes to: findings, each with its evidence, and the pictures that it speaks of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glassnet.analysis import diagnosis

SHOWN = 3  # of the pictures of a finding, where it is told


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
class Finding(diagnosis.Finding):
    """Something in the data that a person should know before training: a finding of a diagnosis, with its pictures.

    `groups`    the pictures, those together that belong together (copies of one another); single ones alone
    `files`     files that are not in the data set, with the reason
    """

    groups: tuple[tuple[Picture, ...], ...] = ()
    files: tuple[tuple[str, str], ...] = ()

    def _shown(self) -> list[str]:
        """Its first pictures or files."""
        lines = [f"          {_joined(group)}" for group in self.groups[:SHOWN]]
        lines += [f"          {file}: {reason}" for file, reason in self.files[:SHOWN]]
        more = max(len(self.groups), len(self.files)) - SHOWN
        return [*lines, f"          and {more:,} more"] if more > 0 else lines

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


def _joined(group: tuple[Picture, ...]) -> str:
    """The first pictures of a group as one line."""
    more = f" = {len(group) - 4} more" if len(group) > 4 else ""
    return " = ".join(map(str, group[:4])) + more
