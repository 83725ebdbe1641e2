"""The image files in a zip, read where they are: nothing is unpacked to disk."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from glassnet.data.readers.folder import is_image
from glassnet.data.readers.subprocess import unreadable
from glassnet.errors import DataError, reason
from glassnet.support.i18n import tr

_MOST_BYTES = 256 * 2**20  # of one image file: nothing that `decode` takes needs more


class Zip:
    """`ImageFiles` in a zip. The fingerprint is of the names, sizes and checksums that its directory gives.

    Raises `DataError` for a zip that is damaged or cut off, that is locked by a password, or whose paths climb out of it:
    nothing would be written there, but such a zip is not what it seems.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
            members = [info for info in self._zip.infolist() if not info.is_dir()]
        except (zipfile.BadZipFile, OSError) as error:
            raise unreadable(path, "zip", reason(error), tr("a whole zip file")) from None
        except Exception as error:  # zipfile fails in many ways on a damaged directory
            raise unreadable(path, "zip", f"{type(error).__name__}: {error}", tr("a whole zip file")) from None
        self._members = {_name(info): info for info in members}
        climbing = [name for name in self._members if _climbs(name)]
        if climbing:
            raise DataError(
                tr("The zip has paths that climb out of it."),
                where=path,
                expected=tr("paths inside the zip, such as cat/1.jpg"),
                received=tr("{name} and {count} more", name=repr(climbing[0]), count=len(climbing) - 1)
                if len(climbing) > 1
                else repr(climbing[0]),
                hint=tr("don't trust this file; get it from somewhere else"),
            )
        self.names = tuple(sorted(name for name in self._members if is_image(name)))
        self.others = len(self._members) - len(self.names)
        locked = [name for name in self.names if self._members[name].flag_bits & 1]
        if locked:
            raise DataError(
                tr("The zip is locked by a password."),
                where=path,
                expected=tr("a zip without one"),
                received=tr("{locked} of {total} images are encrypted", locked=len(locked), total=len(self.names)),
                hint=tr("unpack it, and give the folder"),
            )

    def open(self, name: str) -> IO[bytes]:
        info = self._members[name]
        if info.file_size > _MOST_BYTES:
            raise OSError(tr("{size:,} bytes unpacked, of at most {most:,}", size=info.file_size, most=_MOST_BYTES))
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
