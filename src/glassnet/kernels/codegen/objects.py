"""Compiled units, and the cache folder in which they are kept: an object file and a note each, in one folder for each digest.

Nothing that is read is trusted: a unit whose files are not exactly what `store` wrote counts as missing and is compiled anew.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import hashlib
import json
import os
import re
import stat
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glassnet.support import cache
from glassnet.support.atomic import PART, files_named, sweep, write_bytes

KINDS: dict[str, Any] = {"int64": ctypes.c_int64, "float32": ctypes.c_float, "float64": ctypes.c_double}
DIGEST = re.compile(r"[0-9a-f]{16}")
FILE = re.compile(rf"glassnet_[a-z0-9_]+\.(o|json)|{PART.pattern}")
MOST_BYTES = 2**26  # of a file; larger ones are not ours and are not read
KEPT_FOLDERS = 4


@dataclass(frozen=True)
class Compiled:
    """A unit's object code, its symbol, the name of its entry in the code, and the kinds of its arguments."""

    symbol: str
    entry: str
    arguments: tuple[str, ...]
    code: bytes

    def note(self) -> bytes:
        """The content of the JSON file beside the object file, with a checksum of both."""
        fields = {"symbol": self.symbol, "entry": self.entry, "arguments": list(self.arguments)}
        digest = hashlib.sha256(json.dumps(fields).encode() + self.code).hexdigest()
        return json.dumps({**fields, "sha256": digest}).encode()


def serialize(units: Iterable[Compiled]) -> str:
    """Units as one line of text, for the process that started the compiler."""
    return json.dumps([(unit.symbol, unit.entry, unit.arguments, base64.b64encode(unit.code).decode()) for unit in units])


def deserialize(output: bytes) -> list[Compiled]:
    """The units in the last line of a process's output; a compiler may print something before."""
    return [
        Compiled(symbol, entry, tuple(arguments), base64.b64decode(code))
        for symbol, entry, arguments, code in json.loads(output.splitlines()[-1])
    ]


def load(folder: Path, symbols: Iterable[str]) -> list[Compiled] | None:
    """The units that are kept in a folder, or None where one is missing or damaged."""
    found = []
    for symbol in symbols:
        unit = _read(folder, symbol)
        if unit is None:
            return None
        found.append(unit)
    with contextlib.suppress(OSError):
        os.utime(folder)  # the least recently used folders are removed first
    return found


def _read(folder: Path, symbol: str) -> Compiled | None:
    try:
        note, code = _content(folder / f"{symbol}.json"), _content(folder / f"{symbol}.o")
        fields = json.loads(note)
        unit = Compiled(symbol, fields["entry"], tuple(fields["arguments"]), code)
        return unit if unit.note() == note and isinstance(unit.entry, str) and KINDS.keys() >= {*unit.arguments} else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _content(path: Path) -> bytes:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:  # reading a pipe would block
        raise OSError(f"{path} is not a kernel file")
    return path.read_bytes()


def store(folder: Path, units: Sequence[Compiled]) -> None:
    """Write units into their folder, and remove the least recently used folders beside it. Raises OSError."""
    cache.make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    for unit in units:
        for path, content in ((folder / f"{unit.symbol}.o", unit.code), (folder / f"{unit.symbol}.json", unit.note())):
            if path.is_dir() and not path.is_symlink() and cache.is_ours(folder.parent):
                path.rmdir()  # only if it is empty
            write_bytes(path, content)
    with contextlib.suppress(OSError):
        if cache.is_ours(folder.parent):
            sweep(folder, older_than=cache.DAY)
            _forget_older(folder.parent)


def _forget_older(kernels: Path) -> None:
    """Remove the folders of other digests beyond the last few, unless used within a day or holding anything else."""
    with os.scandir(kernels) as entries:
        folders = [entry for entry in entries if DIGEST.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)]
    used = {Path(entry.path): entry.stat(follow_symlinks=False).st_mtime for entry in folders}
    for folder in sorted(used, key=lambda path: -used[path])[KEPT_FOLDERS:]:
        files = files_named(folder, FILE)
        if used[folder] < time.time() - cache.DAY and len(files) == len(list(folder.iterdir())):
            for file, _ in files:
                file.unlink(missing_ok=True)
            folder.rmdir()
