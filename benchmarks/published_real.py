"""Real images in the formats of published data sets: what is read must be the same arrays, and train the same network.

`python -m benchmarks.published_real [--gnt IMAGES]`: MNIST as EMNIST's digits, the Chinese numerals as `.gnt`, CIFAR-10's
JPEGs as its binary and its Python version, all from GLASSNET_DATA; then `.gnt` files of so many images in all, for times.
"""

from __future__ import annotations

import argparse
import io
import os
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

import glassnet as gn
from benchmarks.published import cifar_record, gnt_record, python_2_batch, write_cifar, write_emnist
from glassnet.data import find_mnist
from glassnet.data.readers.gnt import read_characters, scan_gnt
from glassnet.data.readers.mnist import read_mnist_parts

Array = np.ndarray[Any, Any]
DATA = Path(os.environ.get("GLASSNET_DATA", "nowhere"))
EXACT = 76  # pixels: 84 % of it are the 64 of the numerals, which are not resized then


def trained(images: Array, labels: Array, classes: tuple[str, ...]) -> tuple[Array, float]:
    """The weights and the training accuracy of a small network after two epochs."""
    network = gn.Network([int(np.prod(images.shape[1:])), 30, len(classes)], seed=1)
    network.fit(gn.Dataset(images, labels, classes), 2, optimizer=gn.SGD(3.0), seed=1, progress=False)
    return network.parameters, network.evaluate(gn.Dataset(images, labels, classes)).accuracy


def same(original: gn.Dataset, found: gn.Dataset, words: str) -> float:
    """Raise unless two parts have the same images and labels and train the same network; its accuracy."""
    if not (np.array_equal(original.images, found.images) and np.array_equal(original.labels, found.labels)):
        raise AssertionError(f"{words}: other images or labels")
    classes = original.classes or ()
    (mine, accuracy), (theirs, _) = (trained(part.images, part.labels, classes) for part in (original, found))
    if found.classes != classes or not np.array_equal(mine, theirs):
        raise AssertionError(f"{words}: another network")
    return accuracy


def mnist_as_emnist(folder: Path, count: int) -> float:
    """The first `count` training images, in both parts."""
    original = read_mnist_parts().train[:count]
    write_emnist(folder, "digits", original.images[..., 0], original.labels, "".join(f"{n} {48 + n}\n" for n in range(10)))
    splits = gn.load_dataset(folder, fractions=(1, 0, 0))
    return same(original, splits.train, "MNIST as EMNIST")


def numerals_as_gnt(folder: Path, writers: int = 100) -> float:
    """Those of some or all writers, a file each. Dark ink on paper, as CASIA has it."""
    splits = gn.load_dataset("chinese-numerals", fractions=(1, 0, 0))
    classes, groups = splits.classes or (), splits.train.groups
    assert groups is not None
    original = splits.train[groups <= writers]
    assert original.groups is not None
    for writer in range(1, writers + 1):
        chosen = original[original.groups == writer]
        pairs = zip(chosen.images[..., 0], chosen.labels, strict=True)
        records = [gnt_record(classes[label], 255 - image) for image, label in pairs]
        (folder / f"{writer:03}-f.gnt").write_bytes(b"".join(records))
    order = np.argsort(original.groups, kind="stable")
    by_code = sorted(classes, key=lambda character: character.encode("gb2312"))
    number = np.array([by_code.index(name) for name in classes])
    framed = np.zeros((len(original), EXACT, EXACT, 1), np.uint8)
    framed[:, 6:70, 6:70] = original.images[order]
    found = gn.load_dataset(folder, size=EXACT, fractions=(1, 0, 0)).train
    return same(gn.Dataset(framed, number[original.labels[order]], by_code), found, "numerals as .gnt")


