"""A finding about data, with the images it refers to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glassnet.analysis import diagnosis
from glassnet.support.i18n import Message, mark, tr

SHOWN = 3  # images of a finding that are printed


@dataclass(frozen=True)
class ImageReference:
    """One image: its split (`part`), its `index` in it, `label`, `file` if there is one, and a `note`."""

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
        return {name: value for name, value in vars(self).items() if value not in (None, "")}


@dataclass(frozen=True)
class Finding(diagnosis.Finding):
    """A problem in the data: a finding as in a diagnosis, with its images.

    `groups`    the images; copies of one image form a group, single images groups of one
    `files`     skipped files with the reason
    """

    groups: tuple[tuple[ImageReference, ...], ...] = ()
    files: tuple[tuple[str, str], ...] = ()

    def _shown(self) -> list[str]:
        """The first images or files."""
        lines = [f"          {_joined(group)}" for group in self.groups[:SHOWN]]
        lines += [f"          {file}: {reason}" for file, reason in self.files[:SHOWN]]
        more = max(len(self.groups), len(self.files)) - SHOWN
        return [*lines, "         " + tr(" and {count:,} more", count=more)] if more > 0 else lines

    @property
    def images(self) -> tuple[ImageReference, ...]:
        """All images of all groups."""
        return tuple(image for group in self.groups for image in group)

    def as_dict(self) -> dict[str, Any]:
        return {
            **vars(self),
            "try_next": list(self.try_next),
            "groups": [[image.as_dict() for image in group] for group in self.groups],
            "files": [{"file": file, "reason": reason} for file, reason in self.files],
        }


COUNTED = {
    "image": (mark("1 image"), mark("{count:,} images")),
    "file": (mark("1 file"), mark("{count:,} files")),
    "group": (mark("1 group"), mark("{count:,} groups")),
    "finding": (mark("1 finding"), mark("{count:,} findings")),
}


def counted(count: int, noun: str = "image") -> Message:
    """1 image, 2 images."""
    one, several = COUNTED[noun]
    return tr(one) if count == 1 else tr(several, count=count)


def _joined(group: tuple[ImageReference, ...]) -> str:
    """The first images of a group as one line."""
    more = tr(" = {count} more", count=len(group) - 4) if len(group) > 4 else ""
    return " = ".join(map(str, group[:4])) + more
