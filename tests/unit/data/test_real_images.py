"""The Chinese numerals and the cats, where they are present."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.published_real import cifar_as_published, mnist_as_emnist, numerals_as_gnt
from glassnet.data import find_mnist, list_datasets, load_dataset

HERE = Path(os.environ.get("GLASSNET_DATA", "nowhere"))


@pytest.mark.skipif(not (HERE / "chinese-numerals.zip").is_file(), reason="chinese-numerals.zip is not under GLASSNET_DATA")
def test_chinese_numerals() -> None:
    splits = load_dataset("chinese-numerals")
    assert splits.classes == tuple("零一二三四五六七八九十百千万亿")
    assert splits.validation is not None
    assert splits.test is not None
    parts = (splits.train, splits.validation, splits.test)
    assert [part.counts.tolist() for part in parts] == [[700] * 15, [100] * 15, [200] * 15]
    held = [set(np.unique(part.groups)) for part in parts]
    assert [len(some) for some in held] == [70, 10, 20]
    assert set().union(*held) == set(range(1, 101))
    assert splits.train.shape == (64, 64, 1)
    assert splits.left_out == ()
    assert np.median(splits.train.images) == 0  # white ink on black
    stratified = load_dataset("chinese-numerals", split="stratified", fractions=(0.7, 0, 0.3))
    assert stratified.validation is None
    assert stratified.train.counts.tolist() == [700] * 15
    assert next(info for info in list_datasets() if info.name == "chinese-numerals").location.endswith("chinese-numerals.zip")


@pytest.mark.skipif(not (HERE / "cats.zip").is_file(), reason="cats.zip is not under GLASSNET_DATA")
def test_cats() -> None:
    splits = load_dataset("cats")
    assert splits.classes == ("cat", "other")
    assert splits.validation is not None
    assert splits.test is not None
    assert (splits.train.counts + splits.validation.counts + splits.test.counts).tolist() == [852, 800]
    assert splits.train.shape == (64, 64, 3)
    tested: list[bytes] = []
    for fold in range(5):
        part = load_dataset("cats", size=16, fold=fold, fractions=(0.8, 0, 0.2)).test
        assert part is not None
        tested += [image.tobytes() for image in part.images]
    assert len(tested) == 1652


@pytest.mark.skipif(find_mnist() is None, reason="MNIST is not here (set GLASSNET_DATA)")
def test_mnist_as_emnist(tmp_path: Path) -> None:
    """Each of these raises unless the same arrays come back, and train the same network."""
    assert mnist_as_emnist(tmp_path, 1000) > 0.3


@pytest.mark.skipif(not (HERE / "chinese-numerals.zip").is_file(), reason="chinese-numerals.zip is not under GLASSNET_DATA")
def test_numerals_as_gnt(tmp_path: Path) -> None:
    assert numerals_as_gnt(tmp_path, 10) > 0  # which raises unless they are the same


@pytest.mark.skipif(not (HERE / "cifar10-jpeg.zip").is_file(), reason="cifar10-jpeg.zip is not under GLASSNET_DATA")
def test_cifar_as_published(tmp_path: Path) -> None:
    binary, pickled = cifar_as_published(tmp_path, 20)
    assert binary == pickled
