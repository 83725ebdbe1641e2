"""A data set in a pickle of arrays, such as Nielsen's `mnist.pkl.gz`. Nothing is unpickled: see `pickle_machine`."""

from __future__ import annotations

import gzip
from math import prod
from pathlib import Path
from typing import IO, Any, cast

import numpy.typing as npt

from glassnet.data.dataset import Splits
from glassnet.data.options import ImageOptions
from glassnet.data.readers.array_names import Role
from glassnet.data.readers.pickle_machine import Machine, PickledArray, outline
from glassnet.data.readers.subprocess import reading
from glassnet.data.readers.tables import assemble
from glassnet.errors import DataError
from glassnet.support.i18n import tr

ENDINGS = (".pkl", ".pickle", ".pkl.gz", ".pickle.gz")
MNIST = (28, 28)
PARTS = {1: ("train",), 2: ("train", "test"), 3: ("train", "validation", "test")}


def is_pickle(path: Path) -> bool:
    """Whether a path is a file that is named as pickles are."""
    return path.name.lower().endswith(ENDINGS) and path.is_file()


def read_pickle(path: Path, options: ImageOptions) -> Splits:
    """The data set in a pickle of (images, labels), or of two or three such pairs: training, [validation,] test.

    As `pickle.dump(((x, y), (x, y), (x, y)), file)` writes it in Python 2 or 3, gzipped or not. Rows of 784 numbers become
    images of 28×28; see `assemble` for the rest. Raises `DataError` for a file that is damaged, and for one that holds
    anything but arrays.
    """
    with reading(path, "pickle", tr("a whole file, as pickle.dump writes it")), path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        with gzip.GzipFile(fileobj=raw, mode="rb") if packed else raw as file:
            value = Machine(cast("IO[bytes]", file), path).run()
            if file.read(1):  # at the end of a gzip file this also checks its checksum
                raise ValueError("bytes after the end of the pickle")
    return assemble(_pairs(value, path), (), path, options)


def _pairs(value: object, path: Path) -> dict[Role, npt.NDArray[Any]]:
    """The arrays by role. Raises `DataError` unless these are one to three pairs of arrays."""
    parts = [value] if _is_pair(value) else value if isinstance(value, (tuple, list)) else []
    if len(parts) not in PARTS or not all(map(_is_pair, parts)):
        raise DataError(
            tr("The pickle does not hold images with labels."),
            where=path,
            expected=tr("(images, labels), or two or three such pairs: training, validation, test; all of them NumPy arrays"),
            received=outline(value),
            hint=tr("pickle.dump(((x, y), (x, y), (x, y)), file), each with np.asarray; or np.savez"),
        )
    arrays: dict[Role, npt.NDArray[Any]] = {}
    for part, (images, labels) in zip(PARTS[len(parts)], parts, strict=True):
        arrays[part, "images"], arrays[part, "labels"] = _unflattened(images.array), labels.array
    return arrays


def _unflattened(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return images.reshape(-1, *MNIST) if images.ndim == 2 and images.shape[1] == prod(MNIST) else images


def _is_pair(value: object) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2 and all(map(_is_array, value))


def _is_array(value: object) -> bool:
    return isinstance(value, PickledArray) and value.array is not None and value.array.ndim > 0
