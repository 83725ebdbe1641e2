"""Decoded images kept on disk, so that a data set is decoded once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from glassnet.data.decode_many import Reasons, decode_all
from glassnet.data.fetch import cache_folder
from glassnet.data.options import ImageOptions
from glassnet.data.readers.folder import ImageFiles
from glassnet.support import cache
from glassnet.support.atomic import files_named, replacing, sweep

VERSION = 1
"""Of the manner of decoding: raise it when `decode` finds other pixels, and nothing old is taken."""
NAME = re.compile(r"[0-9a-f]{40}\.npz")
MOST_BYTES = 4 * 2**30
"""What all kept images may take on disk; those longest not used go first."""


def kept_images(files: ImageFiles, names: Sequence[str], options: ImageOptions) -> tuple[npt.NDArray[np.uint8], Reasons]:
    """`decode_all`, or what it found earlier for the same files and options.

    Kept in `cache_folder() / "images"` under a digest of the files' fingerprint, the options and Pillow's version. A
    kept file that is damaged is made anew; where the folder can't be written, nothing is kept.
    """
    path = cache_folder() / "images" / f"{_key(files, names, options)}.npz"
    kept = _read(path, len(names))
    if kept is not None:
        return kept
    images, reasons = decode_all(files, names, options)
    if images.nbytes <= MOST_BYTES // 2:
        try:
            cache.make_folder(path.parent)
            places, texts = np.array(list(reasons), np.int64), np.array(list(reasons.values()), np.str_)
            with replacing(path) as target:
                np.savez(target, images=images, places=places, reasons=texts)
        except OSError as error:
            cache.cannot_keep(error)
        with contextlib.suppress(OSError):
            _drop_oldest(path.parent)
    return images, reasons


def _read(path: Path, count: int) -> tuple[npt.NDArray[np.uint8], Reasons] | None:
    """What is kept for so many names, or None where there is nothing or it is damaged."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return None
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            images, places, texts = stored["images"], stored["places"], stored["reasons"]
        reasons = {int(place): str(text) for place, text in zip(places, texts, strict=True)}
    except Exception:  # damaged: NumPy and zipfile fail in many ways
        return None
    if images.dtype != np.uint8 or images.ndim != 4 or len(images) + len(reasons) != count:
        return None
    if not reasons.keys() <= {*range(count)}:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # used now: the oldest go first
    return images, reasons


def _key(files: ImageFiles, names: Sequence[str], options: ImageOptions) -> str:
    import PIL

    what = [VERSION, PIL.__version__, files.fingerprint(names), options.size, options.color, options.fit]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:40]


def _drop_oldest(folder: Path) -> None:
    """Remove what was longest not used, beyond `MOST_BYTES`; and what a killed process left half-written a day ago."""
    if not cache.is_ours(folder):
        return
    sweep(folder, older_than=cache.DAY)
    total = 0
    for file, status in sorted(files_named(folder, NAME), key=lambda pair: -pair[1].st_mtime):
        total += status.st_size
        if total > MOST_BYTES:
            file.unlink(missing_ok=True)
