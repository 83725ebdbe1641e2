"""MNIST: found, read, checked, split; small files stand in for the real ones, which are read where they are present."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet.data import find_mnist, list_datasets, load_dataset, read_idx, read_mnist
from glassnet.data.readers.mnist import PARTS
from glassnet.errors import DataError

REAL = Path(os.environ.get("GLASSNET_DATA") or "no such folder", "mnist")
UNPACKED_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
Arrays = dict[str, np.ndarray[Any, Any]]


def packed(array: np.ndarray[Any, Any]) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def four(train: int = 12, test: int = 4) -> Arrays:
    """Four small arrays, by the name of the file that each belongs in."""
    rng = np.random.default_rng(0)
    arrays: Arrays = {}
    for images, labels, count in ((PARTS[0], PARTS[1], train), (PARTS[2], PARTS[3], test)):
        arrays[images] = rng.integers(0, 256, (count, 5, 4))
        arrays[labels] = rng.integers(0, 10, count)
    return arrays


def write(folder: Path, arrays: Arrays, *, zipped: bool = False, dotted: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        spelled = name.replace("-idx", ".idx") if dotted else name
        content = packed(array)
        (folder / (spelled + ".gz" if zipped else spelled)).write_bytes(gzip.compress(content) if zipped else content)
    return folder


@pytest.fixture(autouse=True)
def _nothing_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLASSNET_DATA", raising=False)
    monkeypatch.setenv("GLASSNET_CACHE", str(tmp_path / "cache"))


def refused(folder: Path | None, *parts: str) -> None:
    with pytest.raises(DataError) as caught:
        read_mnist(folder)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
def test_read_in_file_order(tmp_path: Path, zipped: bool, dotted: bool) -> None:
    arrays = four()
    splits = load_dataset(write(tmp_path / "some", arrays, zipped=zipped, dotted=dotted))
    assert splits.validation is not None
    assert splits.test is not None
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [10, 2, 4]
    assert splits.train.shape == (5, 4, 1)
    assert splits.train.images.dtype == np.uint8
    assert splits.classes == tuple("0123456789")
    np.testing.assert_array_equal(splits.train.images[..., 0], arrays[PARTS[0]][:10])
    np.testing.assert_array_equal(splits.validation.images[..., 0], arrays[PARTS[0]][10:])
    np.testing.assert_array_equal(splits.validation.labels, arrays[PARTS[1]][10:])
    np.testing.assert_array_equal(splits.test.images[..., 0], arrays[PARTS[2]])
    np.testing.assert_array_equal(splits.test.labels, arrays[PARTS[3]])


def test_few_images(tmp_path: Path) -> None:
    splits = read_mnist(write(tmp_path, four(2, 1)))
    assert splits.validation is not None
    assert len(splits.train) == len(splits.validation) == 1
    refused(write(tmp_path, four(1, 1)), "too few images for a validation part", "at least 2 images", "received: 1")


def test_where_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_mnist() is None
    cache = write(tmp_path / "cache" / "data" / "mnist", four(12))
    assert find_mnist() == cache
    data = tmp_path / "given"
    monkeypatch.setenv("GLASSNET_DATA", str(data))
    assert find_mnist() == cache  # nothing is there yet
    write(data, four(18))
    assert find_mnist() == data
    assert len(load_dataset("mnist").train) == 15
    write(data / "mnist", dict(list(four(24).items())[:3]))  # one is missing, so this is not it
    assert find_mnist() == data
    write(data / "mnist", four(24))
    assert find_mnist() == data / "mnist"
    info = next(info for info in list_datasets() if info.name == "mnist")
    assert (info.available, info.location) == (True, str(data / "mnist"))


def test_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSNET_DATA", str(tmp_path / "given"))
    write(tmp_path / "given", {PARTS[0]: four()[PARTS[0]], PARTS[2]: four()[PARTS[2]]})
    with pytest.raises(DataError) as caught:
        load_dataset("mnist")
    message = str(caught.value)
    assert message.startswith("MNIST is not on this machine.")
    assert f"{tmp_path / 'given'} lacks train-labels-idx1-ubyte, t10k-labels-idx1-ubyte" in message
    assert f"{tmp_path / 'cache' / 'data' / 'mnist'} lacks {PARTS[0]}, {PARTS[1]}, {PARTS[2]}, {PARTS[3]}" in message
    assert "`glassnet datasets --fetch mnist` downloads it" in message
    assert "GLASSNET_DATA" in message
    info = next(info for info in list_datasets() if info.name == "mnist")
    assert not info.available
    assert "--fetch mnist" in info.location
    refused(tmp_path / "given", "The folder does not hold MNIST's four files.", "lacks train-labels-idx1-ubyte")
    with pytest.raises(DataError, match="does not hold MNIST's four files"):
        load_dataset(tmp_path / "given")


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    good = four()
    images, labels, test_images, _ = PARTS
    wrong_label = good[labels].copy()
    wrong_label[3] = 10

    def refused_with(changed: Arrays, *parts: str) -> None:
        refused(write(tmp_path, good | changed), *parts)

    where = str(tmp_path / labels)
    refused_with({labels: good[labels][:9]}, "not as many labels as images", where, "received: 9 labels",
                 "12 labels, as there are images in train-images-idx3-ubyte")  # fmt: skip
    refused_with({labels: wrong_label}, "A label is not a digit.", f"{where}, item 3", "0 to 9", "received: 10")
    refused_with({labels: good[images]}, "The file does not hold labels.", where, "uint8, 1 dimensions",
                 "shape (12, 5, 4), dtype uint8")  # fmt: skip
    refused_with({images: good[labels]}, "The file does not hold images.", "uint8, 3 dimensions")
    refused_with({test_images: good[test_images][:, 1:]}, "differ in their shape", "expected: (5, 4, 1)",
                 "received: (4, 4, 1)")  # fmt: skip


needs_mnist = pytest.mark.skipif(not REAL.is_dir(), reason="GLASSNET_DATA is not set to a folder that holds mnist/")


def test_folders_that_may_not_be_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.stat

    def stat(path: Path, **options: Any) -> os.stat_result:
        if tmp_path in path.parents:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, **options)

    monkeypatch.setenv("GLASSNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GLASSNET_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(Path, "stat", stat)
    for name in ("mnist", "cats"):
        with pytest.raises(DataError, match="is not on this machine"):
            load_dataset(name)


@needs_mnist
@pytest.mark.parametrize("part", PARTS)
def test_the_real_files(part: str) -> None:
    path = next(path for path in (REAL / part, REAL / f"{part}.gz") if path.is_file())
    assert hashlib.md5(packed(read_idx(path))).hexdigest() == UNPACKED_MD5[part]


@needs_mnist
def test_the_real_mnist() -> None:
    splits = load_dataset(REAL)
    assert splits.validation is not None
    assert splits.test is not None
    parts = (splits.train, splits.validation, splits.test)
    assert [len(part) for part in parts] == [50_000, 10_000, 10_000]
    assert splits.train.shape == (28, 28, 1)
    assert splits.train.labels[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
    assert splits.test.labels[:8].tolist() == [7, 2, 1, 0, 4, 1, 4, 9]
    assert splits.test.counts.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
