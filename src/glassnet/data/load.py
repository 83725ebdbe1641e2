"""`load_dataset`: a data set by its name or by its path. The registry of names, and of what paths can be read."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from glassnet.data.chain import make_chain
from glassnet.data.dataset import Splits
from glassnet.data.digits import read_digits
from glassnet.data.mnist import find_mnist, holds_mnist, read_mnist
from glassnet.data.paths import as_path, exists
from glassnet.errors import DataError, InputError


@dataclass(frozen=True)
class DatasetInfo:
    """What there is to know of a data set before it is read; `shape` is that of one picture.

    `location` says where it is if `available`, else how to get it.
    """

    name: str
    description: str
    pictures: int
    shape: tuple[int, ...]
    source: str
    licence: str
    available: bool
    location: str


@dataclass(frozen=True)
class NamedDataset:
    """A data set that has a name: `locate` finds it on this machine (None: not there), `read` takes `download`."""

    description: str
    pictures: int
    shape: tuple[int, ...]
    source: str
    licence: str
    locate: Callable[[], str | None]
    read: Callable[[bool], Splits]
    how_to_get: str = ""


@dataclass(frozen=True)
class PathReader:
    """A kind of file or folder that can be read: the first reader that `accepts` an existing path has to `read` it."""

    kind: str
    accepts: Callable[[Path], bool]
    read: Callable[[Path], Splits]


def _locate_mnist() -> str | None:
    folder = find_mnist()
    return None if folder is None else str(folder)


NAMED_DATASETS: dict[str, NamedDataset] = {
    "digits": NamedDataset(
        description="scanned handwritten digits, small; always there",
        pictures=1797,
        shape=(8, 8, 1),
        source="E. Alpaydin, C. Kaynak, UCI Machine Learning Repository, by way of scikit-learn",
        licence="CC BY 4.0",
        locate=lambda: "bundled with scikit-learn",
        read=lambda download: read_digits(),
    ),
    "mnist": NamedDataset(
        description="handwritten digits, the classic",
        pictures=70_000,
        shape=(28, 28, 1),
        source="Y. LeCun, C. Cortes, C. Burges",
        licence="CC BY-SA 3.0",
        locate=_locate_mnist,
        read=lambda download: read_mnist(download=download),
        how_to_get="glassnet datasets --fetch mnist (11 MB), or set GLASSNET_DATA to a folder that has it",
    ),
    "chain": NamedDataset(
        description="two numbers, each to be turned into its opposite",
        pictures=2,
        shape=(1,),
        source="glassnet",
        licence="MIT",
        locate=lambda: "part of glassnet",
        read=lambda download: make_chain(),
    ),
}

PATH_READERS: list[PathReader] = [
    PathReader(
        kind="a folder with MNIST's four IDX files",
        accepts=lambda path: path.is_dir() and holds_mnist(path),
        read=read_mnist,
    ),
]


def load_dataset(name_or_path: str | os.PathLike[str], *, download: bool = False) -> Splits:
    """Read a data set, given by its name ("digits", "mnist", "chain") or by the path of what holds it, in its splits.

    A name goes before a path of the same spelling ("./mnist" is the path). Without `download` the network is never
    touched; with it, a named data set that is missing is fetched first.
    Raises `DataError` for a name that is unknown, for data that is missing or damaged, and for a path of another kind.
    """
    if not isinstance(name_or_path, (str, os.PathLike)):
        raise InputError(
            "A data set is given by a name or a path.",
            where="load_dataset(name_or_path)",
            expected=" | ".join([*NAMED_DATASETS, "a path"]),
            received=repr(name_or_path),
        )
    if isinstance(name_or_path, str) and name_or_path in NAMED_DATASETS:
        return NAMED_DATASETS[name_or_path].read(download)
    path = as_path(name_or_path)
    if not os.fspath(name_or_path) or not exists(path):
        raise _unknown(os.fspath(name_or_path))
    for reader in PATH_READERS:
        if reader.accepts(path):
            return reader.read(path)
    raise DataError(
        "There is no data set in this path that can be read.",
        where=path,
        expected=", or ".join(reader.kind for reader in PATH_READERS),
        received="a folder without them" if path.is_dir() else "a file",
        hint=f"a path of that kind, or a name: {', '.join(NAMED_DATASETS)}",
    )


def list_datasets() -> list[DatasetInfo]:
    """All data sets that have a name, and for each whether and where it is on this machine. Reads none of them."""
    infos = []
    for name, known in NAMED_DATASETS.items():
        found = known.locate()
        location = known.how_to_get if found is None else found
        fields = (known.description, known.pictures, known.shape, known.source, known.licence)
        infos.append(DatasetInfo(name, *fields, available=found is not None, location=location))
    return infos


def _unknown(given: str) -> DataError:
    import difflib

    near = difflib.get_close_matches(given.lower(), NAMED_DATASETS, n=1, cutoff=0.5)
    return DataError(
        "There is no data set of this name, and no such file or folder.",
        where="load_dataset(name_or_path)",
        expected=" | ".join([*NAMED_DATASETS, "a path that exists"]),
        received=repr(given),
        hint=f'did you mean "{near[0]}"?' if near else "`glassnet datasets` lists them",
    )
