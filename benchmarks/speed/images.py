"""The images of the workloads: real ones if available, otherwise synthetic ones with the same fraction of ink."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.workloads import Workload
from glassnet.errors import GlassnetError

Bytes = NDArray[np.uint8]
Labels = NDArray[np.int64]
Floats = NDArray[np.float32]
Labeller = Callable[[str], int]

MNIST_INK = 0.19
NUMERAL_INK = 0.08


@dataclass(frozen=True)
class Images:
    """Images (N, H, W, C) as bytes, labels (N,), and their origin."""

    images: Bytes
    labels: Labels
    origin: str

    def floats(self) -> Floats:
        """The images for the peers: float32 between 0 and 1, one row per image."""
        return np.divide(self.images.reshape(len(self.images), -1), np.float32(255), dtype=np.float32)

    def targets(self, outputs: int) -> Floats:
        """Targets: one-hot rows, or the label for a single output."""
        if outputs == 1:
            return self.labels.astype(np.float32)[:, None]
        return np.eye(outputs, dtype=np.float32)[self.labels]

    def save(self, folder: Path) -> None:
        np.save(folder / "images.npy", self.images)
        np.save(folder / "labels.npy", self.labels)

    @classmethod
    def load(cls, folder: Path) -> Images:
        return cls(np.load(folder / "images.npy"), np.load(folder / "labels.npy"), origin="")


def images_for(work: Workload) -> Images:
    """The images of one workload."""
    sources = {"mnist": _mnist, "numerals": _numerals, "cats": _cats}
    real = sources[work.source](work) if work.source in sources else None
    return real or synthetic(work)


def _mnist(work: Workload) -> Images | None:
    import glassnet as gn

    try:
        train = gn.load_dataset("mnist").train
    except (GlassnetError, OSError):
        return None
    if len(train.images) < work.images:
        return None
    images = np.asarray(train.images[: work.images], dtype=np.uint8).reshape(work.images, *work.shape)
    return Images(images, np.asarray(train.labels[: work.images], dtype=np.int64), "MNIST")


def _archive(name: str) -> Path | None:
    folder = os.environ.get("GLASSNET_DATA")
    path = Path(folder) / name if folder else None
    return path if path is not None and path.is_file() else None


def _numerals(work: Workload) -> Images | None:
    """Images named `input_<writer>_<sample>_<label>.jpg`, with labels from 1 to 15."""
    return _from_zip(work, "chinese-numerals.zip", "L", lambda name: int(Path(name).stem.split("_")[3]) - 1)


def _cats(work: Workload) -> Images | None:
    """Photographs in two folders, `cat` and `other`."""
    return _from_zip(work, "cats.zip", "RGB", lambda name: int(Path(name).parent.name == "cat"))


def _from_zip(work: Workload, archive: str, mode: str, label: Labeller) -> Images | None:
    from PIL import Image

    path = _archive(archive)
    if path is None:
        return None
    height, width, _ = work.shape
    with zipfile.ZipFile(path) as opened:
        names = sorted(name for name in opened.namelist() if name.endswith(".jpg"))
        if len(names) < work.images:
            return None
        selected = [names[i] for i in np.random.default_rng(0).permutation(len(names))[: work.images]]
        images = np.empty((work.images, *work.shape), dtype=np.uint8)
        for image, name in zip(images, selected, strict=True):
            with Image.open(io.BytesIO(opened.read(name))) as opened_image:
                sized = opened_image.convert(mode).resize((width, height))
            image[...] = np.asarray(sized, dtype=np.uint8).reshape(work.shape)
    return Images(images, np.array([label(name) for name in selected], dtype=np.int64), path.name)


def synthetic(work: Workload) -> Images:
    """Synthetic images with the fraction of ink of MNIST and the numerals, or dense ones for photographs."""
    rng = np.random.default_rng(0)
    count, outputs = work.images, work.outputs
    labels = rng.integers(0, max(outputs, 2), size=count, dtype=np.int64)
    images = rng.integers(1, 256, size=(count, *work.shape), dtype=np.uint8)
    if work.source == "mnist":
        images[rng.random(images.shape, dtype=np.float32) >= MNIST_INK] = 0
        return Images(images, labels, f"drawn at random, {MNIST_INK:.0%} of the pixels inked as in MNIST")
    if work.source == "numerals":
        for image in images:
            image[...] = _strokes(rng, work.shape)
        return Images(images, labels, f"drawn strokes, about {NUMERAL_INK:.0%} of the pixels inked")
    return Images(images, labels, "drawn at random, every pixel inked")


def _strokes(rng: np.random.Generator, shape: tuple[int, int, int]) -> Bytes:
    """Connected strokes, three pixels wide, until the fraction of ink is reached."""
    from PIL import Image, ImageDraw

    height, width, _ = shape
    image = Image.new("L", (width, height))
    pen = ImageDraw.Draw(image)
    start = (width / 2, height / 2)
    while np.count_nonzero(np.asarray(image)) < NUMERAL_INK * height * width:
        end = (float(rng.uniform(0.15, 0.85)) * width, float(rng.uniform(0.15, 0.85)) * height)
        pen.line([start, end], fill=int(rng.integers(160, 256)), width=3)
        start = end
    return np.asarray(image, dtype=np.uint8).reshape(shape)
