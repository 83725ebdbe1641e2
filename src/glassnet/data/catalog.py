"""The registry of data sets that have a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from glassnet.data.dataset import Splits
from glassnet.data.options import ReadOptions
from glassnet.data.readers.builtin import make_chain, read_digits
from glassnet.data.readers.mnist import find_mnist, read_mnist, read_mnist_parts
from glassnet.data.readers.named_images import CATS, NUMERALS, find_images, how_to_get, read_cats, read_numerals
from glassnet.data.resize import bring
from glassnet.data.splits import divide
from glassnet.support.i18n import mark, tr


@dataclass(frozen=True)
class _Description:
    """What is known of a data set before it is read; `shape` is that of one image."""

    name: str
    description: str
    images: int
    shape: tuple[int, ...]
    source: str
    licence: str


@dataclass(frozen=True)
class DatasetInfo(_Description):
    """A data set that has a name. `location` says where it is if `available`, else how to get it."""

    available: bool
    location: str


@dataclass(frozen=True)
class NamedDataset(_Description):
    """How to get one: `locate` finds it on this machine (None: not there), `read` takes `download` and the options."""

    locate: Callable[[], str | None]
    read: Callable[[bool, ReadOptions], Splits]
    how_to_get: str = ""

    def info(self) -> DatasetInfo:
        found = self.locate()
        known = {field.name: getattr(self, field.name) for field in fields(_Description)}
        return DatasetInfo(**known, available=found is not None, location=self.how_to_get if found is None else found)


def _found(path: Path | None) -> str | None:
    return None if path is None else str(path)


def read_idx_folder(folder: Path | None, options: ReadOptions, *, download: bool = False) -> Splits:
    """MNIST, or a folder like it, in the tutorials' parts, or divided as the options say."""
    if not options.given:
        found = read_mnist(folder, download=download)
    else:
        found = divide(read_mnist_parts(folder, download=download), options, (5 / 6, 1 / 6, 0.0))
    return bring(found, options, folder or "mnist")


def _read_chain(options: ReadOptions) -> Splits:
    chain = bring(make_chain(), options, "chain")
    return divide(chain, options) if options.given else chain


_ALL = (
    NamedDataset(
        name="digits",
        description=mark("scanned handwritten digits, small; always there"),
        images=1797,
        shape=(8, 8, 1),
        source="E. Alpaydin, C. Kaynak, UCI Machine Learning Repository, by way of scikit-learn",
        licence="CC BY 4.0",
        locate=lambda: tr("bundled with scikit-learn"),
        read=lambda download, options: bring(read_digits(options), options, "digits"),
    ),
    NamedDataset(
        name="mnist",
        description=mark("handwritten digits, the classic"),
        images=70_000,
        shape=(28, 28, 1),
        source="Y. LeCun, C. Cortes, C. Burges",
        licence="CC BY-SA 3.0",
        locate=lambda: _found(find_mnist()),
        read=lambda download, options: read_idx_folder(None, options, download=download),
        how_to_get="glassnet datasets --fetch mnist (11 MB), or set GLASSNET_DATA to a folder that has it",
    ),
    NamedDataset(
        name="chinese-numerals",
        description=mark("handwritten Chinese numerals 零 to 亿, by 100 writers"),
        images=15_000,
        shape=(64, 64, 1),
        source="K. Nazarpour, M. Chen, Newcastle University",
        licence="CC BY 4.0",
        locate=lambda: _found(find_images(NUMERALS)),
        read=lambda download, options: read_numerals(options),
        how_to_get=how_to_get(NUMERALS),
    ),
    NamedDataset(
        name="cats",
        description=mark("photographs with a cat, or with something else; of many sizes, brought to one"),
        images=1652,
        shape=(64, 64, 3),
        source="Asirra cats and dogs; Berkeley Segmentation Data Set 500",
        licence=mark("for research"),
        locate=lambda: _found(find_images(CATS)),
        read=lambda download, options: read_cats(options),
        how_to_get=how_to_get(CATS),
    ),
    NamedDataset(
        name="chain",
        description=mark("two numbers, each to be turned into its opposite"),
        images=2,
        shape=(1,),
        source="glassnet",
        licence="MIT",
        locate=lambda: tr("part of glassnet"),
        read=lambda download, options: _read_chain(options),
    ),
)
NAMED_DATASETS = {known.name: known for known in _ALL}


def list_datasets() -> list[DatasetInfo]:
    """All data sets that have a name, and for each whether and where it is on this machine. Reads none of them."""
    return [known.info() for known in NAMED_DATASETS.values()]
