"""The registry of named data sets."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from glassnet.data.dataset import Splits
from glassnet.data.fetch import data_folders
from glassnet.data.options import Fractions, ReadOptions
from glassnet.data.readers.builtin import make_chain, read_digits
from glassnet.data.readers.cifar import is_cifar, read_cifar
from glassnet.data.readers.image_files import read_images
from glassnet.data.readers.mnist import find_mnist, read_mnist, read_mnist_parts
from glassnet.data.resize import bring
from glassnet.data.splits import divide
from glassnet.errors import DataError
from glassnet.support.i18n import mark, tr
from glassnet.support.paths import is_dir, is_file

NUMERALS, CATS, CIFAR = "chinese-numerals", "cats", "cifar10"
FRACTIONS: Fractions = (0.7, 0.1, 0.2)  # of the first two
# CIFAR-10 as published, else copies as image files, in the order in which they are looked for.
CIFAR_FILES = (
    "cifar-10-batches-bin", "cifar-10-batches-py", "cifar-10-binary.tar.gz", "cifar-10-python.tar.gz", "cifar10.zip",
    "cifar10", "cifar10-jpeg.zip",
)  # fmt: skip


@dataclass(frozen=True)
class DatasetInfo:
    """A data set that has a name. `location` says where it is if `available`, else how to get it.

    `shape` is that of one image.
    """

    name: str
    description: str
    images: int
    shape: tuple[int, ...]
    source: str
    licence: str
    available: bool = False
    location: str = ""


@dataclass(frozen=True)
class NamedDataset:
    """How to get one: `locate` finds it on this machine (None: not there), `read` takes `download` and the options."""

    unavailable: DatasetInfo
    locate: Callable[[], object]
    read: Callable[[bool, ReadOptions], Splits]

    def info(self) -> DatasetInfo:
        found = self.locate()
        return self.unavailable if found is None else replace(self.unavailable, available=True, location=str(found))


def read_idx_folder(folder: Path | None, options: ReadOptions, *, download: bool = False) -> Splits:
    """MNIST, or a folder like it, in the tutorials' parts, or divided as the options say."""
    if not options.given:
        found = read_mnist(folder, download=download)
    else:
        found = divide(read_mnist_parts(folder, download=download), options, (5 / 6, 1 / 6, 0.0))
    return bring(found, options, folder or "mnist")


def _find_images(name: str) -> Path | None:
    """`name`.zip or the folder `name`, in `$GLASSNET_DATA`, else in the folder of downloads; or None."""
    for folder in data_folders():
        if is_file(folder / f"{name}.zip"):
            return folder / f"{name}.zip"
        if is_dir(folder / name):
            return folder / name
    return None


def _how_to_get(name: str) -> str:
    return tr("set GLASSNET_DATA to a folder that has {name}.zip, or a folder {name}, in it", name=name)


def _read_images(name: str, options: ReadOptions) -> Splits:
    """The images of `name` on this machine, by default split 70 : 10 : 20. Raises `DataError` where they are not."""
    path = _find_images(name)
    if path is None:
        raise DataError(
            tr("The data set {name} is not on this machine.", name=name),
            where=f"GLASSNET_DATA={os.environ.get('GLASSNET_DATA', '')}",
            expected=tr("{name}.zip or a folder {name}", name=name),
            received=tr("neither"),
            hint=_how_to_get(name),
        )
    return read_images(path, options, FRACTIONS)


def _find_cifar() -> Path | None:
    """CIFAR-10 in `$GLASSNET_DATA`, else in the folder of downloads; or None."""
    places = (folder / name for name in CIFAR_FILES for folder in data_folders())
    return next((place for place in places if is_dir(place) or is_file(place)), None)


def _read_cifar(options: ReadOptions) -> Splits:
    """CIFAR-10 with its own test part, by default a tenth of the rest for validation; `DataError` where it is not here."""
    path, default = _find_cifar(), (0.9, 0.1, 0.0)
    if path is None:
        raise DataError(
            tr("The data set {name} is not on this machine.", name=CIFAR),
            where=f"GLASSNET_DATA={os.environ.get('GLASSNET_DATA', '')}",
            expected=" | ".join(CIFAR_FILES),
            received=tr("nothing"),
            hint=_how_to_get(CIFAR),
        )
    return divide(read_cifar(path, options), options, default) if is_cifar(path) else read_images(path, options, default)


def _read_chain(options: ReadOptions) -> Splits:
    chain = bring(make_chain(), options, "chain")
    return divide(chain, options) if options.given else chain


_ALL = (
    NamedDataset(
        DatasetInfo(
            "digits", mark("scanned handwritten digits, small; always there"), images=1797, shape=(8, 8, 1),
            source="E. Alpaydin, C. Kaynak, UCI Machine Learning Repository, by way of scikit-learn", licence="CC BY 4.0",
        ),
        locate=lambda: tr("bundled with scikit-learn"),
        read=lambda download, options: bring(read_digits(options), options, "digits"),
    ),
    NamedDataset(
        DatasetInfo(
            "mnist", mark("handwritten digits, the classic"), images=70_000, shape=(28, 28, 1),
            source="Y. LeCun, C. Cortes, C. Burges", licence="CC BY-SA 3.0",
            location="glassnet datasets --fetch mnist (11 MB), or set GLASSNET_DATA to a folder that has it",
        ),
        locate=find_mnist,
        read=lambda download, options: read_idx_folder(None, options, download=download),
    ),
    NamedDataset(  # source: K. Nazarpour and M. Chen, "Handwritten Chinese Numbers", Newcastle University, 2017
        DatasetInfo(
            NUMERALS, mark("handwritten Chinese numerals 零 to 亿, by 100 writers"), images=15_000, shape=(64, 64, 1),
            source="K. Nazarpour, M. Chen, Newcastle University", licence="CC BY 4.0", location=_how_to_get(NUMERALS),
        ),
        locate=lambda: _find_images(NUMERALS),
        read=lambda download, options: _read_images(NUMERALS, options),
    ),
    NamedDataset(  # source: P. Arbeláez et al., "Berkeley Segmentation Data Set 500", 2011, and Asirra
        DatasetInfo(
            CATS, mark("photographs with a cat, or with something else, resized to one size"), images=1652,
            shape=(64, 64, 3), source="Asirra cats and dogs; Berkeley Segmentation Data Set 500",
            licence=mark("for research"), location=_how_to_get(CATS),
        ),
        locate=lambda: _find_images(CATS),
        read=lambda download, options: _read_images(CATS, replace(options, size=options.size or (64, 64))),
    ),
    NamedDataset(  # source: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009
        DatasetInfo(
            CIFAR, mark("small photographs of ten classes: airplane to truck"), images=60_000, shape=(32, 32, 3),
            source="A. Krizhevsky, University of Toronto", licence=mark("none given; a report is to be cited"),
            location=_how_to_get(CIFAR),
        ),
        locate=_find_cifar,
        read=lambda download, options: _read_cifar(options),
    ),
    NamedDataset(
        DatasetInfo(
            "chain", mark("two numbers, each to be turned into its opposite"), images=2, shape=(1,),
            source="glassnet", licence="MIT",
        ),
        locate=lambda: tr("part of glassnet"),
        read=lambda download, options: _read_chain(options),
    ),
)  # fmt: skip
NAMED_DATASETS = {known.unavailable.name: known for known in _ALL}


def list_datasets() -> list[DatasetInfo]:
    """All data sets that have a name, and for each whether and where it is on this machine. Reads none of them."""
    return [known.info() for known in _ALL]
