"""The image files in a folder and the folders below it, or in a zip, which is read without unpacking it to disk."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from glassnet.data.readers.subprocess import reading
from glassnet.errors import DataError, reason
from glassnet.support.i18n import listing, tr

MOST_BYTES = 256 * 2**20  # of one image file in a zip: no image that `decode` accepts needs more

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
        what, expected = tr("A folder can't be listed."), tr("a folder that you may read")
        raise DataError(what, where=error.filename, expected=expected, received=reason(error)) from None

    seen = set()
    for folder, below, files in os.walk(path, onerror=refuse, followlinks=True):
        real_path = os.path.realpath(folder)
        if real_path in seen:  # a link that leads back
            below.clear()
            continue
        seen.add(real_path)
        below.sort()
        yield from (Path(folder, file) for file in files)


class Zip:
    """`ImageFiles` in a zip. The fingerprint is of the names, sizes and checksums that its directory gives.

    Raises `DataError` for a zip that is damaged, encrypted, or has paths that lead outside it: nothing would be written
    there, but such a zip is not to be trusted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with reading(path, "zip", tr("a whole zip file")):
            self._zip = zipfile.ZipFile(path)
            members = [info for info in self._zip.infolist() if not info.is_dir()]
        self._members = {_name(info): info for info in members}
        climbing = [name for name in self._members if _climbs(name)]
        if climbing:
            raise DataError(
                tr("The zip has paths that lead outside it."),
                where=path,
                expected=tr("paths inside the zip, such as cat/1.jpg"),
                received=listing(map(repr, climbing[:3])),
                hint=tr("don't trust this file; get it from another source"),
            )
        self.names = tuple(sorted(name for name in self._members if is_image(name)))
        self.others = len(self._members) - len(self.names)
        locked = [name for name in self.names if self._members[name].flag_bits & 1]
        if locked:
            raise DataError(
                tr("The zip is encrypted."),
                where=path,
                expected=tr("a zip without a password"),
                received=tr("{locked} of {total} images are encrypted", locked=len(locked), total=len(self.names)),
                hint=tr("unpack it, and pass the folder"),
            )

    def open(self, name: str) -> IO[bytes]:
        info = self._members[name]
        if info.file_size > MOST_BYTES:
            raise OSError(tr("{size:,} bytes unpacked, of at most {most:,}", size=info.file_size, most=MOST_BYTES))
        return io.BytesIO(self._zip.read(info))

    def close(self) -> None:
        self._zip.close()

    def fingerprint(self, names: Sequence[str]) -> str:
        digest = hashlib.sha256()
        for name in names:
            info = self._members[name]
            digest.update(f"\0{name}\0{info.file_size} {info.CRC}".encode(errors="surrogateescape"))
        return digest.hexdigest()


def _name(info: zipfile.ZipInfo) -> str:
    """A member's name: in UTF-8 also where the zip does not say that it is, as macOS leaves it out."""
    name = info.filename
    if not info.flag_bits & 0x800 and not name.isascii():
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _climbs(name: str) -> bool:
    return name.startswith("/") or ".." in PurePosixPath(name).parts or re.match(r"[A-Za-z]:", name) is not None
