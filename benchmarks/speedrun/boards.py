"""What is on the board: a recipe with a fixed number of epochs, and the test accuracy that it is to reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import glassnet as gn


@dataclass(frozen=True)
class Board:
    """`changes`: keys of the recipe set otherwise."""

    recipe: str
    target: float  # percent
    what: str
    changes: dict[str, Any]

    def load(self) -> gn.Recipe:
        recipe = gn.load_recipe(self.recipe)
        return recipe.changed(self.changes) if self.changes else recipe


BOARDS = {
    "mnist-99": Board("mnist-speedrun", 99.0, "MNIST to 99.0 %", {}),
    "mnist-99.7": Board("mnist-cnn", 99.7, "MNIST to 99.7 %", {"epochs": 12}),
    "numerals-99.5": Board("chinese-cnn", 99.5, "Chinese numerals of unseen writers to 99.5 %", {"epochs": 12}),
    "cifar-94": Board("cifar10-speedrun", 94.0, "CIFAR-10 to 94 %", {}),
}


@dataclass(frozen=True)
class Images:
    """What trains, and what the result is measured on."""

    train: gn.Dataset
    test: gn.Dataset
    splits: gn.Splits

    @classmethod
    def of(cls, recipe: gn.Recipe, *, validate: bool, limit: int | None) -> Images:
        """The test images, or with `validate` the validation images; at most `limit` for training."""
        splits = recipe.data.read()
        train, held_out = splits.train, splits.validation
        if validate and held_out is None:
            raise SystemExit("the recipe keeps no validation images: --set data.fractions")
        if not validate and held_out is not None and len(held_out):
            train = gn.Dataset(
                np.concatenate([train.images, held_out.images]),
                np.concatenate([train.labels, held_out.labels]),
                train.classes,
            )
        if limit is not None and limit < len(train):
            train = train[np.random.default_rng(0).permutation(len(train))[:limit]]
        test = held_out if validate else splits.test
        assert test is not None
        return cls(train, test, splits)
