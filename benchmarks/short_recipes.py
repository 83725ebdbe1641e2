"""Shortened versions of the shipped recipes that are meant to work: fewer epochs, and fewer images.

Schedules adapt to the number of epochs. Layers, loss, optimizer and augmentation are those of the recipe.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import glassnet as gn
from glassnet.data import Dataset, Splits
from glassnet.experiment.run import read_splits
from glassnet.experiment.sections import DataSection


@dataclass(frozen=True)
class Short:
    """Number of `epochs` and training `images` (None: all; with a third as many held-out ones), and other `settings`."""

    epochs: int
    images: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)


PLAIN = {"training.plain_epochs": 1}  # about the same fraction of the epochs as in the full recipe

HEALTHY = {
    "digits": Short(20),
    "nielsen-30": Short(4),
    "nielsen-100": Short(6),
    "mnist-mlp": Short(2),
    "mnist-mlp-augmented": Short(4, 12_000, PLAIN),
    "mnist-99": Short(2),
    "mnist-cnn": Short(3, 6_000, PLAIN),
    "mnist-rnn": Short(5, 20_000, PLAIN),
    "chinese-bp": Short(20),
    "chinese-mlp": Short(12, 6_000, PLAIN),
    "chinese-cnn": Short(6, 3_000, PLAIN),
    "cats-cnn": Short(12, None, {**PLAIN, "data.size": 32}),
    "cats-deep": Short(500, None, {"data.size": 64}),
    "chain": Short(160),
}


def some_of(splits: Splits, images: int, others: int, seed: int = 0) -> Splits:
    """A random subset with `images` training images and `others` images of each other split."""
    rng = np.random.default_rng(seed)

    def draw(part: Dataset | None, count: int) -> Dataset | None:
        return None if part is None else part[np.sort(rng.permutation(len(part))[:count])]

    train = draw(splits.train, images)
    assert train is not None
    return Splits(train, draw(splits.validation, others), draw(splits.test, others))


def train_short(name: str, seed: int, folder: Path) -> gn.Run:
    """Train the shortened recipe into a run folder."""
    short = HEALTHY[name]
    recipe = gn.load_recipe(name).changed({"training.epochs": short.epochs, **short.settings})
    if short.images is not None:
        path = folder / f"{name}.npz"
        if not path.exists():
            save(some_of(read_splits(recipe), short.images, short.images // 3), path)
        recipe = recipe.model_copy(update={"data": DataSection(path=str(path))})
    return gn.train(recipe, seed=seed, out=folder / f"{name}-{seed}", progress=False)


def save(splits: Splits, path: Path) -> None:
    """Save the splits as a `.npz` for `load_dataset`."""
    parts = {"train": splits.train, "val": splits.validation, "test": splits.test}
    arrays: dict[str, Any] = {"classes": np.array(splits.classes)}
    for name, part in parts.items():
        if part is not None:
            arrays |= {f"x_{name}": part.images, f"y_{name}": part.labels}
    np.savez(path, **arrays)
