"""The image files in a folder and the folders below it."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Protocol

from glassnet.errors import DataError, reason
from glassnet.support.i18n import tr

ENDINGS = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm",
)  # fmt: skip
"""What an image file's name ends with; files with other endings are no images."""


class ImageFiles(Protocol):
    """Image files that belong together: `names` are paths with "/" inside `path`, sorted; `others` counts other files."""

    path: Path
    names: tuple[str, ...]
    others: int

    def open(self, name: str) -> IO[bytes]:
        """One file's bytes; raises OSError, or what a damaged archive gives."""

    def fingerprint(self, names: Sequence[str]) -> str:
        """A text that changes when these files do."""


def is_image(name: str) -> bool:
    """Whether a path with "/" names an image that a person put there: hidden files and what systems leave are not."""
    parts = name.split("/")
    hidden = any(part.startswith(".") or part.lower() in ("__macosx", "@eadir", "$recycle.bin") for part in parts)
    return not hidden and parts[-1].lower().endswith(ENDINGS)


class Folder:
    """`ImageFiles` on disk. Links to folders are followed, each folder once.

    The fingerprint is of the files' paths, sizes and times of change: reading every byte anew would cost as much as
    decoding. Raises `DataError` for a folder that can't be listed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        found: list[str] = []
        self.others = 0
        for file in _walk(path):
            name = file.relative_to(path).as_posix()
            if is_image(name):
                found.append(name)
            elif not file.name.startswith("."):
                self.others += 1
        self.names = tuple(sorted(found))

    def open(self, name: str) -> IO[bytes]:
        return io.BytesIO((self.path / name).read_bytes())

    def fingerprint(self, names: Sequence[str]) -> str:
        digest = hashlib.sha256(os.fsencode(self.path.absolute()))
        for name in names:
            try:
                status = (self.path / name).stat()
                known = f"{status.st_size} {status.st_mtime_ns}"
            except OSError:
                known = "unreadable"
            digest.update(os.fsencode(f"\0{name}\0{known}"))
        return digest.hexdigest()


def holds_images(path: Path) -> bool:
    """Whether there is any image file in a folder or below it."""
    return any(is_image(file.relative_to(path).as_posix()) for file in _walk(path))


def _walk(path: Path) -> Iterator[Path]:
    """All files below a folder."""

    def refuse(error: OSError) -> None:
        raise DataError(
            tr("A folder can't be listed."),
            where=error.filename,
            expected=tr("a folder that you may read"),
            received=reason(error),
        ) from None

    seen = set()
    for folder, below, files in os.walk(path, onerror=refuse, followlinks=True):
        real_path = os.path.realpath(folder)
        if real_path in seen:  # a link that leads back
            below.clear()
            continue
        seen.add(real_path)
        below.sort()
        yield from (Path(folder, file) for file in files)
