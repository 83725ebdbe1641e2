"""The plan of a search: what it is by default, its points, its file, and what is refused before anything starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.experiment.search.plan import PLAN, fingerprint, make_plan, plan_text, points, read_plan
from glassnet.experiment.search.space import Parameter

TINY = gn.load_recipe("digits").changed({"network.layers": [64, 8, 10], "optimizer": "SGD", "epochs": 1})
GRID = ["hidden=4,8", "learning_rate=0.1,1,10"]


def test_a_grid_where_all_keys_have_values() -> None:
    plan = make_plan(TINY, GRID)
    assert (plan.method, plan.trials, plan.maximise, plan.folds, plan.seeds) == ("grid", 6, True, 1, 1)
    found = points(plan)
    assert [point.number for point in found] == list(range(6))
    assert found[1].settings == {"hidden": 4, "learning_rate": 1}
    assert len({point.identity for point in found}) == 6
    assert all(len(point.identity) == 16 and int(point.identity, 16) >= 0 for point in found)
    assert make_plan(TINY, GRID, trials=100).trials == 6


def test_tpe_where_there_are_ranges_or_fewer_trials() -> None:
    plan = make_plan(TINY, ["learning_rate=log:0.01:10"])
    assert (plan.method, plan.trials) == ("tpe", 50)
    assert make_plan(TINY, GRID, trials=5).method == "tpe"
    found = points(make_plan(TINY, GRID, trials=5))
    assert [point.settings for point in found] == [None] * 5
    assert len({point.identity for point in found}) == 5


def test_over_as_a_table_and_as_parameters() -> None:
    plan = make_plan("digits", {"hidden": [4, 8], "learning_rate": "log:0.1:1:2"})
    assert [point.settings for point in points(plan)][:2] == [
        {"hidden": 4, "learning_rate": 0.1}, {"hidden": 4, "learning_rate": 1.0}
    ]  # fmt: skip
    assert make_plan("digits", [Parameter(key="hidden", values=(4, 8)), "learning_rate=log:0.1:1:2"]) == plan


def test_a_key_may_get_its_meaning_from_one_before_it() -> None:
    plan = make_plan(TINY, ["optimizer=Adam,AdamW", "optimizer.beta1=0.8:0.99"])
    assert plan.space[1].is_range
    assert not plan.space[1].whole


def test_a_points_identity_is_that_of_its_recipe_folds_and_seeds() -> None:
    (point,) = points(make_plan(TINY, ["hidden=8"]))
    (other_key,) = points(make_plan(TINY.changed({"title": "b", "name": "a"}), ["network.layers=[64,8,10]"]))
    assert other_key.identity == point.identity
    for changed in (
        make_plan(TINY, ["hidden=9"]),
        make_plan(TINY, ["hidden=8"], seeds=2),
        make_plan(TINY, ["hidden=8"], folds=3),
        make_plan(TINY.changed({"seed": 1}), ["hidden=8"]),
    ):
        assert points(changed)[0].identity != point.identity


def test_equal_recipes_are_one_point() -> None:
    assert make_plan(TINY, ["network.layers=[64,4,10],[64,6,10]", "hidden=5"]).trials == 1
    random = make_plan(TINY, ["hidden=4,8"], method="random", trials=30)
    assert random.trials == 2  # there are no more


def test_the_first_random_points_do_not_depend_on_their_number() -> None:
    over = ["hidden=2:20", "learning_rate=log:0.1:10"]
    few, many = (points(make_plan(TINY, over, method="random", trials=count, seed=3)) for count in (4, 9))
    assert many[:4] == few
    assert len({point.identity for point in many}) == 9
    assert points(make_plan(TINY, over, method="random", trials=4, seed=4)) != few


def test_a_plan_is_written_and_read(tmp_path: Path) -> None:
    for plan in (
        make_plan(TINY, ["network.layers=[64,4,10],[64,6,10]", "learning_rate=0.1,1"], folds=2, seeds=3, seed=4),
        make_plan(TINY, ["hidden=2:9", "learning_rate=log:0.1:1"], pruner="median", trials=7),
    ):
        (tmp_path / PLAN).write_text(plan_text(plan))
        assert read_plan(tmp_path) == plan == read_plan(tmp_path / PLAN)
        assert points(read_plan(tmp_path)) == points(plan)
        assert fingerprint(read_plan(tmp_path)) == fingerprint(plan)


def test_the_fingerprint_is_of_what_determines_the_results() -> None:
    base = make_plan(TINY, GRID)
    others = [
        make_plan(TINY, GRID[::-1]),
        make_plan(TINY, GRID, seeds=2),
        make_plan(TINY, GRID, folds=2),
        make_plan(TINY, GRID, seed=1),
        make_plan(TINY, GRID, pruner="median"),
        make_plan(TINY, GRID, method="random"),
        make_plan(TINY.changed({"epochs": 2}), GRID),
    ]
    assert len({fingerprint(plan) for plan in (base, *others)}) == len(others) + 1
    assert fingerprint(make_plan(TINY.changed({"title": "b"}), GRID)) == fingerprint(base)
    few, many = (fingerprint(make_plan(TINY, ["hidden=2:9"], trials=count)) for count in (3, 5))
    assert few == many


def test_targets_are_judged_by_their_loss() -> None:
    recipe = gn.load_recipe("chain")
    assert not make_plan(recipe.changed({"data.fractions": [0.5, 0.5, 0.0]}), ["learning_rate=0.1,1"]).maximise


@pytest.mark.parametrize(
    ("over", "options", "what", "where"),
    [
        ([], {}, "A search needs keys to search over.", "search"),
        (["hidden=4", "hidden=8"], {}, "A key is listed twice.", "--over hidden"),
        (["epochs=4", "training.epochs=8"], {}, "A key is listed twice.", "--over training.epochs"),
        (["hidden=4:8"], {"method": "grid"}, "A grid needs values, and this is a range.", "--over hidden=4:8"),
        (GRID, {"method": "grid", "trials": 2}, "The grid has more points than trials.", "--trials"),
        (GRID, {"method": "gird"}, "Unknown method.", "search"),
        (GRID, {"pruner": "medium"}, "Unknown pruner.", "search"),
        (GRID, {"trials": 0}, "trials must be a whole number of at least 1.", "search(trials)"),
        (GRID, {"folds": 0}, "folds must be a whole number of at least 1.", "search(folds)"),
        (GRID, {"seeds": 1.5}, "seeds must be a whole number of at least 1.", "search(seeds)"),
        (["average=0.5:2"], {}, "A value of the recipe is wrong.", "--over average=2; recipe digits, training.average"),
        (
            ["batch_size=8,0"],
            {},
            "A value of the recipe is wrong.",
            "--over batch_size=0; recipe digits, training.batch_size",
        ),
        (["optimizer=SGD,Adm"], {}, "Unknown optimizer.", "--over optimizer=Adm; recipe digits, training.optimizer"),
        (["hidden=8,0"], {}, "The units of the hidden dense layers are whole numbers above 0.", "--over hidden=0; hidden"),
        (["network.layers=[64,10],[100,10]"], {}, "The images do not fit the network.", None),
        (["hidden=8", "learning_rate=1,-1"], {}, "The learning rate must be positive.", None),
    ],
)  # fmt: skip
def test_what_is_refused_before_anything_starts(over: Any, options: dict[str, Any], what: str, where: str | None) -> None:
    with pytest.raises(gn.GlassnetError) as caught:
        make_plan(TINY, over, **options)
    assert caught.value.what == what
    if where is not None:
        assert caught.value.where == where


def test_a_search_needs_validation_data_or_folds(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((20, 8, 8), np.uint8), y=np.arange(20) % 2)
    recipe = TINY.changed(
        {"data.path": str(tmp_path / "a.npz"), "data.fractions": [0.5, 0.0, 0.5], "network.layers": [64, 8, 2]}
    )
    with pytest.raises(gn.DataError) as caught:
        make_plan(recipe, ["hidden=4,8"])
    assert caught.value.what == "A search needs validation data, and this recipe has none."
    assert make_plan(recipe, ["hidden=4,8"], folds=2).trials == 2


def test_what_is_no_plan(tmp_path: Path) -> None:
    def received() -> str:
        with pytest.raises(gn.RunError) as caught:
            read_plan(tmp_path)
        assert caught.value.what == "This is not the folder of a search."
        return str(caught.value.received)

    assert received() == "no search.json in it"
    (tmp_path / PLAN).write_text("{")
    assert "EOF" in received()
    values = json.loads(plan_text(make_plan(TINY, ["hidden=4"])))
    (tmp_path / PLAN).write_text(json.dumps(values | {"method": "luck"}))
    assert received().startswith("method: ")
