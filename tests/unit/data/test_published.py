"""EMNIST, Kuzushiji-MNIST and CIFAR: files made byte by byte in their published formats are read, wrong ones refused."""

from __future__ import annotations

import gzip
import io
import pickle
import shutil
import struct
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

import glassnet as gn
from benchmarks.published import LETTERS, cifar_record, python_2_batch, write_cifar, write_emnist, write_kuzushiji
from glassnet.errors import DataError

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(1)
SMALL, COLOUR = RNG.integers(0, 256, (26, 28, 28), np.uint8), RNG.integers(0, 256, (20, 32, 32, 3), np.uint8)


def whole(path: Path, **options: Any) -> tuple[gn.Dataset, gn.Dataset]:
    """The training and the test part, as the files have them."""
    splits = gn.load_dataset(path, fractions=(1, 0, 0), **options)
    assert splits.test is not None
    return splits.train, splits.test


def refused(path: Path, words: str) -> None:
    with pytest.raises(DataError, match=f"(?s){words}"):
        gn.load_dataset(path)


# EMNIST


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_letters_are_upright_and_named(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """Labels begin at 1, and a class has a lower and an upper case; each image is stored transposed."""
    write_emnist(tmp_path, "letters", SMALL, np.arange(26) + 1, LETTERS, pack)
    for part in whole(tmp_path):
        np.testing.assert_array_equal(part.images[..., 0], SMALL)
        assert part.labels.tolist() == list(range(26))
        assert part.classes == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert gn.load_dataset(tmp_path, split="random", size=14).train.shape == (14, 14, 1)


def test_one_of_several_sets_is_chosen_by_a_file(tmp_path: Path) -> None:
    digits = "".join(f"{label} {48 + label}\n" for label in range(10))
    write_emnist(tmp_path, "digits", SMALL[:10], np.arange(10), digits)
    write_emnist(tmp_path, "letters", SMALL, np.arange(26) + 1, LETTERS, gzip.compress)
    words = "several data sets of EMNIST.*one, or the path of one of its files.*digits, letters.*try:.*emnist-digits-"
    refused(tmp_path, words)
    for file in tmp_path.glob("emnist-letters-*"):
        assert whole(file)[0].classes == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert whole(tmp_path / "emnist-digits-mapping.txt")[0].classes == tuple("0123456789")


@given(
    st.lists(st.integers(0, 9), min_size=2, max_size=12),
    st.integers(1, 6),
    st.integers(1, 6),
    st.randoms(use_true_random=False),
)
def test_emnist_round_trip(marks: list[int], height: int, width: int, random: Any) -> None:
    pixels = np.frombuffer(random.randbytes(len(marks) * height * width), np.uint8).reshape(-1, height, width)
    with tempfile.TemporaryDirectory() as folder:
        names = "".join(f"{label} {65 + label}\n" for label in range(10))
        write_emnist(Path(folder), "balanced", pixels, np.array(marks), names)
        train, test = whole(Path(folder))
    np.testing.assert_array_equal(train.images[..., 0], pixels)
    assert train.labels.tolist() == test.labels.tolist() == marks
    assert train.classes == tuple("ABCDEFGHIJ")


def test_wrong_emnist(tmp_path: Path) -> None:
    def damaged(name: str, content: bytes | None, words: str) -> None:
        folder = tmp_path / "emnist"
        folder.mkdir()
        write_emnist(folder, "letters", SMALL, np.arange(26) + 1, LETTERS)
        path = folder / f"emnist-letters-{name}"
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        refused(folder, words)
        shutil.rmtree(folder)

    images, labels, mapping = "test-images-idx3-ubyte", "train-labels-idx1-ubyte", "mapping.txt"
    damaged(images, None, rf"Files of EMNIST are missing.*received: all but emnist-letters-{images}.*nist\.gov")
    damaged(mapping, None, "Files of EMNIST are missing.*all but emnist-letters-mapping.txt")
    damaged(images, b"", rf"too short.*where: +\S*emnist-letters-{images}")
    damaged(
        labels, struct.pack(">BBBBI", 0, 0, 8, 1, 3) + b"\1\2\3", rf"not as many labels as.*{labels}.*26 labels.*3 labels"
    )
    damaged(
        labels,
        struct.pack(">BBBBI", 0, 0, 8, 1, 26) + bytes([1] * 25 + [0]),
        r"not that of a class.*item 25.*26 labels from 1 to 26.*: 0",
    )
    damaged(
        images,
        struct.pack(">BBBBI", 0, 0, 8, 1, 26) + bytes(26),
        "does not hold images.*uint8, 3 dimensions.*shape \\(26,\\)",
    )
    damaged(labels, struct.pack(">BBBBII", 0, 0, 8, 2, 26, 1) + bytes(26), "does not hold labels.*whole numbers.*\\(26, 1\\)")
    damaged(mapping, b"", "does not name the classes.*received: none")
    damaged(mapping, b"1 65\nA 66\n", "does not name the classes.*mapping.txt, line 2.*lines such as 10 65.*'A 66'")
    damaged(mapping, b"1 65\n1 66\n", "does not name the classes.*that come twice")
    damaged(mapping, b"1 65\n2 65\n", "does not name the classes.*that come twice")
    damaged(mapping, b"1 65\n\xff\xfe", "no text in UTF-8.*mapping.txt, byte 5")


def test_emnist_of_matlab(tmp_path: Path) -> None:
    """A struct as in emnist-letters.mat: rows column by column, labels from 1, writers, the mapping."""
    from scipy.io import savemat

    part = {"images": SMALL.transpose(0, 2, 1).reshape(26, -1), "labels": np.arange(1, 27)[:, None],
            "writers": np.arange(26)[:, None] // 2}  # fmt: skip
    mapping = np.array([line.split() for line in LETTERS.split("\n") if line], np.float64)
    savemat(tmp_path / "emnist-letters.mat", {"dataset": {"train": part, "test": part, "mapping": mapping}})
    for found in whole(tmp_path / "emnist-letters.mat"):
        np.testing.assert_array_equal(found.images[..., 0], SMALL)
        assert found.labels.tolist() == list(range(26))
        assert found.classes == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        assert found.groups is not None
        assert found.groups.tolist() == (np.arange(26) // 2).tolist()
    for wrong in (mapping[::-1], mapping * np.nan):  # then the labels are the names
        savemat(tmp_path / "other.mat", {"dataset": {"train": part, "test": part, "mapping": wrong}})
        assert whole(tmp_path / "other.mat")[0].classes == tuple(map(str, range(1, 27)))


# Kuzushiji


def test_kuzushiji(tmp_path: Path) -> None:
    write_kuzushiji(tmp_path, "k49", SMALL[:6], np.array([0, 1, 2, 2, 1, 0]))
    for path in (tmp_path, tmp_path / "k49-train-imgs.npz", tmp_path / "k49_classmap.csv"):
        for part in whole(path):
            np.testing.assert_array_equal(part.images[..., 0], SMALL[:6])
            assert part.labels.tolist() == [0, 1, 2, 2, 1, 0]
            assert part.classes == ("あ", "い", "ゝ")
    write_kuzushiji(tmp_path, "kmnist", SMALL[:3], np.array([2, 1, 0]))
    refused(tmp_path, "several data sets of Kuzushiji.*received: k49, kmnist.*k49")
    assert whole(tmp_path / "kmnist-test-labels.npz")[0].labels.tolist() == [2, 1, 0]


def test_wrong_kuzushiji(tmp_path: Path) -> None:
    def damaged(name: str, content: bytes | dict[str, Array] | None, words: str) -> None:
        folder = tmp_path / "k49"
        folder.mkdir()
        write_kuzushiji(folder, "k49", SMALL[:6], np.array([0, 1, 2, 2, 1, 0]))
        path = folder / name
        path.unlink()
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            np.savez(path, **content)
        refused(folder, words)
        shutil.rmtree(folder)

    images, labels, table = "k49-train-imgs.npz", "k49-test-labels.npz", "k49_classmap.csv"
    damaged(labels, None, f"Files of Kuzushiji are missing.*all but {labels}.*rois-codh")
    damaged(images, {"x": SMALL}, "no array of this name.*expected: arr_0.*received: x")
    damaged(images, b"PK\3\4 and no more", ".npz can't be read.*k49-train-imgs.npz")
    damaged(images, {"arr_0": np.array([{}, {}])}, "holds Python objects")
    damaged(images, {"arr_0": SMALL[:6] / 255.0}, "does not hold images.*uint8, 3 dimensions.*float64")
    damaged(
        labels, {"arr_0": np.array([0, 1, 2, 3, 1, 0])}, f"not that of a class.*{labels}, item 3.*3 labels from 0 to 2.*: 3"
    )
    damaged(labels, {"arr_0": np.arange(5) % 3}, "not as many labels as images.*6 labels.*5 labels")
    damaged(
        table, b"index,codepoint,char\nzero,U+3042,\xe3\x81\x82\n", "classmap.csv, line 2.*columns index, codepoint and char"
    )
    damaged(table, "0,あ\n1,い\n".encode(), "classmap.csv, line 2.*columns index, codepoint and char")
    damaged(table, b"", "does not name the classes.*received: none")


# CIFAR


@pytest.fixture(params=["binary", "python"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("classes", [10, 100])
def test_cifar(version: str, classes: int, tmp_path: Path) -> None:
    """Channel by channel in the files, with a coarse label before the fine one in CIFAR-100; apart, and in an archive."""
    labels = np.arange(20) * classes // 20
    folder = write_cifar(tmp_path, classes, COLOUR, labels, pickled=version == "python")
    archive = tmp_path / f"cifar-{classes}-{version}.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, folder.name)
        file.addfile(tarfile.TarInfo(f"{folder.name}/readme.html"), io.BytesIO())
    for path in (folder, archive):
        train, test = whole(path)
        batches = 5 if classes == 10 else 1
        np.testing.assert_array_equal(train.images, np.concatenate([COLOUR] * batches))
        np.testing.assert_array_equal(train.labels, np.tile(labels, batches))
        np.testing.assert_array_equal(test.images, COLOUR)
        assert test.classes == tuple(f"class {number}" for number in range(classes))
    splits = gn.load_dataset(folder, size=16, color="grey", split="random")
    assert splits.train.shape == (16, 16, 1)
    assert splits.validation is not None


@given(st.lists(st.integers(0, 9), min_size=1, max_size=4), st.sampled_from([0, 1, 2, 3, 4, 5]), st.booleans(), st.data())
def test_a_batch_of_any_protocol(labels: list[int], protocol: int, as_bytes: bool, data: st.DataObject) -> None:
    """What Python 3 dumps, with texts or bytes as keys, and what Python 2 dumped."""
    images = COLOUR[: len(labels)]
    rows = images.transpose(0, 3, 1, 2).reshape(len(labels), -1)
    batch: dict[Any, Any] = {"batch_label": "a", "labels": labels, "data": rows, "filenames": ["a.png"] * len(labels)}
    content = pickle.dumps({key.encode(): value for key, value in batch.items()} if as_bytes else batch, protocol)
    if data.draw(st.booleans()):
        content = python_2_batch(rows, labels, "labels")
    with tempfile.TemporaryDirectory() as folder:
        path = write_cifar(Path(folder), 10, COLOUR[:2], np.arange(2), pickled=True)
        (path / "test_batch").write_bytes(content)
        _, test = whole(path)
    np.testing.assert_array_equal(test.images, images)
    assert test.labels.tolist() == labels


def test_wrong_binary_cifar(tmp_path: Path) -> None:
    folder = write_cifar(tmp_path, 10, COLOUR[:4], np.arange(4))

    def damaged(name: str, content: bytes | None, words: str) -> None:
        kept = (folder / name).read_bytes()
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(content)
        refused(folder, words)
        (folder / name).write_bytes(kept)

    record = cifar_record(COLOUR[0], 3)
    damaged("data_batch_3.bin", None, "Files of CIFAR-10 are missing.*all but data_batch_3.bin.*toronto")
    damaged("batches.meta.txt", None, "Files of CIFAR-10 are missing.*all but batches.meta.txt")
    damaged(
        "data_batch_2.bin", b"", "cut off, or no binary.*data_batch_2.bin, byte 0.*records of 3,073 bytes.*0 records and 0"
    )
    damaged("data_batch_2.bin", record + record[:-1], "cut off.*batch_2.bin, byte 3073.*received: 1 records and 3,072 bytes")
    damaged(
        "test_batch.bin",
        record + b"\x0a" + record[1:],
        "not that of a class.*test_batch.bin, item 1.*10 labels.*received: 10",
    )
    damaged("batches.meta.txt", b"\n\n", "does not name the classes.*the names of the classes, each once.*none")
    damaged("batches.meta.txt", b"cat\ncat\n", "does not name the classes.*come twice")


def test_wrong_pickled_cifar(tmp_path: Path) -> None:
    folder = write_cifar(tmp_path, 10, COLOUR[:4], np.arange(4), pickled=True)
    rows = COLOUR[:4].reshape(4, -1)

    def damaged(value: object, words: str) -> None:
        (folder / "test_batch").write_bytes(value if isinstance(value, bytes) else pickle.dumps(value, 2))
        refused(folder, words)

    no_part = "does not hold a part of CIFAR-10.*test_batch.*a dictionary with data, uint8.*and labels.*received:"
    damaged({"data": rows}, f"{no_part} data: uint8 \\(4, 3072\\)")
    damaged({"data": rows, "labels": [0, 1, 2]}, f"{no_part} data: uint8 \\(4, 3072\\), labels: ")
    damaged({"data": rows / 2, "labels": [0, 1, 2, 3]}, f"{no_part} data: float64")
    damaged({"data": rows, "labels": [0, 1, 2, "3"]}, no_part)
    damaged({"data": "rows", "labels": []}, no_part)
    damaged({}, f"{no_part} nothing")
    damaged({"data": rows, "labels": [0, 1, 2, 10**30]}, "not that of a class.*test_batch, item 3.*10 labels from 0 to 9")
    damaged((rows, [1, 2]), "pickle can't be read.*no dictionary")
    damaged({1: 2}, "holds more than arrays.*SETITEMS")
    damaged({"data": {1, 2}}, "holds more than arrays.*GLOBAL __builtin__ set")
    damaged(b"\x80\x02cos\nsystem\n(U\x04trueU\x01atR.", "holds more than arrays.*GLOBAL os system")
    damaged(b"\x80\x02}(U\x01aK\x01U\x01bu.", "holds more than arrays.*SETITEMS")
    damaged(b"\x80\x02](U\x01aK\x01u.", "holds more than arrays.*SETITEMS")
    damaged(python_2_batch(rows, [0, 1, 2, 3], "labels")[:-5000], "pickle can't be read.*test_batch")
    damaged(python_2_batch(rows, [0, 1, 2, 3], "labels") + b"x", "bytes after the end")


def test_other_archives(tmp_path: Path) -> None:
    path = tmp_path / "data.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        file.addfile(tarfile.TarInfo("photos/cat.png"), io.BytesIO())
    refused(path, r"does not hold CIFAR-10 or CIFAR-100.*data_batch_1\.bin, test_batch\.bin.*received: cat\.png")
    path.write_bytes(b"no archive")
    refused(path, "tar can't be read")
    folder = write_cifar(tmp_path, 10, COLOUR[:4], np.arange(4))
    with tarfile.open(path, "w:gz") as file:
        file.add(folder, folder.name)
    whole_archive = path.read_bytes()
    path.write_bytes(whole_archive[: len(whole_archive) // 2])
    refused(path, "can't be read.*data.tar.gz")
    shutil.copytree(write_cifar(tmp_path, 100, COLOUR[:4], np.arange(4)), folder, dirs_exist_ok=True)
    refused(folder, r"several data sets of CIFAR.*data_batch_1\.bin, test_batch\.bin, …, train\.bin, test\.bin")


def test_an_archive_of_huge_files_is_refused(tmp_path: Path) -> None:
    """Links, and sizes that are only claimed, are not followed."""
    path = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        for name in ("data_batch_1.bin", "test_batch.bin"):
            link = tarfile.TarInfo(f"cifar/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            file.addfile(link)
    refused(path, "does not hold CIFAR-10 or CIFAR-100.*received: nothing")
    huge = tarfile.TarInfo("cifar/data_batch_1.bin")
    huge.size = 1 << 40
    path.write_bytes(gzip.compress(huge.tobuf()))
    refused(path, "1,099,511,627,776 bytes unpacked, of at most 268,435,456")
