"""Atomic writes: a temporary file beside the target is renamed onto it."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

PART = re.compile(r"\..+\.[a-z0-9_]{8}\.glassnet\.part")  # the names of `replacing`, whose middle `tempfile` draws


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[IO[bytes]]:
    """A file to write to that replaces `path` on success and is removed on failure."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".glassnet.part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def files_named(folder: Path, name: re.Pattern[str]) -> list[tuple[Path, os.stat_result]]:
    """The regular files in a folder whose full name matches, and their status. Raises OSError."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # another process removed it
                if name.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    found.append((Path(entry.path), entry.stat(follow_symlinks=False)))
    return found


def sweep(folder: Path, older_than: float | None = None) -> None:
    """Remove the temporary files that `replacing` left in a folder when its process was killed.

    With `older_than`, only those last written more than so many seconds ago: another process may still be writing.
    """
    for path, status in files_named(folder, PART):
        if older_than is None or status.st_mtime < time.time() - older_than:
            path.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Replace `path` by `content` in one step; with `durable`, wait until the disk has it."""
    with replacing(path, durable=durable) as file:
        file.write(content)


def write_text(path: Path, content: str, *, durable: bool = False) -> None:
    """`write_bytes` for text, in UTF-8."""
    write_bytes(path, content.encode("utf-8"), durable=durable)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
