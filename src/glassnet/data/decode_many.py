"""Decoding many image files, several at a time."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from glassnet.data.decode import decode, peek, quiet
from glassnet.data.options import ImageOptions
from glassnet.data.progress import progress
from glassnet.data.readers.folder import ImageFiles
from glassnet.errors import DataError, InputError, MixedSizesError
from glassnet.support.i18n import tr
from glassnet.support.memory import require_memory_for_data

Result = TypeVar("Result")
Reasons = dict[int, str]
_CHUNK = 64


def decode_all(files: ImageFiles, names: Sequence[str], options: ImageOptions) -> tuple[npt.NDArray[np.uint8], Reasons]:
    """The readable images `(N, H, W, C)` in the order of `names`; and why the others, by their place, are not there.

    Without a size, all must have one; without a colour, they are grey where all are grey, else red, green, blue.
    Raises `DataError` for mixed sizes without one to bring them to, for none that is readable, and for more images
    than fit into memory.
    """
    reasons: Reasons = {}
    places = list(range(len(names)))
    size, color = options.size, options.color
    with quiet():
        if size is None or color is None:
            heads = _each(files, names, places, peek, tr("looking at images"), reasons)
            places = sorted(heads)
            size = size or _one_size(files, list(heads.values()))
            color = color or ("rgb" if any(colour for _, _, colour in heads.values()) else "grey")
        _check_memory(files, len(places), (*size, 1 if color == "grey" else 3))
        images = np.empty((len(places), *size, 1 if color == "grey" else 3), np.uint8)
        rows = dict(zip(places, range(len(places)), strict=True))
        colour, wanted, fit = color == "rgb", size, options.fit

        def fill(place: int) -> None:
            pixels = decode(files.open(names[place]), names[place], colour=colour, size=wanted, fit=fit)
            images[rows[place]] = pixels

        done = _in_parallel(places, fill, tr("reading images"), reasons)
    if not done:
        raise _none_readable(files, names, reasons)
    if len(done) < len(images):
        images = images[[rows[place] for place in sorted(done)]]
    return images, reasons


def _each(
    files: ImageFiles,
    names: Sequence[str],
    places: Sequence[int],
    look: Callable[..., Result],
    label: str,
    reasons: Reasons,
) -> dict[int, Result]:
    found = _in_parallel(places, lambda place: look(files.open(names[place]), names[place]), label, reasons)
    if not found:
        raise _none_readable(files, names, reasons)
    return found


def _in_parallel(places: Sequence[int], work: Callable[[int], Result], label: str, reasons: Reasons) -> dict[int, Result]:
    """What `work` gives for each place; where it fails, the reason goes to `reasons` instead."""

    def attempt(chunk: Sequence[int]) -> tuple[dict[int, Result], Reasons]:
        good: dict[int, Result] = {}
        bad: Reasons = {}
        for place in chunk:
            try:
                good[place] = work(place)
            except InputError as error:
                bad[place] = error.what
            except MemoryError:
                raise
            except Exception as error:  # a damaged zip, a file that went away
                bad[place] = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return good, bad

    results: dict[int, Result] = {}
    chunks = [places[start : start + _CHUNK] for start in range(0, len(places), _CHUNK)]
    with progress(label, len(places)) as advance, ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        try:
            for good, bad in pool.map(attempt, chunks):
                results |= good
                reasons |= bad
                advance(len(good) + len(bad))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results


def _one_size(files: ImageFiles, heads: Sequence[tuple[int, int, bool]]) -> tuple[int, int]:
    sizes = Counter((height, width) for height, width, _ in heads)
    if len(sizes) > 1:
        shown = ", ".join(f"{width} × {height} ({count} images)" for (height, width), count in sizes.most_common(3))
        raise MixedSizesError(
            tr("The images have different sizes, and there is no size to bring them to."),
            where=files.path,
            expected=tr("images of one size, or a size"),
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


def _none_readable(files: ImageFiles, names: Sequence[str], reasons: Reasons) -> DataError:
    place = min(reasons)
    return DataError(
        tr("None of the images can be read."),
        where=files.path,
        expected=tr("image files"),
        received=tr("{names} files; the first, {name}: {reason}", names=len(names), name=names[place], reason=reasons[place]),
    )
