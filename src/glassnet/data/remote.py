"""Files that are not on this machine, by fsspec: http, s3, memory, … (extra `remote`)."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from glassnet.data.readers.image_sources import Folder, ImageFiles, Zip, is_image
from glassnet.errors import DataError, GlassnetError, reason
from glassnet.support.extras import require_extra
from glassnet.support.i18n import tr

BLOCK = 2**18  # bytes that a file elsewhere is read ahead by


def is_url(given: object) -> bool:
    """Whether this is an address such as https://host/photos.zip, not a path."""
    return isinstance(given, str) and re.match(r"[a-z][a-z0-9+.-]+://", given) is not None


@contextlib.contextmanager
def fetching(url: str) -> Iterator[None]:
    """Raise `DataError` for what goes wrong on the way."""
    try:
        yield
    except GlassnetError:
        raise
    except Exception as error:  # of any of fsspec's systems
        missing = isinstance(error, FileNotFoundError)
        raise DataError(
            tr("There is nothing at this address.") if missing else tr("This address can't be read."),
            where=url,
            expected=tr("an address that answers"),
            received=_why(error),
            hint=tr("look at the address and the connection"),
        ) from None


def _why(error: BaseException) -> str:
    status = getattr(error, "status", None)
    return f"HTTP {status}" if status else f"{type(error).__name__}: {reason(error)}"


def file_system(url: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it. Raises `InputError` without fsspec, `DataError` for no such kind."""
    packages = ("fsspec", "aiohttp") if url.startswith("http") else ("fsspec",)
    require_extra("remote", packages, tr("Addresses are read by fsspec."), url)
    import fsspec

    with fetching(url):
        return fsspec.core.url_to_fs(url)  # type: ignore[no-any-return]  # fsspec has no types


class RemoteFolder:
    """`ImageFiles` below an address."""

    def __init__(self, url: str, *, listed: bool = True) -> None:
        self.path: Path | str = url
        self._system, self._root = file_system(url)
        self.empty: tuple[str, ...] = ()
        self.doubled: tuple[str, ...] = ()
        self._known: dict[str, Any] = {}
        if listed:
            with fetching(url):
                found = self._system.find(self._root, detail=True)
                if not found and not self._system.exists(self._root):
                    raise FileNotFoundError(self._root)
            self._known = {self._inside(name): about for name, about in found.items() if about.get("type") != "directory"}
        self.names = tuple(sorted(filter(is_image, self._known)))
        self.others = len(self._known) - len(self.names)

    def _inside(self, name: str) -> str:
        return name.removeprefix(self._root.rstrip("/")).lstrip("/")

    def open(self, name: str) -> IO[bytes]:
        return io.BytesIO(self._system.cat_file(f"{self._root.rstrip('/')}/{name}"))

    def fingerprint(self, names: Sequence[str]) -> str:
        import hashlib

        digest = hashlib.sha256()
        for name in names:
            about = self._known[name]
            changed = next((about[key] for key in ("ETag", "etag", "LastModified", "mtime", "created") if key in about), "")
            digest.update(f"\0{name}\0{about.get('size')} {changed}".encode(errors="surrogateescape"))
        return digest.hexdigest()


class _Listed(Folder):
    """A folder whose files are known by name."""

    def __init__(self, path: Path) -> None:
        self.path = self._root = path


def open_files(where: str | Path, *, listed: bool = True) -> ImageFiles:
    """The image files of a folder or a zip, here or at an address; `listed=False`: files will be opened by name alone."""
    if not is_url(where):
        path = Path(where)
        if path.is_file():
            return Zip(path)
        return Folder(path) if listed else _Listed(path)
    url = str(where)
    system, path_there = file_system(url)
    with fetching(url):
        is_zip = path_there.lower().endswith(".zip") and not system.isdir(path_there)
        if is_zip:
            return Zip(url, file=system.open(path_there, "rb", block_size=BLOCK))
    return RemoteFolder(url, listed=listed)


def read_bytes(url: str, first: int | None = None, last: int | None = None) -> bytes:
    """A file at an address, or the bytes `first` to before `last` of it."""
    system, path = file_system(url)
    with fetching(url):
        return bytes(system.cat_file(path, start=first, end=last))
