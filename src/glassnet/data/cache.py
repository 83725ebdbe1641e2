"""Decoded images cached on disk."""

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
from glassnet.data.readers.image_sources import ImageFiles
from glassnet.support import cache
from glassnet.support.atomic import files_named, replacing, sweep

VERSION = 1
"""Increase it when `decode` gives other pixels: cached files of another version are not read."""
NAME = re.compile(r"[0-9a-f]{40}\.npz")
MOST_BYTES = 4 * 2**30
"""Limit of all cached images on disk; the least recently used are removed first."""


def cached_images(files: ImageFiles, names: Sequence[str], options: ImageOptions) -> tuple[npt.NDArray[np.uint8], Reasons]:
    """`decode_all`, cached in `cache_folder() / "images"` under a digest of the files, the options and Pillow's version.

    A damaged cache file is replaced; where the folder can't be written, nothing is cached.
    """
    path = cache_folder() / "images" / f"{_key(files, names, options)}.npz"
    cached = _read(path, len(names))
    if cached is not None:
        return cached
    images, reasons = decode_all(files, names, options)
    if images.nbytes <= MOST_BYTES // 2:
        try:
            cache.make_folder(path.parent)
            places, messages = np.array(list(reasons), np.int64), np.array(list(reasons.values()), np.str_)
            with replacing(path) as target:
                np.savez(target, images=images, places=places, reasons=messages)
        except OSError as error:
            cache.cannot_keep(error)
        with contextlib.suppress(OSError):
            _drop_oldest(path.parent)
    return images, reasons


def _read(path: Path, count: int) -> tuple[npt.NDArray[np.uint8], Reasons] | None:
    """The cached images of `count` files, or None where there are none or the cache file is damaged."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return None
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            images, places, messages = stored["images"], stored["places"], stored["reasons"]
        reasons = {int(index): str(text) for index, text in zip(places, messages, strict=True)}
    except Exception:  # damaged: NumPy and zipfile fail in many ways
        return None
    fits = images.dtype == np.uint8 and images.ndim == 4 and len(images) + len(reasons) == count
    if not fits or not reasons.keys() <= {*range(count)}:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # used now: the oldest go first
    return images, reasons


def _key(files: ImageFiles, names: Sequence[str], options: ImageOptions) -> str:
    import PIL

    what = [VERSION, PIL.__version__, files.fingerprint(names), options.size, options.color, options.fit]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:40]


def _drop_oldest(folder: Path) -> None:
    """Remove the least recently used files beyond `MOST_BYTES`, and temporary files older than a day."""
    if not cache.is_ours(folder):
        return
    sweep(folder, older_than=cache.DAY)
    total = 0
    for file, status in sorted(files_named(folder, NAME), key=lambda pair: -pair[1].st_mtime):
        total += status.st_size
        if total > MOST_BYTES:
            file.unlink(missing_ok=True)
