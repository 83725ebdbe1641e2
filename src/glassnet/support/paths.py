"""Paths that users type."""

from __future__ import annotations

import os
from pathlib import Path

exists, is_file, is_dir = os.path.exists, os.path.isfile, os.path.isdir
"""Unlike the methods of `Path`, they raise nothing: False where one may not look, and for what can't be a path."""


def as_path(given: str | os.PathLike[str]) -> Path:
    """The path with a leading `~` filled in, where there is such a home folder. Raises nothing."""
    return Path(os.path.expanduser(given))  # noqa: PTH111  (`Path.expanduser` raises where there is no home)
