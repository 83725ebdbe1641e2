"""Decoding many image files, several at a time; the pixels are cached on disk."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from glassnet.data.decode import decode, peek, quiet
from glassnet.data.fetch import cache_folder
from glassnet.data.options import Color, Fit, ImageOptions
from glassnet.data.readers.image_sources import ImageFiles
from glassnet.errors import DataError, InputError, MixedSizesError, reason
from glassnet.support import cache
from glassnet.support.atomic import files_named, replacing, sweep
from glassnet.support.environment import available_cores
from glassnet.support.i18n import mark, tr
from glassnet.support.memory import require_memory_for_data

Result = TypeVar("Result")
Reasons = dict[int, str]
_CHUNK = 64
PATIENCE = 0.7  # seconds of work before a progress bar appears
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


def decode_all(files: ImageFiles, names: Sequence[str], options: ImageOptions) -> tuple[npt.NDArray[np.uint8], Reasons]:
    """The readable images `(N, H, W, C)` in the order of `names`; and why the others, by index, could not be read.

    Without a size, all must have one; without a colour, they are grey where all are grey, else red, green, blue.
    Raises `DataError` for mixed sizes without one to bring them to, for none that is readable, and for more images
    than fit into memory.
    """
    size, color, indices, reasons = measure(files, names, options)
    shape = (*size, 1 if color == "grey" else 3)
    _check_memory(files, len(indices), shape)
    images = np.empty((len(indices), *shape), np.uint8)
    rows = dict(zip(indices, range(len(indices)), strict=True))
    done = decode_into(files, [names[index] for index in indices], images, options.fit, tr("reading images"))
    reasons |= {indices[row]: why for row, why in done.items()}
    if done:
        images = images[[rows[index] for index in indices if index not in reasons]]
    return images, reasons


def measure(
    files: ImageFiles, names: Sequence[str], options: ImageOptions
) -> tuple[tuple[int, int], Color, list[int], Reasons]:
    """The size and colour that the images will have, the indices of those to decode, and why the others can't be.

    Looks at the headers of all files only where an option is missing. Raises as `decode_all` does.
    """
    reasons: Reasons = {}
    if options.size is not None and options.color is not None:
        return options.size, options.color, list(range(len(names))), reasons

    def peek_at(index: int) -> tuple[int, int, bool]:
        return peek(files.open(names[index]), names[index])

    with quiet():
        heads = _in_parallel(files, names, peek_at, tr("looking at images"), reasons)
    color: Color = "rgb" if any(colour for _, _, colour in heads.values()) else "grey"
    return options.size or _one_size(files, list(heads.values())), options.color or color, sorted(heads), reasons


def decode_into(
    files: ImageFiles, names: Sequence[str], images: npt.NDArray[np.uint8], fit: Fit, label: str | None = None
) -> Reasons:
    """Decode each file into its row of `images` (N, H, W, C); why some, by index, could not be.

    `label`: of the progress bar, if there is to be one. Raises `DataError` where none can be read.
    """
    size, colour = (images.shape[1], images.shape[2]), images.shape[3] == 3
    reasons: Reasons = {}

    def fill(index: int) -> None:
        images[index] = decode(files.open(names[index]), names[index], colour=colour, size=size, fit=fit)

    with quiet():
        _in_parallel(files, names, fill, label, reasons)
    return reasons


def _in_parallel(
    files: ImageFiles,
    names: Sequence[str],
    work: Callable[[int], Result],
    label: str | None,
    reasons: Reasons,
) -> dict[int, Result]:
    """The results of `work` by index; where it fails, the reason goes to `reasons` instead."""

    def attempt(chunk: Sequence[int]) -> tuple[dict[int, Result], Reasons]:
        good: dict[int, Result] = {}
        bad: Reasons = {}
        for index in chunk:
            try:
                good[index] = work(index)
            except InputError as error:
                bad[index] = error.what
            except MemoryError:
                raise
            except Exception as error:  # a damaged zip, a file that went away
                bad[index] = reason(error)
        return good, bad

    results: dict[int, Result] = {}
    chunks = [range(start, min(start + _CHUNK, len(names))) for start in range(0, len(names), _CHUNK)]
    with progress(label, len(names)) as advance, ThreadPoolExecutor(min(8, available_cores())) as pool:
        try:
            for good, bad in pool.map(attempt, chunks):
                results |= good
                reasons |= bad
                advance(len(good) + len(bad))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if not results:
        first = min(reasons)
        raise DataError(
            tr("None of the images can be read."),
            where=files.path,
            expected=tr("image files"),
            received=tr(
                "{count} files; the first, {name}: {reason}", count=len(names), name=names[first], reason=reasons[first]
            ),
        )
    return results


def _one_size(files: ImageFiles, heads: Sequence[tuple[int, int, bool]]) -> tuple[int, int]:
    sizes = Counter((height, width) for height, width, _ in heads)
    if len(sizes) > 1:
        words = mark("{width} × {height} (1 image)"), mark("{width} × {height} ({count} images)")
        shown = ", ".join(
            tr(words[count > 1], width=width, height=height, count=count) for (height, width), count in sizes.most_common(3)
        )
        raise MixedSizesError(
            tr("The images have different sizes, and no size is given."),
            where=files.path,
            expected=tr("images of one size, or the option size"),
            received=shown + (tr(" and {count} more sizes", count=len(sizes) - 3) if len(sizes) > 3 else ""),
            hint=tr("size = 64 under [data] in the recipe, --set size=64, or load_dataset(path, size=64)"),
        )
    return next(iter(sizes))


def _check_memory(files: ImageFiles, count: int, shape: tuple[int, ...]) -> None:
    require_memory_for_data(
        count * math.prod(shape),
        tr("{count} images of {shape}", count=count, shape=" × ".join(map(str, shape))),
        files.path,
        tr("bring them to a smaller size: size = 64 under [data] in the recipe, or load_dataset(path, size=64)"),
    )


@contextlib.contextmanager
def progress(label: str | None, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr, if it is a terminal: a function to call with how many more of `total` are done."""
    if label is None or not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(label), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task, began = bar.add_task("", total=total), time.monotonic()

    def advance(count: int) -> None:
        bar.advance(task, count)
        if time.monotonic() - began > PATIENCE:
            bar.start()

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()


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
