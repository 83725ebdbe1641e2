"""CIFAR-10 and CIFAR-100 as published: the binary or the Python version, in a folder or in the `.tar.gz`."""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from glassnet.data.dataset import Dataset, Splits
from glassnet.data.options import ImageOptions
from glassnet.data.readers.pickle_machine import Machine, PickledArray, outline
from glassnet.data.readers.published import check_names, labelled, lacking
from glassnet.data.readers.subprocess import reading
from glassnet.data.resize import bring
from glassnet.errors import DataError
from glassnet.support.i18n import tr
from glassnet.support.memory import require_memory_for_data

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32
SOURCE = "https://www.cs.toronto.edu/~kriz/cifar.html"
ARCHIVES = (".tar.gz", ".tgz", ".tar")
MOST_BYTES = 256 * 2**20  # of one file in an archive: CIFAR-100's has 153 MB
MOST_OPERATIONS = 1_000_000  # CIFAR-100's train has 250,000
Open = Callable[[str], IO[bytes]]
Arrays = tuple[npt.NDArray[Any], npt.NDArray[Any]]  # images (N, 3072), labels (N,)


@dataclass(frozen=True)
class Version:
    """`train`, `test`: the files of each part, `names`: that of the classes' names; `labels`: what the labels are called.

    In the binary version a record is `before` bytes, the label, and the pixels.
    """

    title: str
    train: tuple[str, ...]
    test: str
    names: str
    labels: str
    before: int = 0

    def __str__(self) -> str:
        return f"{self.train[0]}, {self.test}, …"

    @property
    def files(self) -> tuple[str, ...]:
        return (*self.train, self.test, self.names)

    @property
    def pickled(self) -> bool:
        return not self.test.endswith(".bin")


_BATCHES = [f"data_batch_{number}" for number in range(1, 6)]
VERSIONS = (
    Version("CIFAR-10", tuple(f"{batch}.bin" for batch in _BATCHES), "test_batch.bin", "batches.meta.txt", ""),
    Version("CIFAR-100", ("train.bin",), "test.bin", "fine_label_names.txt", "", before=1),
    Version("CIFAR-10", tuple(_BATCHES), "test_batch", "batches.meta", "labels"),
    Version("CIFAR-100", ("train",), "test", "meta", "fine_labels"),
)


def is_cifar(path: Path) -> bool:
    """Whether a path is a folder with any version's files, two or more, or an archive."""
    if path.is_dir():
        return bool(_versions(file.name for file in path.iterdir() if file.is_file()))
    return path.is_file() and path.name.lower().endswith(ARCHIVES)


def read_cifar(path: Path, options: ImageOptions) -> Splits:
    """CIFAR-10, or CIFAR-100 with its 100 fine labels: images (N, 32, 32, 3) in the files' order, with its own test part.

    Nothing of the Python version is unpickled. Raises `DataError` for files that are missing, damaged, or no CIFAR.
    Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """
    with _opened(path) as (names, opened):
        versions = _versions(names)
        if len(versions) != 1:
            raise DataError(
                tr("The folder holds several data sets of {what}.", what="CIFAR")
                if versions else tr("The archive does not hold CIFAR-10 or CIFAR-100."),
                where=path,
                expected=tr("one of {names}", names=" | ".join(map(str, VERSIONS))),
                received=", ".join(map(str, versions) if versions else sorted(names)[:8]) or tr("nothing"),
                hint=tr("get them from {source}", source=SOURCE),
            )  # fmt: skip
        (version,) = versions
        if missing := [file for file in version.files if file not in names]:
            raise lacking(path, version.title, version.files, missing, SOURCE)
        read = _read_pickle if version.pickled else _read_records
        classes = _names(version, opened, path)
        parts = {
            part: _joined([(read(version, opened(file), f"{path}/{file}"), f"{path}/{file}") for file in files], classes)
            for part, files in (("train", version.train), ("test", (version.test,)))
        }
    return bring(Splits(parts["train"], test=parts["test"]), options, path)


def _versions(names: Iterable[str]) -> list[Version]:
    """The versions of which there are two or more files."""
    given = set(names)
    return [version for version in VERSIONS if len(given & set(version.files)) > 1]


