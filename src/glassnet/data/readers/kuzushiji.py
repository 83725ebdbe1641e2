"""Kuzushiji-MNIST and Kuzushiji-49: cursive Japanese characters, an `.npz` for each array."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from glassnet.data.dataset import Splits
from glassnet.data.options import ImageOptions
from glassnet.data.readers.npz import read_array
from glassnet.data.readers.published import check_names, find_files, labelled, read_text, sets_in
from glassnet.data.readers.subprocess import reading
from glassnet.data.resize import bring
from glassnet.errors import DataError
from glassnet.support.i18n import tr

NAME = re.compile(r"(?P<set>k49|kmnist)(?:-(?:train|test)-(?:imgs|labels)\.npz|_classmap\.csv)")
SOURCE = "https://github.com/rois-codh/kmnist"


def holds_kuzushiji(path: Path) -> bool:
    """Whether a path is one of the data sets' files, or a folder with any."""
    return bool(sets_in(path, NAME))


def read_kuzushiji(path: Path, options: ImageOptions) -> Splits:
    """Kuzushiji-49 (k49-…) or Kuzushiji-MNIST (kmnist-…), with its own test part; `k49_classmap.csv` names the classes.

    `path`: the folder, or one of the files of the set where there are both. Raises `DataError` for files that are missing,
    damaged or do not belong together.
    Source: T. Clanuwat and others, "Deep learning for classical Japanese literature", 2018.
    """
    files = find_files(path, NAME, "Kuzushiji", _files, SOURCE)
    names = _names(files["classmap"])
    parts = {}
    for part in ("train", "test"):
        images_at, labels_at = files[f"{part} imgs"], files[f"{part} labels"]
        images, marks = read_array(images_at, "arr_0"), read_array(labels_at, "arr_0")
        parts[part] = labelled(images, marks, names, images_at, labels_at)
    return bring(Splits(parts["train"], test=parts["test"]), options, path)


def _files(name: str) -> dict[str, str]:
    made = {f"{part} {kind}": f"{name}-{part}-{kind}.npz" for part in ("train", "test") for kind in ("imgs", "labels")}
    return made | {"classmap": f"{name}_classmap.csv"}


def _names(path: Path) -> dict[int, str]:
    """The columns index and char."""
    expected = tr("a table with the columns index, codepoint and char")
    text = read_text(path)
    with reading(path, ".csv", expected):
        rows = list(csv.DictReader(text.splitlines()))
    found = []
    for number, row in enumerate(rows, 2):
        index, char = row.get("index") or "", row.get("char") or ""
        if not re.fullmatch("[0-9]{1,4}", index) or not char:
            raise DataError(
                tr("The file does not name the classes."),
                where=tr("{path}, line {number}", path=path, number=number),
                expected=expected,
                received=repr(row)[:80],
            )
        found.append((int(index), char))
    return check_names(found, path, expected)