def cifar_as_published(folder: Path, count: int) -> list[float]:
    """`count` images a batch, decoded from JPEG, as both versions, in archives."""
    with zipfile.ZipFile(DATA / "cifar10-jpeg.zip") as file:
        names = [name for name in file.namelist() if name.startswith("train/") and name.endswith(".jpg")]
        classes = sorted({name.split("/")[1] for name in names})
        chosen = [names[place] for place in np.random.default_rng(0).permutation(len(names))[: 6 * count]]
        images = np.stack([_decoded(file.read(name)) for name in chosen])
    labels = np.array([classes.index(name.split("/")[1]) for name in chosen])
    accuracies = []
    for pickled in (False, True):
        made = write_cifar(folder, 10, images[:1], labels[:1], pickled=pickled)
        for batch in range(6):
            part = slice(batch * count, (batch + 1) * count)
            name = "test_batch" if batch == 5 else f"data_batch_{batch + 1}"
            rows = images[part].transpose(0, 3, 1, 2).reshape(count, -1)
            if pickled:
                (made / name).write_bytes(python_2_batch(rows, labels[part].tolist(), "labels"))
            else:
                records = [
                    cifar_record(image, label) for image, label in zip(images[part], labels[part].tolist(), strict=True)
                ]
                (made / f"{name}.bin").write_bytes(b"".join(records))
        if not pickled:
            (made / "batches.meta.txt").write_text("\n".join(classes) + "\n\n")
        archive = folder / f"{made.name}.tar.gz"
        with tarfile.open(archive, "w:gz", compresslevel=1) as packed:
            packed.add(made, made.name)
        began = time.perf_counter()
        splits = gn.load_dataset(archive, fractions=(1, 0, 0))
        print(f"{archive.name}: {len(splits.train) + count:,} images in {time.perf_counter() - began:.1f} s")
        known = tuple(classes) if not pickled else splits.classes
        original = gn.Dataset(images[: 5 * count], labels[: 5 * count], known)
        accuracies.append(same(original, splits.train, f"CIFAR as {archive.name}"))
        assert splits.test is not None
        np.testing.assert_array_equal(splits.test.images, images[5 * count :])
    return accuracies


def _decoded(content: bytes) -> Array:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def time_gnt(folder: Path, count: int) -> None:
    """Times of scanning and reading: 3,755 characters a writer, of 50 to 90 pixels a side, as HWDB's are."""
    from glassnet.data.readers.drawn import SETS

    rng, characters = np.random.default_rng(0), SETS["hanzi"]
    for writer in range(-(-count // len(characters))):
        sizes = rng.integers(50, 90, (len(characters), 2))
        records = [
            gnt_record(character, rng.integers(0, 256, tuple(size), np.uint8))
            for character, size in zip(characters, sizes.tolist(), strict=True)
        ]
        (folder / f"{1001 + writer}-c.gnt").write_bytes(b"".join(records))
    began = time.perf_counter()
    index = scan_gnt(folder)
    scanned = time.perf_counter()
    images = read_characters(index, np.arange(len(index)))
    read = time.perf_counter()
    chosen = np.random.default_rng(1).permutation(len(index))[:10_000]
    np.testing.assert_array_equal(read_characters(index, chosen), images[chosen])
    ended = time.perf_counter()
    print(
        f".gnt, {len(index):,} characters of {len(index.classes):,} classes: scanned in {scanned - began:.1f} s, "
        f"all read in {read - scanned:.1f} s ({1e6 * (read - scanned) / len(index):.0f} µs each), "
        f"10,000 at random in {ended - read:.1f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gnt", type=int, default=37_550)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder, name) for name in ("emnist", "gnt", "cifar", "times")]
        for place in places:
            place.mkdir()
        if find_mnist() is not None:
            print(f"MNIST as EMNIST's digits: the same network, accuracy {mnist_as_emnist(places[0], 60_000):.4f}")
        if (DATA / "chinese-numerals.zip").is_file():
            print(f"numerals as .gnt: the same network, accuracy {numerals_as_gnt(places[1]):.4f}")
        if (DATA / "cifar10-jpeg.zip").is_file():
            print(f"CIFAR-10, binary and Python: the same networks, accuracies {cifar_as_published(places[2], 8000)}")
        time_gnt(places[3], given.gnt)


if __name__ == "__main__":
    main()
