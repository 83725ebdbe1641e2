"""Trainings of a recipe on shares of its training images, judged on its validation images: the points of a learning curve."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.data import Dataset, Splits
from glassnet.data.splits import split_by_group, split_stratified
from glassnet.errors import DataError, InputError
from glassnet.experiment.fit_options import early_stopping, fit_options
from glassnet.experiment.recipe import Recipe
from glassnet.experiment.run import prepare
from glassnet.nn.optimizers import ScipyMinimize
from glassnet.support.checks import is_number, whole_number
from glassnet.support.i18n import Message, listing, tr
from glassnet.training import Callback

LEAST_STEPS = 1500
"""Steps that the training on a share takes at least, by more epochs, or as many as the training on all images takes."""
MANY = 10_000  # training images from which a fifth of them is enough to extrapolate
LARGE, SMALL = (0.02, 0.05, 0.1, 0.2), (0.125, 0.25, 0.5, 1.0)  # shares by default, of many and of few images
LEAST_SHARES = 3  # as the curve has three parameters


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One training: on so many `images`, a `share` of all; `correct` of `total` validation images; in so many `seconds`."""

    share: float
    draw: int
    images: int
    epochs: int
    correct: int
    total: int
    seconds: float

    @property
    def accuracy(self) -> float:
        return self.correct / self.total


