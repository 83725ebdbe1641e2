"""`load_dataset` by name and by path, and the bundled digits."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glassnet.data import DatasetInfo, list_datasets, load_dataset, read_digits
from glassnet.errors import DataError, InputError


def test_digits() -> None:
    splits = load_dataset("digits")
    parts = (splits.train, splits.validation, splits.test)
    assert sum(len(part) for part in parts if part) == 1797
    assert splits.classes == tuple("0123456789")
    everything = np.zeros(10)
    for part, fraction in zip(parts, (0.7, 0.15, 0.15), strict=True):
        assert part is not None
        assert part.shape == (8, 8, 1)
        assert part.images.dtype == np.uint8
        assert (part.images.min(), part.images.max()) == (0, 255)
        assert abs(len(part) - 1797 * fraction) < 10
        everything += part.counts
    assert everything.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    again = read_digits()
    assert np.array_equal(again.train.images, splits.train.images)


def test_digits_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = read_digits()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    slow = read_digits()  # by way of sklearn.datasets.load_digits
    np.testing.assert_array_equal(quick.train.images, slow.train.images)
    np.testing.assert_array_equal(quick.train.labels, slow.train.labels)


def test_digits_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match=r"(?s)The digits come with scikit-learn.*where: +digits.*pip install scikit-learn"):
        read_digits()


def test_chain_has_a_name() -> None:
    assert load_dataset("chain").train.shape == (1,)


def test_unknown_names() -> None:
    for given, hint in (
        ("minst", 'did you mean "mnist"?'),
        ("Digits", 'did you mean "digits"?'),
        ("qqq", "lists them"),
    ):
        with pytest.raises(DataError) as caught:
            load_dataset(given)
        message = str(caught.value)
        assert message.startswith("There is no data set of this name, and no such file or folder.")
        assert "digits | mnist | chinese-numerals | cats | cifar10 | chain | a path that exists" in message
        assert f"received: {given!r}" in message
        assert hint in message
    for given in ("", "a\0b", "x" * 5000, "~nobody-of-this-name/data"):
        with pytest.raises(DataError, match="There is no data set of this name"):
            load_dataset(given)


def test_other_kinds_of_paths(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_text("1,2,3")
    for path, received in ((tmp_path, "a folder without them"), (file, "a file")):
        with pytest.raises(DataError) as caught:
            load_dataset(path)
        message = str(caught.value)
        assert message.startswith(f"There is no data set in this path that can be read.\n  where:    {path}")
        assert "a folder with MNIST's four IDX files" in message
        assert f"received: {received}" in message
        assert "one folder per class or labels in the file names" in message
        assert "digits, mnist, chinese-numerals, cats, cifar10, chain" in message


def test_neither_a_name_nor_a_path() -> None:
    with pytest.raises(InputError, match=r"A data set is a name or a path\.\n.*\n  expected: digits .*\n  received: 3"):
        load_dataset(3)  # type: ignore[arg-type]


def test_a_path_object_is_never_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="There is no data set of this name"):
        load_dataset(Path("digits"))


def test_list_datasets() -> None:
    infos = {info.name: info for info in list_datasets()}
    assert list(infos) == ["digits", "mnist", "chinese-numerals", "cats", "cifar10", "chain"]
    assert all(isinstance(info, DatasetInfo) and info.source and info.licence and info.location for info in infos.values())
    assert infos["digits"].available
    assert (infos["digits"].images, infos["digits"].shape) == (1797, (8, 8, 1))
    assert (infos["mnist"].images, infos["mnist"].shape) == (70_000, (28, 28, 1))


def test_cifar10_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The published files are taken before a copy as images; without either, the error says where to put them."""
    monkeypatch.setenv("GLASSNET_DATA", str(tmp_path))
    monkeypatch.setenv("GLASSNET_CACHE", str(tmp_path / "empty"))
    with pytest.raises(DataError, match="cifar10 is not on this machine") as caught:
        load_dataset("cifar10")
    assert "cifar-10-batches-bin" in str(caught.value)
    for part, count in (("train", 10), ("test", 2)):
        for kind in ("cat", "dog"):
            folder = tmp_path / "cifar10" / part / kind
            folder.mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (32, 32), (number, 0, 0)).save(folder / f"{number}.png")
    splits = load_dataset("cifar10")
    assert splits.validation is not None
    assert splits.test is not None
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (18, 2, 4)
    binary = tmp_path / "cifar-10-batches-bin"
    binary.mkdir()
    names = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]
    for number, name in enumerate(names):
        (binary / name).write_bytes(b"".join(bytes([label, *[number] * 3072]) for label in range(10)))
    (binary / "batches.meta.txt").write_text("\n".join("abcdefghij"))
    splits = load_dataset("cifar10")
    assert splits.validation is not None
    assert splits.test is not None
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (40, 10, 10)  # at least one image of each class
    assert (splits.test.images == 5).all()
