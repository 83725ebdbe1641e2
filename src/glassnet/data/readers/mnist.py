"""MNIST, and whatever else comes in four IDX files of the same names: found on this machine, checked and split."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.data.arrays import form
from glassnet.data.dataset import Dataset, Splits
from glassnet.data.fetch import Remote, cache_folder, data_folders, fetch_remote
from glassnet.data.readers.idx import read_idx
from glassnet.data.splits import split_in_order
from glassnet.errors import DataError
from glassnet.support.i18n import tr
from glassnet.support.paths import as_path, is_file

MNIST = Remote(
    name="mnist",
    files={
        "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
    },
    mirrors=(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://raw.githubusercontent.com/fgnt/mnist/master/",
    ),
)
PARTS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
CLASSES = tuple(str(digit) for digit in range(10))


def mnist_folders() -> list[Path]:
    """Where MNIST is looked for, in this order: `$GLASSNET_DATA/mnist`, `$GLASSNET_DATA`, the folder of downloads."""
    *given, downloads = data_folders()
    return [*(path for folder in given for path in (folder / MNIST.name, folder)), downloads / MNIST.name]


def holds_mnist(folder: Path) -> bool:
    """Whether a folder has any of the four files: then it is meant to hold them all."""
    return bool(_find_parts(folder))


def find_mnist() -> Path | None:
    """The first of `mnist_folders()` that has all four files, or None."""
    return next((folder for folder in mnist_folders() if len(_find_parts(folder)) == len(PARTS)), None)


def read_mnist(folder: str | os.PathLike[str] | None = None, *, download: bool = False) -> Splits:
    """The four IDX files (`read_mnist_parts`) in the tutorials' three parts: 50,000 / 10,000 / 10,000 for MNIST.

    The last sixth of the training file becomes the validation part. Raises `DataError` as `read_mnist_parts` does.
    """
    found = read_mnist_parts(folder, download=download)
    held_out = max(len(found.train) // 6, 1)
    first, last = split_in_order(found.train, len(found.train) - held_out, held_out)
    return Splits(first, last, found.test)


def read_mnist_parts(folder: str | os.PathLike[str] | None = None, *, download: bool = False) -> Splits:
    """The four IDX files as `uint8` images `(N, H, W, 1)` of 0…255 with classes "0" to "9", in the files' order.

    Training and test part as the files have them, and no validation part: 60,000 / 10,000 for MNIST.
    Files may be gzipped, and named `train-images-idx3-ubyte` or `train-images.idx3-ubyte`. Without a `folder`, MNIST is
    looked for in `mnist_folders()`; only with `download` is it fetched where it is missing.
    Raises `DataError` where files are missing, damaged or do not belong together.
    Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", 1998.
    """
    found = as_path(folder) if folder is not None else find_mnist()
    if download and folder is None and found in (None, cache_folder() / MNIST.name):
        found = fetch_remote(MNIST)  # compares the checksums of what is there already
    paths = _find_parts(found) if found is not None else {}
    missing = [part for part in PARTS if part not in paths]
    if missing:
        places = mnist_folders() if folder is None else [as_path(folder)]
        raise DataError(
            tr("MNIST is not on this machine.") if folder is None else tr("The folder does not hold MNIST's four files."),
            where=", ".join(map(str, places)),
            expected=tr("{files} (gzipped or not)", files=", ".join(PARTS)),
            received="; ".join(tr("{folder} lacks {files}", folder=place, files=_lacking(place)) for place in places),
            hint=tr("`glassnet datasets --fetch mnist` downloads it (11 MB); or set GLASSNET_DATA to its folder"),
        )
    train, test = (_read_pair(paths[images], paths[labels]) for images, labels in (PARTS[:2], PARTS[2:]))
    if len(train) < 2:
        what = tr("There are too few images for a validation part.")
        raise DataError(what, where=paths[PARTS[0]], expected=tr("at least 2 images"), received=len(train))
    if train.shape != test.shape:
        what, expected = tr("The training and the test images differ in their shape."), train.shape
        raise DataError(what, where=paths[PARTS[2]], expected=expected, received=test.shape)
    return Splits(train, None, test)


def _find_parts(folder: Path) -> dict[str, Path]:
    """The files of `PARTS` in a folder, by part; files that are not gzipped first, as they read quicker."""
    found: dict[str, Path] = {}
    for part in PARTS:
        names = [spelled + ending for ending in ("", ".gz") for spelled in (part, part.replace("-idx", ".idx"))]
        path = next((folder / name for name in names if is_file(folder / name)), None)
        if path is not None:
            found[part] = path
    return found


def _lacking(folder: Path) -> str:
    found = _find_parts(folder)
    return ", ".join(part for part in PARTS if part not in found)


def _read_pair(images_path: Path, labels_path: Path) -> Dataset:
    images, labels = read_idx(images_path), read_idx(labels_path)
    _check_kind(images, images_path, tr("images"), 3)
    _check_kind(labels, labels_path, tr("labels"), 1)
    if len(images) != len(labels):
        raise DataError(
            tr("There are not as many labels as images."),
            where=labels_path,
            expected=tr("{count} labels, as there are images in {name}", count=len(images), name=images_path.name),
            received=tr("{total} labels", total=len(labels)),
            hint=tr("take both files from the same data set"),
        )
    for item in np.flatnonzero(labels >= len(CLASSES)):
        where = f"{labels_path}, item {item}"
        raise DataError(tr("A label is not a digit."), where=where, expected=tr("0 to 9"), received=labels[item])
    return Dataset(images, labels, CLASSES)


def _check_kind(array: npt.NDArray[Any], path: Path, noun: str, ndim: int) -> None:
    if array.dtype != np.uint8 or array.ndim != ndim or not array.size:
        what, expected = tr("The file does not hold {noun}.", noun=noun), tr("uint8, {count} dimensions", count=ndim)
        raise DataError(what, where=path, expected=expected, received=form(array))