@dataclass(frozen=True, kw_only=True)
class SharePlan:
    """`draws` trainings of `recipe` on each of the `shares` of the training images, with different images and seeds."""

    recipe: Recipe
    splits: Splits
    shares: tuple[float, ...]
    draws: int

    @property
    def validation(self) -> Dataset:
        assert self.splits.validation is not None
        return self.splits.validation

    @property
    def trainings(self) -> list[tuple[float, int]]:
        """(share, draw), all shares of a draw before the next draw: the curve is whole early."""
        return [(share, draw) for draw in range(self.draws) for share in self.shares]

    def epochs(self, images: int) -> int:
        """Those of the recipe; more where they are fewer than `LEAST_STEPS` steps and than all images take."""
        training = self.recipe.training
        if isinstance(self.recipe.make_optimizer(), ScipyMinimize):  # a step is an epoch
            return training.epochs
        steps, all_steps = (-(-count // training.batch_size) for count in (images, len(self.splits.train)))
        return max(training.epochs, -(-min(LEAST_STEPS, training.epochs * all_steps) // steps))

    def work(self, images: int) -> float:
        """What the time of a training is in proportion to: images × epochs."""
        return float(images * self.epochs(images))

    def images(self, share: float) -> int:
        """About how many images a share has."""
        return max(1, round(share * len(self.splits.train)))

    def about(self) -> Message:
        sizes = [f"{self.images(share):,}" for share in self.shares]
        return tr(
            "{count} trainings: {draws} on each of {sizes} of the {images:,} training images, judged on {validation:,} "
            "validation images",
            count=len(self.trainings),
            draws=self.draws,
            sizes=listing(sizes),
            images=len(self.splits.train),
            validation=len(self.validation),
        )


def plan_shares(
    recipe: str | Path | Recipe,
    shares: Sequence[float] | None = None,
    draws: int = 3,
    **options: Any,
) -> SharePlan:
    """The plan, its arguments checked; `options` as in `run.prepare`.

    Shares by default: 2, 5, 10 and 20 %, and for fewer than 10,000 training images 12.5, 25, 50 and 100 %.
    Raises `InputError` for shares outside 0 … 1, fewer than three, or too small for a class or for whole groups, and
    `DataError` for data without classes or without validation images.
    """
    draws = whole_number(draws, tr("The number of draws must be positive."), "learning_curve(draws)")
    given = None if shares is None else _checked(shares)
    chosen, splits = prepare(recipe, **options)
    where = chosen.data.source
    if splits.classes is None:
        raise DataError(
            tr("A learning curve is of accuracies, and this data has no classes."),
            where=where,
            expected=tr("labels that are class indices"),
            received=tr("targets of shape {shape}", shape=splits.train.labels.shape),
        )
    if splits.validation is None:
        raise DataError(
            tr("This data has no validation set."),
            where=where,
            expected=tr("a validation set, which judges the trainings: the test set is not used"),
            hint="--set fractions=[0.7,0.1,0.2]",
        )
    sizes = given or (LARGE if len(splits.train) >= MANY else SMALL)
    plan = SharePlan(recipe=chosen, splits=splits, shares=sizes, draws=draws)
    for share in sizes:
        subset_of(plan, share, 0)
    return plan


def subset_of(plan: SharePlan, share: float, draw: int) -> Dataset:
    """The images of one training: each class in proportion; whole groups where there are groups. Each draw is independent."""
    train = plan.splits.train
    if share == 1:
        return train
    split = split_stratified if train.groups is None else split_by_group
    try:
        return split(train, (share, 1 - share), _generator(plan, share, draw))[0]
    except InputError as error:
        raise InputError(
            tr("The share {share:g} of the training images is too small or too large.", share=share),
            where="learning_curve(shares)",
            expected=error.expected,
            received=tr("{what} {received}", what=error.what, received=error.received),
            hint=tr("other shares, such as {shares}, or more images", shares="0.25,0.5,1"),
        ) from None


def train_share(
    plan: SharePlan,
    share: float,
    draw: int,
    *,
    threads: int | None = None,
    callbacks: Sequence[Callback] = (),
    epochs: int | None = None,
) -> Measured:
    """Train on a share of the images, and classify the validation images. `epochs`: other than the plan's."""
    began = time.perf_counter()
    subset = subset_of(plan, share, draw)
    seed = int(_generator(plan, share, draw, 1).integers(2**31))
    epochs = epochs or plan.epochs(len(subset))
    plain = min(plan.recipe.training.plain_epochs, epochs)
    training = plan.recipe.training.model_copy(update={"seed": seed, "epochs": epochs, "plain_epochs": plain})
    recipe = plan.recipe.model_copy(update={"training": training})
    watched = training.keep == "best" or training.patience is not None
    splits = Splits(subset, plan.validation if watched else None)
    network = recipe.make_network(splits)
    options = fit_options(recipe, splits, network) | {"callbacks": [*early_stopping(recipe), *callbacks]}
    network.fit(**options, threads=threads, statistics=False, progress=False)
    found = network.evaluate(plan.validation)
    return Measured(
        share=share, draw=draw, images=len(subset), epochs=epochs, correct=found.correct, total=found.total,
        seconds=time.perf_counter() - began,
    )  # fmt: skip


def seconds_of(plan: SharePlan, threads: int | None = None) -> float:
    """About how long a unit of `work` takes: one epoch on the smallest share, after one that compiles."""
    share = min(plan.shares)
    for _ in range(2):
        measured = train_share(plan, share, 0, threads=threads, epochs=1)
    return measured.seconds / measured.images


def _generator(plan: SharePlan, share: float, draw: int, stream: int = 0) -> np.random.Generator:
    """Random numbers that follow from the recipe's seed, the share and the draw alone."""
    return np.random.default_rng([plan.recipe.training.seed, round(share * 1e6), draw, stream])


def _checked(shares: Sequence[float]) -> tuple[float, ...]:
    where = "learning_curve(shares)"
    for share in shares:
        if not is_number(share) or not 0 < share <= 1:
            expected = tr("a number above 0 and at most 1")
            raise InputError(
                tr("A share must be a part of the training images."), where=where, expected=expected, received=share
            )
    distinct = tuple(sorted({float(share) for share in shares}))
    if len(distinct) < LEAST_SHARES:
        raise InputError(
            tr("A curve needs at least three sizes."),
            where=where,
            expected=tr("three or more different shares"),
            received=", ".join(f"{share:g}" for share in shares) or tr("none"),
            hint="0.02,0.05,0.1,0.2",
        )
    return distinct
