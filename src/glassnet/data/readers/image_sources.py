"""The image files in a folder and the folders below it, or in a zip, which is read without unpacking it to disk."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
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
    """Image files that belong together: `names` are paths with "/" inside `path`, sorted; `others` counts other files.

    `empty`: folders with no image in them or below them. `doubled`: names that several files have, of which one can be read.
    """

    path: Path | str
    names: tuple[str, ...]
    others: int
    empty: tuple[str, ...]
    doubled: tuple[str, ...]

    def open(self, name: str) -> IO[bytes]:
        """One file's bytes; raises OSError, or what a damaged archive gives."""

    def fingerprint(self, names: Sequence[str]) -> str:
        """A text that changes when these files do."""


def is_image(name: str) -> bool:
    """Whether a path with "/" names an image that a person put there: hidden files and what systems leave are not."""
    return not hidden(name) and name.lower().endswith(ENDINGS)


def hidden(name: str) -> bool:
    """Whether a path with "/" is that of a hidden file, or of what systems leave."""
    return any(part.startswith(".") or part.lower() in ("__macosx", "@eadir", "$recycle.bin") for part in name.split("/"))


def _empty(folders: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """Those folders that no image is in or below, sorted."""
    occupied = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    return tuple(sorted(folder for folder in set(folders) - occupied if not hidden(folder)))


class Folder:
    """`ImageFiles` on disk, or other files that are `wanted`. Links to folders are followed, each folder once.

    The fingerprint is of the files' paths, sizes and times of change: reading every byte anew would cost as much as
    decoding. Raises `DataError` for a folder that can't be listed.
    """

    path: Path | str

    def __init__(self, path: Path, wanted: Callable[[str], bool] = is_image) -> None:
        self.path = self._root = path
        walked = [(folder.relative_to(path), files) for folder, files in _walk(path)]
        files = [(folder / file).as_posix() for folder, found in walked for file in found]
        self.names = tuple(sorted(filter(wanted, files)))
        self.others = sum(not wanted(name) and not name.rpartition("/")[2].startswith(".") for name in files)
        self.empty = _empty((folder.as_posix() for folder, _ in walked if folder.parts), self.names)
        self.doubled: tuple[str, ...] = ()

    def open(self, name: str) -> IO[bytes]:
        return io.BytesIO((self._root / name).read_bytes())

    def fingerprint(self, names: Sequence[str]) -> str:
        digest = hashlib.sha256(os.fsencode(self._root.absolute()))
        for name in names:
            try:
                status = (self._root / name).stat()
                known = f"{status.st_size} {status.st_mtime_ns}"
            except OSError:
                known = "unreadable"
            digest.update(os.fsencode(f"\0{name}\0{known}"))
        return digest.hexdigest()


def holds_images(path: Path, wanted: Callable[[str], bool] = is_image) -> bool:
    """Whether there is any image file, or other file that is `wanted`, in a folder or below it."""
    return any(wanted((folder / file).relative_to(path).as_posix()) for folder, files in _walk(path) for file in files)


def _walk(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """A folder and all below it, with the names of the files in each."""

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
        yield Path(folder), files


class Zip:
    """`ImageFiles` in a zip, or other files that are `wanted`.

    The fingerprint is of the names, sizes and checksums that its directory gives. `file`: the zip, opened, where `path` is
    an address. Raises `DataError` for a zip that is damaged, encrypted, or has paths that lead outside it: nothing would be
    written there, but such a zip is not to be trusted.
    """

    def __init__(self, path: Path | str, wanted: Callable[[str], bool] = is_image, file: IO[bytes] | None = None) -> None:
        self.path: Path | str = path
        with reading(path, "zip", tr("a whole zip file")):
            self._zip = zipfile.ZipFile(file or path)
            everything = self._zip.infolist()
            members = [info for info in everything if not info.is_dir()]
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
        self.names = tuple(sorted(name for name in self._members if wanted(name)))
        self.others = len(self._members) - len(self.names)
        folders = {_name(info).rstrip("/") for info in everything if info.is_dir()}
        self.empty = _empty(folders | {name.rpartition("/")[0] for name in self._members} - {""}, self.names)
        counts = Counter(map(_name, members))
        self.doubled = tuple(name for name in self.names if counts[name] > 1)
        locked = [name for name in self.names if self._members[name].flag_bits & 1]
        if locked:
            raise DataError(
                tr("The zip is encrypted."),
                where=path,
                expected=tr("a zip without a password"),
                received=tr("{locked} of {total} files are encrypted", locked=len(locked), total=len(self.names)),
                hint=tr("unpack it, and pass the folder"),
            )

    def open(self, name: str) -> IO[bytes]:
        info = self._members[name]
        if info.file_size > MOST_BYTES:
            raise OSError(tr("{size:,} bytes unpacked, of at most {most:,}", size=info.file_size, most=MOST_BYTES))
        return io.BytesIO(self._zip.read(info))

    def stream(self, name: str) -> IO[bytes]:
        """A file of any size, to be read piece by piece."""
        return self._zip.open(self._members[name])

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
