"""The space of a search: what `--over` says, all points of it, and random ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

import glassnet as gn
from glassnet.experiment.search.space import Parameter, distributions, draws, grid, parse_parameter, settings_of, shown

RECIPE = gn.load_recipe("digits")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("hidden=10,30,100", (10, 30, 100)),
        ("hidden=100-50,30", ("100-50", 30)),
        ("optimizer=SGD,Adam,SGD", ("SGD", "Adam")),
        ("network.layers=[64,30,10],[64,100,10]", ([64, 30, 10], [64, 100, 10])),
        ('optimizer={type="SGD", momentum=0.9},Adam', ({"type": "SGD", "momentum": 0.9}, "Adam")),
        ('data.path="C:/a,b","c"', ("C:/a,b", "c")),
        ("learning_rate=log:0.001:10:5", (0.001, 0.01, 0.1, 1.0, 10.0)),
        ("learning_rate=0:1:3", (0.0, 0.5, 1.0)),
        ("hidden=log:1:100:3", (1, 10, 100)),
        ("hidden=1:3:9", (1, 2, 3)),
        ("batch_size = 16", (16,)),
    ],
)
def test_values(text: str, values: tuple[Any, ...]) -> None:
    found = parse_parameter(text, RECIPE)
    assert (found.values, found.key) == (values, text.partition("=")[0].strip())
    assert not found.is_range


@pytest.mark.parametrize(
    ("text", "low", "high", "log", "whole"),
    [
        ("hidden=10:100", 10, 100, False, True),
        ("learning_rate=log:0.001:10", 0.001, 10, True, False),
        ("training.epochs=log:1:64", 1, 64, True, True),
        ("average=0.9:0.99", 0.9, 0.99, False, False),
        ("optimizer.weight_decay=0:1", 0, 1, False, False),
        ("training.optimizer.weight_decay=-1e-1:1e-1", -0.1, 0.1, False, False),
        ("data.fold=0:4", 0, 4, False, True),
    ],
)
def test_ranges(text: str, low: float, high: float, log: bool, whole: bool) -> None:
    key = text.partition("=")[0]
    assert parse_parameter(text, RECIPE) == Parameter(key=key, low=low, high=high, log=log, whole=whole)
    assert parse_parameter(f"{key}={parse_parameter(text, RECIPE)}", RECIPE) == parse_parameter(text, RECIPE)


def test_a_range_of_an_options_whole_numbers() -> None:
    recipe = RECIPE.changed({"architecture": {"type": "lenet", "kernel_size": 3}})
    assert parse_parameter("architecture.kernel_size=2:4", recipe).whole
    assert not parse_parameter("architecture.dropout=0:0.5", recipe).whole


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("hiden=10", "A recipe has no such key.", "did you mean 'hidden'?"),
        ("momentum=0.9", "A recipe has no such key.", "did you mean 'optimizer.momentum'?"),
        ("hidden", "What to search over must be KEY=VALUES.", None),
        ("hidden=", "What to search over must be KEY=VALUES.", None),
        ("hidden=10,,30", "A value is missing.", None),
        ("learning_rate=3:1", "The low end of a range must be below the high one.", None),
        ("learning_rate=3:3", "The low end of a range must be below the high one.", None),
        ("learning_rate=log:0:1", "A logarithmic range must lie above 0.", None),
        ("learning_rate=a:b", "The ends of a range must be numbers.", "put a text with a colon in quotes"),
        ("learning_rate=0:inf", "The ends of a range must be numbers.", "put a text with a colon in quotes"),
        ("learning_rate=1:2:3:4", "A range has two ends, and perhaps a number of points.", None),
        ("learning_rate=log:1", "A range has two ends, and perhaps a number of points.", None),
        ("learning_rate=1:2:1", "The number of points in a range must be a whole number of at least 2.", None),
        ("learning_rate=1:2:2.5", "The number of points in a range must be a whole number of at least 2.", None),
        ("hidden=1.5:10", "hidden takes whole numbers.", None),
    ],
)
def test_what_is_no_parameter(text: str, what: str, hint: str | None) -> None:
    with pytest.raises(gn.RecipeError) as caught:
        parse_parameter(text, RECIPE)
    assert (caught.value.what, caught.value.hint) == (what, hint)
    assert text in (str(caught.value.received).strip("'"), str(caught.value.where).removeprefix("--over "))


def test_a_grid_has_all_combinations_in_order() -> None:
    space = [parse_parameter(text, RECIPE) for text in ("hidden=10,30", "learning_rate=0.1,1")]
    assert grid(space) == [
        {"hidden": 10, "learning_rate": 0.1},
        {"hidden": 10, "learning_rate": 1},
        {"hidden": 30, "learning_rate": 0.1},
        {"hidden": 30, "learning_rate": 1},
    ]
    with pytest.raises(gn.RecipeError) as caught:
        grid([*space, parse_parameter("batch_size=8:64", RECIPE)])
    assert caught.value.hint == "--over batch_size=8:64:5"


SPACE = [
    Parameter(key="hidden", low=1, high=5, whole=True),
    Parameter(key="epochs", low=1, high=100, whole=True, log=True),
    Parameter(key="learning_rate", low=0.001, high=10, log=True),
    Parameter(key="average", low=-1, high=1),
    Parameter(key="optimizer", values=("SGD", {"type": "SGD", "momentum": 0.9})),
]


@given(seed=st.integers(0, 2**40), count=st.integers(1, 20))
def test_random_points_depend_on_seed_and_place_alone_and_stay_in_the_space(seed: int, count: int) -> None:
    found = draws(SPACE, count, seed)
    assert found == draws(SPACE, count + 3, seed)[:count]
    for point in found:
        for parameter in SPACE[:-1]:
            value = point[parameter.key]
            assert parameter.low <= value <= parameter.high
            assert isinstance(value, int) == parameter.whole
            assert float(f"{value:.6g}") == value  # short, and without the last bits, in which machines differ
        assert point["optimizer"] in (SPACE[-1].values or ())


def test_random_points_are_spread_evenly_over_the_scale() -> None:
    found = draws(SPACE, 4000, 0)
    shares = [sum(point["hidden"] == n for point in found) / 4000 for n in range(1, 6)]
    assert shares == pytest.approx([0.2] * 5, abs=0.03)
    below = sum(point["learning_rate"] < 0.1 for point in found) / 4000
    assert below == pytest.approx(0.5, abs=0.03)


def test_optuna_has_the_same_space() -> None:
    optuna = pytest.importorskip("optuna")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    table = {"type": "SGD", "momentum": 0.9}
    seen = []
    for _ in range(20):
        suggested = study.ask(distributions(SPACE)).params
        point = settings_of(SPACE, suggested)
        assert list(point) == [parameter.key for parameter in SPACE]
        assert 1 <= point["hidden"] <= 5
        assert point["learning_rate"] == pytest.approx(suggested["learning_rate"], rel=1e-5)
        seen.append(point["optimizer"])
    assert table in seen
    assert "SGD" in seen


def test_values_are_shown_as_they_are_typed() -> None:
    assert [shown(value) for value in (10, 0.1, 3.0, 0.123456789, "100-50", [64, 10], True)] == [
        "10", "0.1", "3", "0.123456789", "100-50", "[64, 10]", "true"
    ]  # fmt: skip
