"""What a finished search shows: importance, and how much the choice of the best flatters its value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from glassnet.analysis.search import FEWEST, flattery_of, importance_of, spelled
from glassnet.experiment.recipe import load_recipe
from glassnet.experiment.search.records import SearchPlan, SearchResult, Trial
from glassnet.experiment.search.space import Parameter

RECIPE = load_recipe("digits")


def search(
    values: np.ndarray[tuple[int, int], np.dtype[np.float64]], *, folds: int, seeds: int = 1, maximise: bool = True
) -> SearchResult:
    """Trials with these results, (trials, folds × seeds)."""
    trials = tuple(
        Trial(number=n, point=str(n), settings={"a": n}, state="complete", parts=tuple(map(float, parts)))
        for n, parts in enumerate(values)
    )
    plan = SearchPlan(
        recipe=RECIPE, space=(Parameter(key="a", low=0, high=len(values)),), method="random", trials=len(values), folds=folds,
        seeds=seeds, maximise=maximise,
    )  # fmt: skip
    return SearchResult(plan, trials, Path("s"))


@pytest.mark.parametrize("maximise", [True, False])
def test_flattery_by_hand(maximise: bool) -> None:
    values = np.array([[0.9, 0.7, 0.8], [0.6, 0.9, 0.78]])
    if not maximise:
        values = 1 - values
    found = flattery_of(search(values, folds=3, maximise=maximise))
    assert found is not None
    # left out 1: means of the others 0.75 and 0.84 → the second, 0.6; 2: 0.85, 0.69 → the first, 0.7; 3: 0.8, 0.75 → 0.8
    assert (found.honest if maximise else 1 - found.honest) == pytest.approx((0.6 + 0.7 + 0.8) / 3)
    assert found.excess == pytest.approx(0.8 - 0.7)
    assert (found.near, found.folds) == (1, True)


def test_flattery_leaves_whole_folds_out() -> None:
    folds = np.array([[0.9, 0.7], [0.6, 0.8]])
    both = np.stack([folds + 0.01, folds - 0.01], axis=2).reshape(2, 4)  # fold by fold, two seeds each
    found = flattery_of(search(both, folds=2, seeds=2))
    assert found is not None
    assert found.honest == pytest.approx((0.6 + 0.7) / 2)  # chosen by one fold, measured on the other
    single = flattery_of(search(both, folds=1, seeds=4))
    assert single is not None
    assert not single.folds


@pytest.mark.parametrize(("quality", "noise"), [(0.0, 0.02), (0.02, 0.02), (0.1, 0.001)])
def test_flattery_is_right_on_average(quality: float, noise: float) -> None:
    """The honest value is on average that of trials chosen by one part less; true qualities and noise are drawn."""
    rng = np.random.default_rng(5)
    errors, excesses, trues = [], [], []
    for _ in range(300):
        truth = 0.8 + quality * rng.normal(size=30)
        values = truth[:, None] + noise * rng.normal(size=(30, 5))
        found = flattery_of(search(values, folds=5))
        assert found is not None
        chosen = [int(np.argmax(np.delete(values, part, axis=1).mean(axis=1))) for part in range(5)]
        errors.append(found.honest - truth[chosen].mean())
        excesses.append(found.excess)
        best = int(values.mean(axis=1).argmax())
        trues.append(values[best].mean() - truth[best])
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(len(errors))
    assert np.mean(excesses) == pytest.approx(np.mean(trues), rel=0.35, abs=0.001)


def test_flattery_needs_several_parts_and_trials() -> None:
    rng = np.random.default_rng(0)
    assert flattery_of(search(rng.random((5, 1)), folds=1)) is None
    assert flattery_of(search(rng.random((1, 3)), folds=3)) is None


def drawn(count: int, seed: int = 0) -> SearchResult:
    """The value depends on "a" much, on "b" a little and on "c" not."""
    rng = np.random.default_rng(seed)
    settings = [
        {"a": float(rng.uniform(0, 1)), "b": [4, 8, 16][rng.integers(3)], "c": "xyz"[rng.integers(3)]} for _ in range(count)
    ]
    trials = tuple(
        Trial(
            number=n,
            point=str(n),
            settings=each,
            state="complete",
            parts=(each["a"] + 0.02 * each["b"] + 0.01 * rng.random(),),
        )
        for n, each in enumerate(settings)
    )
    space = (
        Parameter(key="a", low=0, high=1),
        Parameter(key="b", values=(4, 8, 16)),
        Parameter(key="c", values=("x", "y", "z")),
    )
    return SearchResult(SearchPlan(recipe=RECIPE, space=space, method="random", trials=count), trials, Path("s"))


def test_importance_finds_what_matters_and_is_deterministic() -> None:
    found = importance_of(drawn(60))
    assert found is not None
    assert list(found.shares) == ["a", "b", "c"]
    assert found.shares["a"] > 0.6
    assert found.shares["c"] < 0.05
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.trials == 60
    assert importance_of(drawn(60)) == found


def test_importance_of_many_trials_is_of_a_sample() -> None:
    found = importance_of(drawn(400))
    assert found is not None
    assert found.trials == 150


def test_importance_of_few_or_equal_trials_is_unknown() -> None:
    assert importance_of(drawn(FEWEST - 1)) is None
    assert importance_of(search(np.random.default_rng(0).random((20, 1)), folds=1)) is None  # one parameter
    equal = drawn(20)
    same = tuple(
        Trial(number=t.number, point=t.point, settings=t.settings, state="complete", parts=(0.5,)) for t in equal.trials
    )
    assert importance_of(SearchResult(equal.plan, same, Path("s"))) is None


def test_values_that_are_not_finite_come_last() -> None:
    result = search(np.array([[np.nan], [0.5], [0.7]]), folds=1)
    assert [trial.number for trial in result.ranked] == [2, 1, 0]


def test_settings_as_text() -> None:
    assert spelled([64, 32]) == spelled((64, 32)) == "[64, 32]"
    assert spelled({"type": "SGD", "learning_rate": 0.1}) == "SGD(learning_rate=0.1)"
    assert spelled({"size": 2}) == "(size=2)"
    assert [spelled(value) for value in (True, None, "relu", 1e-5, 100)] == ["True", "None", "relu", "1e-05", "100"]
    assert spelled(0.0123456, 4) == "0.01235"
