"""The speedrun board's recipe in PyTorch is the same training: weights after some steps, from the same start."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import glassnet as gn
from benchmarks.speedrun.boards import BOARDS, Images
from benchmarks.speedrun.ours import train

pytest.importorskip("torch")

LAYERS: list[Any] = [
    "Pixels",
    {"type": "Conv2D", "filters": 8, "kernel_size": 2, "initializer": "Whitening"},
    "GELU",
    {"type": "Conv2D", "filters": 12, "kernel_size": 3, "padding": "same", "use_bias": False, "initializer": "Dirac"},
    "MaxPool2D",
    {"type": "BatchNorm", "momentum": 0.6, "epsilon": 1e-6},
    "GELU",
    "Flatten",
    {"type": "Dense", "units": 10, "use_bias": False},
]
MUON = {
    "type": "Muon",
    "learning_rate": {"type": "Triangular", "learning_rate": 0.05, "peak": 0.25},
    "momentum": 0.6,
    "iterations": 3,
    "normalize": True,
    "sgd": ["dense1.weight"],
    "sgd_momentum": 0.85,
    "weight_decay": 0.5,
    "rates": {"conv2d1.weight": 0, "*.gamma": 0, "*.bias": 2.0, "*.beta": 2.0},
}
OPTIMIZERS: list[dict[str, Any]] = [
    MUON,
    {"type": "AdamW", "learning_rate": {"type": "OneCycle", "learning_rate": 0.01}, "epsilon": 1e-3},
    {"type": "SGD", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "rates": {"*.bias": 3.0}},
]


def recipe_with(optimizer: dict[str, Any], average: float | None) -> gn.Recipe:
    values = gn.load_recipe("digits").model_dump(exclude_none=True)
    values["network"] = {
        "layers": LAYERS,
        "loss": {"type": "SoftmaxCrossEntropy", "label_smoothing": 0.2},
        "dtype": "float64",
    }
    values["training"] = {"epochs": 6, "batch_size": 60, "optimizer": optimizer, "seed": 3}
    values["training"] |= {} if average is None else {"average": average}
    return gn.Recipe.model_validate(values)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda options: options["type"])
@pytest.mark.parametrize("average", [None, 0.5])
def test_the_same_weights(optimizer: dict[str, Any], average: float | None) -> None:
    """Six steps of all sixty images: nothing depends on their order. In float64, so that Muon does not enlarge roundings."""
    from benchmarks.speedrun.peer import trained

    recipe = recipe_with(optimizer, average)
    splits = recipe.data.read()
    images = Images(splits.train[:60], splits.test[:50], splits)  # type: ignore[index]  # digits have a test part
    module = trained(recipe, images, "float32")
    network, settings = recipe.make_network(splits), recipe.training
    options: dict[str, Any] = {"optimizer": recipe.make_optimizer(), "average": average, "progress": False}
    network.fit(images.train, settings.epochs, batch_size=60, seed=3, **options)
    found = dict(module.named_parameters())
    for slot in network.slots:
        layer, _, key = slot.name.partition(".")
        theirs = found[f"{layer}.{ {'gamma': 'weight', 'beta': 'bias'}.get(key, key) }"].detach().numpy()
        theirs = theirs.transpose(2, 3, 1, 0) if theirs.ndim == 4 else theirs.T
        np.testing.assert_allclose(slot.part(network.flat).reshape(slot.shape), theirs, rtol=0, atol=1e-6, err_msg=slot.name)


def test_the_board_counts_the_same_images() -> None:
    """A training of ours on a few images, and its accuracy over the views as PyTorch's module has it."""
    from benchmarks.speedrun.peer import evaluate

    recipe = recipe_with(MUON, None).changed({"views": 6, "view_augmentation": {"type": "MultiCrop"}})
    images = Images.of(recipe, validate=False, limit=300)
    assert len(images.train) == 300
    seconds, accuracy = train(recipe, images, 1, "float32")
    assert seconds > 0
    network = recipe.make_network(images.splits)
    network.adapt(images.train.images)
    before = network.evaluate(images.test, augmentation=gn.MultiCrop()).accuracy
    assert evaluate(recipe, gn.to_torch(network), images) == pytest.approx(100 * before)
    assert accuracy > 100 * before


def test_every_board_has_a_recipe_that_ships() -> None:
    names = {recipe.name for recipe in gn.list_recipes()}
    assert {board.recipe for board in BOARDS.values()} <= names
    assert all(board.load().training.epochs for board in BOARDS.values())
