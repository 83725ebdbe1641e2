"""`load_dataset`: a data set by name or path; the registry of path readers."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from glassnet.data.catalog import NAMED_DATASETS, read_idx_folder
from glassnet.data.dataset import Splits
from glassnet.data.options import ReadOptions, as_options
from glassnet.data.readers import hdf5
from glassnet.data.readers.cifar import is_cifar, read_cifar
from glassnet.data.readers.emnist import holds_emnist, read_emnist
from glassnet.data.readers.gnt import is_gnt, is_zip_without_images, read_gnt
from glassnet.data.readers.image_files import read_images
from glassnet.data.readers.image_sources import holds_images
from glassnet.data.readers.kuzushiji import holds_kuzushiji, read_kuzushiji
from glassnet.data.readers.mat import read_mat
from glassnet.data.readers.mnist import holds_mnist
from glassnet.data.readers.npz import read_npz
from glassnet.data.readers.pickled import is_pickle, read_pickle
from glassnet.data.remote import is_url
from glassnet.data.shards.fetch import fetch_shards
from glassnet.data.shards.read import holds_shards, read_shards
from glassnet.data.splits import divide
from glassnet.errors import DataError, InputError
from glassnet.support.habits import answered
from glassnet.support.i18n import mark, tr
from glassnet.support.paths import as_path, exists
from glassnet.support.registry import nearest


@dataclass(frozen=True)
class PathReader:
    """A kind of file or folder: the one reader that `accepts` an existing path is used to `read` it."""

    kind: str
    accepts: Callable[[Path], bool]
    read: Callable[[Path, ReadOptions], Splits]
    takes_pattern: bool = False


def _is_file(path: Path, endings: tuple[str, ...], magic: bytes, other: str | None = None) -> bool:
    """Whether a path is a file with one of these endings, or begins with `magic` and does not have the `other` ending."""
    ending = path.suffix.lower()
    return path.is_file() and (ending in endings or (ending != other and _begins(path, magic)))


def _begins(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError:
        return False


def _divided(read: Callable[[Path, ReadOptions], Splits]) -> Callable[[Path, ReadOptions], Splits]:
    return lambda path, options: divide(read(path, options), options)


PATH_READERS: list[PathReader] = [
    PathReader(mark("a folder of shards"), accepts=lambda path: path.is_dir() and holds_shards(path), read=read_shards),
    PathReader(
        mark("a folder with MNIST's four IDX files"),
        accepts=lambda path: path.is_dir() and holds_mnist(path),
        read=read_idx_folder,
    ),
    PathReader(
        mark("a folder of images, with one folder per class or labels in the file names"),
        accepts=lambda path: path.is_dir() and holds_images(path),
        read=read_images,
        takes_pattern=True,
    ),
    PathReader(
        mark("a .zip of such images"),
        accepts=lambda path: _is_file(path, (".zip",), b"PK\x03\x04", other=".npz") and not is_zip_without_images(path),
        read=read_images,
        takes_pattern=True,
    ),
    PathReader(
        mark("a .npz"),
        accepts=lambda path: path.is_file() and path.suffix.lower() == ".npz" and not holds_kuzushiji(path),
        read=_divided(read_npz),
    ),
    PathReader(mark("a pickle of arrays, .pkl or .pkl.gz"), accepts=is_pickle, read=_divided(read_pickle)),
    PathReader(
        mark("a .mat"),
        accepts=lambda path: _is_file(path, (".mat",), b"MATLAB 5.0 MAT-file"),
        read=_divided(read_mat),
    ),
    PathReader(
        mark("a .h5"),
        accepts=lambda path: _is_file(path, hdf5.ENDINGS, hdf5.MAGIC, other=".mat"),
        read=_divided(hdf5.read_hdf5),
    ),
    PathReader(
        mark("a folder with one .h5 per split"),
        accepts=lambda path: path.is_dir() and bool(hdf5.hdf5_files(path)),
        read=_divided(hdf5.read_hdf5_folder),
    ),
    PathReader(mark("CASIA-HWDB's .gnt: a file, a folder or a zip"), accepts=is_gnt, read=read_gnt),
    PathReader(mark("EMNIST's IDX files"), accepts=holds_emnist, read=_divided(read_emnist)),
    PathReader(mark("Kuzushiji's .npz files"), accepts=holds_kuzushiji, read=_divided(read_kuzushiji)),
    PathReader(mark("CIFAR-10 or CIFAR-100: a folder or the .tar.gz"), accepts=is_cifar, read=_divided(read_cifar)),
]


@answered
def load_dataset(
    name_or_path: str | os.PathLike[str],
    *,
    download: bool = False,
    size: int | Sequence[int] | None = None,
    color: str | None = None,
    fit: str = "stretch",
    pattern: str | re.Pattern[str] | None = None,
    split: str | None = None,
    fractions: Sequence[float] | None = None,
    fold: int | None = None,
    folds: int = 5,
    seed: int = 0,
) -> Splits:
    """Read a data set by its name (see `list_datasets`) or path, in splits.

    Paths: a folder or zip with one folder a class, or with labels in the file names (`pattern`), perhaps below folders
    train, validation and test; a folder with MNIST's IDX files; a `.npz`, `.mat` or `.h5`; a folder with a `.h5` a part;
    a `.pkl` or `.pkl.gz` of arrays, which is read without unpickling it; EMNIST, Kuzushiji-MNIST and -49, CIFAR-10 and
    -100, and CASIA-HWDB's `.gnt` as they are published; a folder of shards (`shard`), here or at an address such as
    https://host/shards/, from which it is fetched once (extra `remote`).

    `size`, `color`  `(H, W)` or one number; "grey" or "rgb"; None leaves images as they are
    `fit`            for images of another aspect ratio: "stretch", "crop" (the centre) or "pad" (with black)
    `pattern`        a regular expression for file names with a group `label` and perhaps one `group`
    `split`          "stratified", "random" or "group" (no group, such as a writer, in two parts). Default: "group"
                     where groups are known, else "stratified"
    `fractions`      of training, validation and test; a part with 0 is None. Data with its own test part: third 0
    `fold`, `folds`  k-fold: that fold, from 0, is the test set; the first two `fractions` divide the rest
    `seed`           of the split
    `download`       fetch a named data set that is missing; the network is not used otherwise

    A name takes precedence over a path ("./mnist" is the path). Decoded images are cached. Images that can't be read are
    left out with a `DataWarning` and named in `Splits.left_out`.
    Raises `DataError` for unknown names, missing or damaged data and other kinds of paths; `InputError` for wrong options.
    """
    if not isinstance(name_or_path, (str, os.PathLike)):
        what, expected = tr("A data set is a name or a path."), " | ".join([*NAMED_DATASETS, tr("a path")])
        raise InputError(what, where="load_dataset(name_or_path)", expected=expected, received=repr(name_or_path))
    options = as_options(
        size=size, color=color, fit=fit, pattern=pattern, split=split, fractions=fractions, fold=fold, folds=folds, seed=seed
    )
    if isinstance(name_or_path, str) and name_or_path in NAMED_DATASETS:
        _check_pattern(options, name_or_path, takes_pattern=False)
        return NAMED_DATASETS[name_or_path].read(download, options)
    if is_url(name_or_path):
        _check_pattern(options, name_or_path, takes_pattern=False)
        return read_shards(fetch_shards(str(name_or_path)), options)
    path, given = as_path(name_or_path), os.fspath(name_or_path)
    if not given or not exists(path):
        near = nearest(given, NAMED_DATASETS)
        raise DataError(
            tr("There is no data set of this name, and no such file or folder."),
            where="load_dataset(name_or_path)",
            expected=" | ".join([*NAMED_DATASETS, tr("a path that exists")]),
            received=repr(given),
            hint=tr('did you mean "{near}"?', near=near) if near else tr("`glassnet datasets` lists them"),
        )
    reader = find_reader(path, options)
    _check_pattern(options, path, takes_pattern=reader.takes_pattern)
    return reader.read(path, options)


def find_reader(path: Path, options: ReadOptions) -> PathReader:
    """The reader of an existing path. Raises `DataError` unless exactly one fits."""
    fitting = [reader for reader in PATH_READERS if reader.accepts(path)]
    if options.pattern is not None and len(fitting) > 1:
        fitting = [reader for reader in fitting if reader.takes_pattern]
    if len(fitting) > 1:
        raise DataError(
            tr("Two readers fit this path."),
            where=path,
            expected=tr("one kind of data"),
            received=tr(" and ").join(tr(reader.kind) for reader in fitting),
            hint=tr("move one of them into a folder of its own"),
        )
    if not fitting:
        raise DataError(
            tr("There is no data set in this path that can be read."),
            where=path,
            expected=tr(", or ").join(tr(reader.kind) for reader in PATH_READERS),
            received=tr("a folder without them") if path.is_dir() else tr("a file"),
            hint=tr("a path of that kind, or a name: {names}", names=", ".join(NAMED_DATASETS)),
        )
    return fitting[0]


def _check_pattern(options: ReadOptions, where: object, *, takes_pattern: bool) -> None:
    if options.pattern is not None and not takes_pattern:
        raise InputError(
            tr("A pattern applies only to the names of image files."),
            where=where,
            expected=tr("no pattern"),
            received=repr(options.pattern.pattern),
            hint=tr("leave the pattern out, or pass the path of a folder or zip of images"),
        )
