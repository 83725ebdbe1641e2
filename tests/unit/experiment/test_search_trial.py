"""One trial: the value that it gives, whatever the threads, its folds and seeds, and how it ends early."""

from __future__ import annotations

import warnings
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.data.splits import split_folds
from glassnet.experiment.run import read_splits
from glassnet.experiment.search.plan import make_plan
from glassnet.experiment.search.trial import run_trial

TINY = gn.load_recipe("digits").changed({
    "network.layers": [64, 8, 10], "loss": "Quadratic", "optimizer": "SGD", "learning_rate": 1.0, "epochs": 3
})  # fmt: skip
PLAN = make_plan(TINY, ["hidden=8,16", "learning_rate=1,3"])
SPLITS = read_splits(TINY)
POINT = {"hidden": 16, "learning_rate": 3}


def trained(recipe: gn.Recipe, splits: gn.Splits) -> list[float]:
    """The validation accuracies of the same training by hand."""
    network = recipe.make_network(splits)
    history = network.fit(
        splits.train,
        recipe.training.epochs,
        batch_size=32,
        optimizer=recipe.make_optimizer(),
        validation=splits.validation,
        seed=recipe.training.seed,
        progress=False,
    )
    return history.validation_accuracy


def test_a_trial_is_the_training_of_its_recipe() -> None:
    outcome = run_trial(PLAN, POINT, SPLITS)
    assert list(outcome.curve) == trained(TINY.changed(POINT), SPLITS)
    assert outcome.parts == (outcome.curve[-1],)
    assert outcome.seconds > 0
    assert not outcome.pruned
    for threads in (1, 2):
        again = run_trial(PLAN, POINT, SPLITS, threads=threads)
        assert (again.parts, again.curve) == (outcome.parts, outcome.curve)


def test_all_that_a_recipe_says_of_training_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    fit = gn.Network.fit

    def spy(self: gn.Network, *arguments: Any, **options: Any) -> Any:
        given.update(options)
        return fit(self, *arguments, **options)

    monkeypatch.setattr(gn.Network, "fit", spy)
    settings = {
        "expand_shifts": 1, "augmentation": {"shift": 1}, "plain_epochs": 1, "class_weight": "balanced", "average": 0.9,
        "keep": "best", "patience": 2,
    }  # fmt: skip
    outcome = run_trial(PLAN, settings, SPLITS)
    assert len(given["train"]) == 5 * len(SPLITS.train)
    assert given["augmentation"].shift == 1
    assert [given[key] for key in ("plain_epochs", "class_weight", "average", "keep")] == [1, "balanced", 0.9, "best"]
    assert [type(callback) for callback in given["callbacks"]] == [gn.EarlyStopping]
    assert outcome.parts == (max(outcome.curve),)


def test_data_that_the_settings_change_is_read_for_the_trial() -> None:
    settings = {"data.fold": 1}
    recipe = TINY.changed(settings)
    assert list(run_trial(PLAN, settings, SPLITS).curve) == trained(recipe, read_splits(recipe))


def test_several_seeds() -> None:
    outcome = run_trial(replace(PLAN, seeds=2), POINT, SPLITS)
    found = [trained(TINY.changed({**POINT, "seed": seed}), SPLITS) for seed in (0, 1)]
    assert list(outcome.parts) == [curve[-1] for curve in found]
    assert list(outcome.curve) == found[0]


def test_folds_are_of_training_and_validation_data_and_never_of_the_test_set() -> None:
    seen: list[gn.Dataset] = []
    sealed = replace(SPLITS, test=None)
    outcome = run_trial(replace(PLAN, folds=3), POINT, sealed, callbacks=[Held(seen)])
    assert len(outcome.parts) == 3
    train, validation = SPLITS.train, SPLITS.validation
    assert validation is not None
    whole = gn.Dataset(np.concatenate([train.images, validation.images]), np.concatenate([train.labels, validation.labels]))
    folds = split_folds(whole, 3, 0)
    rest = gn.Dataset(*(np.concatenate([getattr(fold, name) for fold in folds[1:]]) for name in ("images", "labels")))
    assert outcome.parts[0] == trained(TINY.changed(POINT), gn.Splits(rest, folds[0]))[-1]
    assert run_trial(replace(PLAN, folds=3), POINT, SPLITS).parts == outcome.parts
    assert len(seen) == 3


class Held(gn.Callback):
    """Notes each training."""

    def __init__(self, seen: list[Any]) -> None:
        self.seen = seen

    def on_train_begin(self, progress: Any) -> None:
        self.seen.append(progress)


def test_folds_keep_groups_together(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    data = gn.Dataset(rng.integers(0, 256, (60, 8, 8), np.uint8), labels, groups=np.arange(60) // 5)
    splits = gn.Splits(data[:40], data[40:])
    held: list[tuple[set[int], set[int]]] = []
    fit = gn.Network.fit

    def spy(self: gn.Network, train: gn.Dataset, *arguments: Any, validation: gn.Dataset, **options: Any) -> Any:
        assert train.groups is not None
        assert validation.groups is not None
        held.append((set(train.groups.tolist()), set(validation.groups.tolist())))
        return fit(self, train, *arguments, validation=validation, **options)

    monkeypatch.setattr(gn.Network, "fit", spy)
    run_trial(replace(PLAN, folds=4), {"network.layers": [64, 4, 2], "epochs": 1}, splits)
    assert [train & validation for train, validation in held] == [set()] * 4
    assert set.union(*(validation for _, validation in held)) == set(range(12))


def test_each_epoch_is_reported_and_stop_ends_the_trial() -> None:
    told: list[tuple[int, float]] = []
    outcome = run_trial(PLAN, POINT, SPLITS, report=lambda step, value: told.append((step, value)))
    assert told == list(enumerate(outcome.curve, 1))
    pruned = run_trial(PLAN, POINT, SPLITS, stop=lambda: True)
    assert (pruned.pruned, pruned.curve, pruned.parts) == (True, outcome.curve[:1], outcome.curve[:1])
    calls = iter([False, False, True])
    assert not run_trial(PLAN, POINT, SPLITS, stop=lambda: next(calls)).pruned  # nothing is saved after the last epoch


def test_of_several_parts_the_mean_so_far_is_reported() -> None:
    told: list[tuple[int, float]] = []
    plan = replace(PLAN, seeds=3)
    whole = run_trial(plan, POINT, SPLITS, report=lambda step, value: told.append((step, value)))
    assert told == [(n, float(np.mean(whole.parts[:n]))) for n in (1, 2, 3)]
    pruned = run_trial(plan, POINT, SPLITS, stop=lambda: True)
    assert (pruned.pruned, pruned.parts) == (True, whole.parts[:1])


def test_what_the_report_raises_ends_the_trial() -> None:
    def report(step: int, value: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trial(PLAN, POINT, SPLITS, report=report)


def test_numbers_that_became_infinite_are_the_worst_value_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcome = run_trial(make_plan(gn.load_recipe("digits"), ["learning_rate=1e30"]), {"learning_rate": 1e30}, SPLITS)
    assert outcome.parts == (0.0,)


def test_targets_are_judged_by_the_validation_loss() -> None:
    recipe = gn.load_recipe("chain").changed({"data.fractions": [0.5, 0.5, 0.0], "epochs": 3})
    plan, splits = make_plan(recipe, ["learning_rate=0.05,1e9"]), read_splits(recipe)
    good, bad = (run_trial(plan, {"learning_rate": rate}, splits) for rate in (0.05, 1e9))
    assert 0 < good.parts[0] == good.curve[-1] < inf
    assert bad.parts == (inf,)
