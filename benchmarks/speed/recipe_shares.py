"""What the diagnosis' statistics cost, recipe by recipe: looks at the layers' outputs, and norms of gradients and updates."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import glassnet as gn
from glassnet.data import Dataset
from glassnet.errors import GlassnetError
from glassnet.experiment.fit_options import fit_options
from glassnet.experiment.run import read_splits
from glassnet.training import Callback, Epoch, Progress
from glassnet.training.statistics import Watch, norms

LEFT_OUT = ("chain", "hanzi", "nielsen-rate-100", "nielsen-rate-0.001")
"""Three weights; images drawn from fonts; and what another recipe does with another learning rate."""
MOST = 3000
"""Images of an epoch that is timed, at most; the whole epoch takes as many times as long as it has more images."""
TRIES = 5


@dataclass(frozen=True)
class Shares:
    """Seconds: of one epoch without statistics, of setting them up, of a look, and of the norms after an epoch."""

    epochs: int
    epoch: float
    begin: float
    look: float
    norms: float
    looks: int
    """Before the first step, and after epochs."""

    @property
    def percent(self) -> float:
        """The statistics' share of a whole training, validation not counted."""
        spent = self.begin + self.looks * self.look + (self.epochs + 1) * self.norms
        return 100 * spent / (spent + self.epochs * self.epoch)


class _Ends(Callback):
    """When epochs end."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        self.times.append(time.perf_counter())


def names() -> list[str]:
    """The shipped recipes that are measured, `digits` first: its data is always there."""
    found = [recipe.name for recipe in gn.list_recipes() if recipe.name not in LEFT_OUT]
    return sorted(found, key=lambda name: name != "digits")


def measure(name: str, threads: int) -> Shares:
    """Train a few epochs on part of the images, and take the same network's statistics by themselves."""
    recipe = gn.load_recipe(name)
    splits = read_splits(recipe)
    network = recipe.make_network(splits)
    options = fit_options(recipe, splits, network)
    train, epochs = options.pop("train"), options.pop("epochs")
    assert isinstance(train, Dataset)
    batch = options["batch_size"]
    some = train[: max(batch, min(len(train), MOST))]
    fit = options | {"validation": None, "keep": "last", "plain_epochs": 0}
    network.fit(some, epochs=TRIES + 1, **fit, threads=threads, statistics=False, progress=False, callbacks=(ends := _Ends()))
    begin, watch = _seconds(lambda: Watch(network, train, threads=threads), 1)
    look, _ = _seconds(watch.look)
    gradient, before = np.ones_like(network.flat), network.state.copy()
    of_norms, _ = _seconds(lambda: norms(network, gradient, before))
    watch.close()
    longer = len(train) / len(some)
    epoch = (min(after - at for at, after in itertools.pairwise(ends.times)) - of_norms) * longer
    looks = 1 + sum(watch.due(number, epochs) for number in range(1, epochs + 1))
    return Shares(epochs, epoch, begin, look, of_norms, looks)


def _seconds(call: Callable[[], Any], tries: int = TRIES) -> tuple[float, Any]:
    """Of the quickest of several calls, and its result."""
    taken = []
    for _ in range(tries):
        start = time.perf_counter()
        found = call()
        taken.append(time.perf_counter() - start)
    return min(taken), found


def missing(name: str) -> str | None:
    """Why a recipe can't be trained here."""
    try:
        read_splits(gn.load_recipe(name))
    except (GlassnetError, OSError) as error:
        return str(error).splitlines()[0]
    return None
