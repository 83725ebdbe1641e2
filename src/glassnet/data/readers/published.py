"""Data sets that are published as several files with fixed names: found by the folder, or by the path of one of the files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.data.arrays import form
from glassnet.data.dataset import Dataset
from glassnet.errors import DataError
from glassnet.support.i18n import tr
from glassnet.support.paths import is_file


def sets_in(path: Path, pattern: re.Pattern[str]) -> dict[str, str]:
    """The sets of which a path has files: names that match a `pattern` with a group `set`. Each with one of them."""
    names = sorted(file.name for file in path.iterdir() if file.is_file()) if path.is_dir() else [path.name]
    return {match["set"]: name for name in reversed(names) if (match := pattern.fullmatch(name))}


def find_files(path: Path, pattern: re.Pattern[str], what: str, files_of: Callable[[str], Mapping[str, str]],
               source: str) -> dict[str, Path]:  # fmt: skip
    """The files of the one set that a path has: `files_of` a set, by their roles; each may be gzipped.

    `what`: its name, for messages. Raises `DataError` where a folder has several sets, or a set lacks files.
    """
    found = sets_in(path, pattern)
    if len(found) > 1:
        raise DataError(
            tr("The folder holds several data sets of {what}.", what=what),
            where=path,
            expected=tr("one, or the path of one of its files"),
            received=", ".join(sorted(found)),
            hint=str(path / found[min(found)]),
        )
    (name,) = found
    folder = path if path.is_dir() else path.parent
    files, missing = {}, []
    for role, file in files_of(name).items():
        place = next((folder / spelled for spelled in (file, f"{file}.gz") if is_file(folder / spelled)), None)
        if place is None:
            missing.append(file)
        else:
            files[role] = place
    if missing:
        raise lacking(folder, what, files_of(name).values(), missing, source)
    return files


def lacking(where: object, what: str, expected: Sequence[str] | Any, missing: Sequence[str], source: str) -> DataError:
    """The error for files of a data set that are missing; `source`: where to get them."""
    return DataError(
        tr("Files of {what} are missing.", what=what),
        where=where,
        expected=", ".join(expected),
        received=tr("all but {files}", files=", ".join(missing)),
        hint=tr("get them from {source}", source=source),
    )


def read_text(path: Path) -> str:
    """A small file of text. Raises `DataError` unless it is one, in UTF-8."""
    try:
        return path.read_bytes()[: 1 << 20].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            tr("The file is no text in UTF-8."), where=tr("{path}, byte {position}", path=path, position=error.start)
        ) from None


def labelled(
    images: npt.NDArray[Any], marks: npt.NDArray[Any], names: Mapping[int, str], images_at: object, labels_at: object
) -> Dataset:
    """Images with their labels; `names`: the class of each mark. `…_at`: where they are from.

    Raises `DataError` where they are not as many, there are none, or a mark has no name.
    """
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or not images.size:
        what, expected = tr("The file does not hold {noun}.", noun=tr("images")), tr("uint8, {count} dimensions", count=3)
        raise DataError(what, where=images_at, expected=expected, received=form(images))
    if marks.ndim != 1 or marks.dtype.kind not in "iu":
        what, expected = tr("The file does not hold {noun}.", noun=tr("labels")), tr("whole numbers, one for each image")
        raise DataError(what, where=labels_at, expected=expected, received=form(marks))
    if len(images) != len(marks):
        raise DataError(
            tr("There are not as many labels as images."),
            where=labels_at,
            expected=tr("{count} labels, as there are images in {name}", count=len(images), name=images_at),
            received=tr("{total} labels", total=len(marks)),
            hint=tr("take both files from the same data set"),
        )
    values = np.array(sorted(names), np.int64)
    known = np.isin(marks, values)
    if not known.all():
        item = int(known.argmin())
        raise DataError(
            tr("A label is not that of a class."),
            where=f"{labels_at}, item {item}",
            expected=tr("one of {count} labels from {low} to {high}", count=len(values), low=values[0], high=values[-1]),
            received=marks[item],
        )
    return Dataset(images, np.searchsorted(values, marks), tuple(names[int(value)] for value in values))


def check_names(names: Sequence[tuple[int, str]], where: object, expected: str) -> dict[int, str]:
    """The classes' names by label. Raises `DataError` where there are none, or a label or a name comes twice."""
    found = dict(names)
    if not found or len(found) < len(names) or len(set(found.values())) < len(names):
        received = tr("labels or names that come twice") if found else tr("none")
        raise DataError(tr("The file does not name the classes."), where=where, expected=expected, received=received)
    return found
