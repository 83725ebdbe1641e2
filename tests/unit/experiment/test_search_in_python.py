"""`gn.search`: a whole search in one call."""

from __future__ import annotations

from pathlib import Path

import pytest

import glassnet as gn
from glassnet.experiment.search.records import SearchPlan, SearchResult, Trial
from glassnet.experiment.search.results import trials_csv

TINY = gn.load_recipe("digits").changed({"network.layers": [64, 8, 10], "optimizer": "SGD"})


def test_a_search_in_one_call_and_again_in_the_same_folder(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="the extra `search` is not installed")
    told: list[int] = []
    over = {"hidden": [4, 8], "learning_rate": "0.1:1:2"}
    options = {"epochs": 1, "settings": {"batch_size": 16}, "workers": 1, "out": tmp_path / "a"}
    result = gn.search(TINY, over, on_trial=lambda trial: told.append(trial.number), **options)
    assert sorted(told) == [0, 1, 2, 3]
    assert [trial.state for trial in result.trials] == ["complete"] * 4
    assert result.best is result.ranked[0]
    assert gn.load_recipe(tmp_path / "a" / "best.toml") == result.recipe_of(result.ranked[0])
    assert result.plan.recipe.training.batch_size == 16
    assert gn.search(TINY, over, **options).trials == result.trials
    with pytest.raises(gn.RunError) as caught:
        gn.search(TINY, {"hidden": [4]}, **options)
    assert caught.value.what == "There is another search in this folder."


def test_the_table_has_what_each_trial_reached_and_no_times(tmp_path: Path) -> None:
    from glassnet.experiment.search.plan import make_plan

    plan: SearchPlan = make_plan(TINY, ["hidden=4,8,16", "optimizer.momentum=0.5"], seeds=2)
    settings = [{"hidden": n, "optimizer.momentum": 0.5} for n in (4, 8, 16)]
    trials = (
        Trial(number=0, point="a", settings=settings[0], state="complete", parts=(0.5, 0.75), seconds=3.0),
        Trial(number=1, point="b", settings=settings[1], state="pruned", parts=(0.25,), seconds=1.0),
        Trial(number=2, point="c", settings=settings[2], state="failed", error="too wide"),
    )
    assert trials_csv(SearchResult(plan, trials, tmp_path)).splitlines() == [
        "trial,hidden,optimizer.momentum,state,value,spread,part_1,part_2,point",
        "0,4,0.5,complete,0.625,0.1767766952966369,0.5,0.75,a",
        "1,8,0.5,pruned,0.25,,0.25,,b",
        "2,16,0.5,failed,,,,,c",
    ]
