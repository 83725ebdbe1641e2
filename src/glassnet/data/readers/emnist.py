"""EMNIST: handwritten letters and digits in IDX files like MNIST's, each image transposed."""

from __future__ import annotations

import re
from pathlib import Path

from glassnet.data.dataset import Dataset, Splits
from glassnet.data.options import ImageOptions
from glassnet.data.readers.idx import read_idx
from glassnet.data.readers.published import check_names, find_files, labelled, read_text, sets_in
from glassnet.data.resize import bring
from glassnet.errors import DataError
from glassnet.support.i18n import tr

NAME = re.compile(r"emnist-(?P<set>[a-z]+)-(?:(?:train|test)-(?:images-idx3|labels-idx1)-ubyte(?:\.gz)?|mapping\.txt)")
SOURCE = "https://www.nist.gov/itl/products-and-services/emnist-dataset"


def holds_emnist(path: Path) -> bool:
    """Whether a path is one of EMNIST's IDX files or mappings, or a folder with any."""
    return bool(sets_in(path, NAME))


def read_emnist(path: Path, options: ImageOptions) -> Splits:
    """One of EMNIST's sets: byclass, bymerge, balanced, letters, digits or mnist, upright, with its own test part.

    `path`: the folder, or one of the files of the set where there are several. `emnist-NAME-mapping.txt` names the classes;
    where a class has an upper and a lower case, as in letters, it is named after the upper.
    Raises `DataError` for files that are missing, damaged or do not belong together.
    Source: G. Cohen, S. Afshar, J. Tapson, A. van Schaik, "EMNIST: an extension of MNIST to handwritten letters", 2017.
    """
    files = find_files(path, NAME, "EMNIST", _files, SOURCE)
    names = _names(files["mapping"])
    parts = {part: _read(files[f"{part} images"], files[f"{part} labels"], names) for part in ("train", "test")}
    return bring(Splits(parts["train"], test=parts["test"]), options, path)


def _files(name: str) -> dict[str, str]:
    made = {
        f"{part} {kind}": f"emnist-{name}-{part}-{kind}-idx{dimensions}-ubyte"
        for part in ("train", "test")
        for kind, dimensions in (("images", 3), ("labels", 1))
    }
    return made | {"mapping": f"emnist-{name}-mapping.txt"}


def _names(path: Path) -> dict[int, str]:
    """Lines of a label and the codes of its characters."""
    expected = tr("lines such as 10 65: a label, and the code of its character")
    found = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) < 2 or not all(re.fullmatch("[0-9]{1,4}", word) for word in words):
            raise DataError(
                tr("The file does not name the classes."),
                where=tr("{path}, line {number}", path=path, number=number),
                expected=expected,
                received=repr(line[:80]),
            )
        found.append((int(words[0]), chr(int(words[1]))))
    return check_names(found, path, expected)


def _read(images_at: Path, labels_at: Path, names: dict[int, str]) -> Dataset:
    images, marks = read_idx(images_at), read_idx(labels_at)
    if images.ndim == 3:
        images = images.transpose(0, 2, 1)
    return labelled(images, marks, names, images_at, labels_at)
