"""Cache folders: where they are, which of them glassnet made, and the warning when they can't be written.

`GLASSNET_CACHE` may name a folder with other files in it. So glassnet marks the folders that it makes there. It removes files
only from marked folders, and only those whose full name is one that glassnet gives; to other folders it only adds files.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from glassnet.support.atomic import write_bytes
from glassnet.support.i18n import tr
from glassnet.support.paths import as_path

TAG = "CACHEDIR.TAG"  # the name and the first line by which backups know a cache: https://bford.info/cachedir/
MARK = b"""Signature: 8a477f597d28d172789f06886806bc55
# This folder was made by glassnet, which removes its own old files from it.
"""
DAY = 86_400.0
"""Seconds before a file that another process may still be using can be removed."""


def root() -> Path:
    """`$GLASSNET_CACHE`, else the user's cache folder. Not made here."""
    chosen = os.environ.get("GLASSNET_CACHE")
    if chosen:
        return as_path(chosen)
    from platformdirs import user_cache_dir

    try:
        return Path(user_cache_dir("glassnet"))
    except RuntimeError:  # there is no home folder
        return Path(os.devnull) / "glassnet"  # can't be read or made


def make_folder(folder: Path) -> None:
    """Make a folder of the cache; one that is new or empty is marked as ours. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        write_bytes(folder / TAG, MARK)


def is_ours(folder: Path) -> bool:
    """Whether glassnet made this folder, so that it may remove files of its own from it."""
    tag = folder / TAG
    try:
        return stat.S_ISREG(tag.lstat().st_mode) and tag.read_bytes() == MARK
    except OSError:
        return False


_WARNED: set[Path] = set()


def cannot_keep(error: OSError) -> None:
    """Print, once per process, that the cache can't be written."""
    folder = root()
    if folder in _WARNED:
        return
    _WARNED.add(folder)
    reason = ": ".join(map(str, filter(None, (error.strerror, error.filename2 or error.filename or folder))))
    print(
        tr(
            "glassnet: the cache can't be written ({reason}), so each process compiles or decodes anew; set GLASSNET_CACHE "
            "to a folder that can",
            reason=reason,
        ),
        file=sys.stderr,
        flush=True,
    )
