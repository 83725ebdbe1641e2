"""Trainings on shares of the training images: which images, how many epochs, and the file that keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.experiment.run import read_splits
from glassnet.experiment.share_files import POINTS, ShareFile, share_file
from glassnet.experiment.shares import LARGE, LEAST_STEPS, SMALL, SharePlan, plan_shares, subset_of, train_share

SHARES = (0.1, 0.2, 0.4)


def plan_of(images: int = 1000, classes: int = 4, groups: int | None = None, **training: Any) -> SharePlan:
    """A plan for random images whose label is the mean of their first pixel."""
    rng = np.random.default_rng(0)
    labels = np.arange(images) % classes
    pixels = (labels[:, None] + 0.5 * rng.standard_normal((images, 4))).astype(np.float32)
    of = None if groups is None else np.arange(images) * groups // images
    data = gn.Dataset(pixels, labels, groups=of)
    settings = {"training.epochs": 3, "network.layers": [4, 8, classes], "network.loss": "SoftmaxCrossEntropy"}
    recipe = gn.load_recipe("digits").changed(settings | {f"training.{name}": value for name, value in training.items()})
    return SharePlan(recipe=recipe, splits=gn.Splits(data, data), shares=SHARES, draws=2)


def test_each_class_keeps_its_proportion() -> None:
    plan = plan_of()
    for share in SHARES:
        assert (subset_of(plan, share, 0).counts == round(250 * share)).all()
    assert subset_of(plan, 1.0, 0) is plan.splits.train


def test_groups_stay_whole() -> None:
    plan = plan_of(groups=50)
    train, subset = plan.splits.train, subset_of(plan, 0.2, 0)
    assert train.groups is not None
    assert subset.groups is not None
    chosen = np.unique(subset.groups)
    assert len(chosen) == 10
    assert len(subset) == np.isin(train.groups, chosen).sum()


def test_draws_and_seeds_take_other_images() -> None:
    plan = plan_of()
    first, other = (subset_of(plan, 0.2, draw).images for draw in (0, 1))
    assert np.array_equal(first, subset_of(plan, 0.2, 0).images)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, subset_of(plan_of(seed=5), 0.2, 0).images)


def test_a_training_is_repeated_to_the_bit_and_follows_the_draw() -> None:
    plan = plan_of()
    first, again, other = (train_share(plan, 0.2, draw, epochs=2) for draw in (0, 0, 1))
    assert (first.correct, first.images, first.epochs) == (again.correct, again.images, 2)
    assert (first.total, first.draw, other.draw) == (1000, 0, 1)


def test_small_shares_get_more_epochs() -> None:
    plan = plan_of(epochs=3, batch_size=10)  # 300 steps with all images
    assert plan.epochs(1000) == 3
    assert plan.epochs(100) == 30
    long = plan_of(epochs=100, batch_size=10)
    assert long.epochs(100) * 10 == LEAST_STEPS
    assert long.epochs(500) == 100
    scipy = plan_of(optimizer="ScipyMinimize", batch_size=1000)
    assert scipy.epochs(100) == 3


def test_the_default_shares_follow_the_number_of_images(monkeypatch: pytest.MonkeyPatch) -> None:
    assert plan_shares("digits").shares == SMALL
    monkeypatch.setattr("glassnet.experiment.shares.MANY", 1000)
    assert plan_shares("digits").shares == LARGE


def test_the_test_set_is_not_touched() -> None:
    splits = read_splits(gn.load_recipe("digits"))
    curve_plan = plan_shares("digits", SHARES, epochs=1)
    assert curve_plan.splits is splits
    without = SharePlan(recipe=curve_plan.recipe, splits=gn.Splits(splits.train, splits.validation), shares=SHARES, draws=1)
    assert train_share(without, 0.2, 0).correct == train_share(curve_plan, 0.2, 0).correct


def test_what_can_not_be_planned() -> None:
    for shares, what in (
        ((0.1, 0.2, 1.5), "A share must be a part of the training images."),
        ((0.0, 0.1, 0.2), "A share must be a part of the training images."),
        ((float("nan"), 0.1, 0.2), "A share must be a part of the training images."),
        ((0.1, 0.2, 0.2), "A curve needs at least three sizes."),
        ((0.001, 0.1, 0.2), "The share 0.001 of the training images is too small or too large."),
    ):
        with pytest.raises(gn.InputError) as caught:
            plan_shares("digits", shares)
        assert caught.value.what == what
        assert caught.value.where == "learning_curve(shares)"
    with pytest.raises(gn.InputError, match=r"The number of draws must be positive\."):
        plan_shares("digits", SHARES, 0)
    with pytest.raises(gn.DataError, match=r"this data has no classes[\s\S]*class indices[\s\S]*targets of shape"):
        plan_shares("chain", SHARES)
    with pytest.raises(gn.DataError, match=r"This data has no validation set\.[\s\S]*the test set is not used"):
        plan_shares("digits", SHARES, settings={"fractions": [0.8, 0.0, 0.2]})
    with pytest.raises(gn.RecipeError, match="did you mean 'digits'"):
        plan_shares("digts", SHARES)


def test_the_file_keeps_trainings_and_refuses_other_curves(tmp_path: Path) -> None:
    plan = plan_of()
    file = share_file(plan, tmp_path / "a")
    assert file.read() == []
    measured = [train_share(plan, 0.1, draw, epochs=1) for draw in range(2)]
    file.write(measured)
    assert ShareFile(tmp_path / "a", plan).read() == measured
    with pytest.raises(gn.RunError, match="learning curve of another recipe, seed or data set"):
        share_file(plan_of(seed=3), tmp_path / "a").read()
    path = tmp_path / "a" / POINTS
    good = path.read_text()
    for damaged in ("", good[:-20], good.replace('"correct"', '"right"', 1), "[]\n[]\n"):
        path.write_text(damaged)
        with pytest.raises(gn.RunError, match="The file of a learning curve is damaged"):
            file.read()


def test_the_default_folder_is_new_or_of_this_curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan, other = plan_of(), plan_of(seed=3)
    assert share_file(plan, None).folder == Path("runs/digits-curve")
    share_file(plan, None).write([])
    assert share_file(plan, None).folder == Path("runs/digits-curve")
    assert share_file(other, None).folder == Path("runs/digits-curve-2")
