"""One training by glassnet: seconds and accuracy."""

from __future__ import annotations

import time
from typing import Any

import glassnet as gn
from benchmarks.speedrun.boards import Images


def train(recipe: gn.Recipe, images: Images, threads: int | None, precision: str) -> tuple[float, float]:
    """Seconds of training, whitening and all, and the accuracy on the test images in percent."""
    network = recipe.make_network(images.splits)
    settings = recipe.training
    options: dict[str, Any] = {} if precision == "float32" else {"precision": precision}
    start = time.perf_counter()
    network.fit(
        images.train,
        settings.epochs,
        batch_size=settings.batch_size,
        optimizer=recipe.make_optimizer(),
        seed=settings.seed,
        augmentation=recipe.make_augmentation(),
        plain_epochs=settings.plain_epochs,
        average=settings.average,
        threads=threads,
        statistics=False,
        progress=False,
        **options,
    )
    seconds = time.perf_counter() - start
    return seconds, 100 * network.evaluate(images.test, **views(recipe)).accuracy


def views(recipe: gn.Recipe) -> dict[str, Any]:
    """The recipe's test-time augmentation, for `evaluate` and `predict_proba`."""
    count = recipe.evaluation.views
    changes = recipe.make_view_augmentation()
    return {} if count == 1 else {"augmentation": changes, "views": count, "seed": recipe.training.seed}


def warm_up(recipe: gn.Recipe, images: Images) -> None:
    """Compile the kernels that the training needs, if they are not."""
    few = Images(images.train[: recipe.training.batch_size], images.test[:10], images.splits)
    train(recipe.changed({"epochs": 1, "plain_epochs": 0}), few, 1, "float32")