@contextlib.contextmanager
def _opened(path: Path) -> Any:
    """The names of the files in a folder or an archive, and how to open one; archives are read into memory."""
    if path.is_dir():
        yield {file.name for file in path.iterdir() if file.is_file()}, lambda name: (path / name).open("rb")
        return
    wanted = {name for version in VERSIONS for name in version.files}
    kept: dict[str, bytes] = {}
    others, total = [], 0
    with reading(path, "tar", tr("a whole archive, as it was downloaded")), tarfile.open(path, "r|*") as archive:
        for member in archive:
            name = member.name.rpartition("/")[2]
            if name not in wanted:
                others.append(name)
            content = archive.extractfile(member) if name in wanted and member.isreg() else None
            if content is None:
                continue
            total += member.size
            if member.size > MOST_BYTES:
                raise ValueError(tr("{size:,} bytes unpacked, of at most {most:,}", size=member.size, most=MOST_BYTES))
            require_memory_for_data(2 * total, tr("what was unpacked so far"), path)
            kept[name] = content.read()
    yield kept.keys() | set(others), lambda name: io.BytesIO(kept[name])


def _read_records(version: Version, content: IO[bytes], where: str) -> Arrays:
    """A label and 3,072 pixels for each image, channel by channel."""
    with reading(Path(where), ".bin"), content:
        data = content.read()
    size = version.before + 1 + PIXELS
    count, rest = divmod(len(data), size)
    if rest or not count:
        raise DataError(
            tr("The file is cut off, or no binary file of {what}.", what=version.title),
            where=tr("{path}, byte {position}", path=where, position=count * size),
            expected=tr("records of {count:,} bytes", count=size),
            received=tr("{count:,} records and {rest:,} bytes", count=count, rest=rest),
            hint=tr("get the file again"),
        )
    records = np.frombuffer(data, np.uint8).reshape(count, size)
    return records[:, version.before + 1 :], records[:, version.before]


def _read_pickle(version: Version, content: IO[bytes], where: str) -> Arrays:
    """A dictionary of `data` (N, 3072), `labels` or `fine_labels`, and others that are not looked at."""
    found = _dictionary(content, where)
    data, labels = found.get("data"), found.get(version.labels)
    images = data.array if isinstance(data, PickledArray) else None
    marks = labels if isinstance(labels, list) and all(type(label) is int for label in labels) else []
    if not marks or images is None or images.dtype != np.uint8 or images.shape != (len(marks), PIXELS):
        raise DataError(
            tr("The pickle does not hold a part of {what}.", what=version.title),
            where=where,
            expected=tr("a dictionary with data, uint8 (N, 3072), and {labels}, a list of N numbers", labels=version.labels),
            received=", ".join(f"{key}: {_described(value)}" for key, value in list(found.items())[:6]) or tr("nothing"),
            hint=tr("get the file again"),
        )
    return images, np.array([min(max(mark, -1), 1 << 30) for mark in marks], np.int64)


def _dictionary(content: IO[bytes], where: str) -> Mapping[str, Any]:
    """What a pickle holds. Raises `DataError` unless it is a dictionary of arrays, lists, numbers and texts."""
    with reading(Path(where), "pickle", tr("a whole file, as pickle.dump writes it")), content:
        value = Machine(content, where, dicts=True, most=MOST_OPERATIONS).run()
        if content.read(1):
            raise ValueError("bytes after the end of the pickle")
        if not isinstance(value, dict):
            raise ValueError(f"{outline(value)}, and no dictionary")
    return value


def _described(value: object) -> str:
    array = value.array if isinstance(value, PickledArray) else None
    return outline(value, 1) if array is None else f"{array.dtype} {array.shape}"


def _names(version: Version, opened: Open, path: Path) -> dict[int, str]:
    where = f"{path}/{version.names}"
    if version.pickled:
        listed = _dictionary(opened(version.names), where).get(version.labels.replace("labels", "label") + "_names")
        texts = listed if isinstance(listed, list) else []
    else:
        with opened(version.names) as file:
            texts = file.read(1 << 20).splitlines()
    names = [text.decode("latin-1") if isinstance(text, bytes) else str(text) for text in texts]
    kept = [(index, name.strip()) for index, name in enumerate(names) if name.strip()]
    return check_names(kept, where, tr("the names of the classes, each once"))


def _joined(parts: list[tuple[Arrays, str]], classes: Mapping[int, str]) -> Dataset:
    """One data set of the parts' images, converted to (N, 32, 32, 3) one part at a time."""
    count = sum(len(labels) for (_, labels), _ in parts)
    require_memory_for_data(count * PIXELS, tr("{count:,} images", count=count), parts[0][1])
    images, labels, start = np.empty((count, *SHAPE[1:], 3), np.uint8), np.empty(count, np.int64), 0
    for (rows, marks), where in parts:
        checked = labelled(rows.reshape(-1, *SHAPE).transpose(0, 2, 3, 1), marks, classes, where, where)
        images[start : start + len(checked)], labels[start : start + len(checked)] = checked.images, checked.labels
        start += len(checked)
    return Dataset(images, labels, tuple(classes[key] for key in sorted(classes)))
