"""One way to read a path that a user typed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def as_path(given: str | os.PathLike[str]) -> Path:
    """The path with a leading `~` filled in, where there is such a home folder. Raises nothing."""
    path = Path(given)
    with contextlib.suppress(RuntimeError):
        path = path.expanduser()
    return path


def exists(path: Path) -> bool:
    """Whether there is something at a path; not for a path that can't be one (too long, or with a zero byte)."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Whether there is a file at a path; not where one may not look."""
    return exists(path) and path.is_file()


def is_dir(path: Path) -> bool:
    """Whether there is a folder at a path; not where one may not look."""
    return exists(path) and path.is_dir()
