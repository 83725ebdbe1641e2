"""Other values for keys of a recipe: where a learning rate goes."""

from __future__ import annotations

from typing import Any

import pytest

import glassnet as gn


@pytest.mark.parametrize(
    ("settings", "optimizer"),
    [
        ({}, {"type": "AdamW", "learning_rate": {"type": "OneCycle", "learning_rate": 0.5}}),
        (
            {"optimizer.weight_decay": 0.1, "optimizer.learning_rate": 3},
            {"type": "AdamW", "weight_decay": 0.1, "learning_rate": 0.5},
        ),
        ({"optimizer": "SGD"}, {"type": "SGD", "learning_rate": 0.5}),
        ({"optimizer.type": "SGD", "optimizer.momentum": 0.9}, {"type": "SGD", "momentum": 0.9, "learning_rate": 0.5}),
        (
            {
                "optimizer.learning_rate": {
                    "type": "warm-up",
                    "share": 0.1,
                    "then": {"type": "CosineDecay", "learning_rate": 2},
                }
            },
            {
                "type": "AdamW",
                "learning_rate": {"type": "warm-up", "share": 0.1, "then": {"type": "CosineDecay", "learning_rate": 0.5}},
            },
        ),
        (
            {"optimizer.learning_rate": {"type": "WarmUp", "then": "OneCycle"}},
            {"type": "AdamW", "learning_rate": {"type": "WarmUp", "then": {"type": "OneCycle", "learning_rate": 0.5}}},
        ),
    ],
)
def test_a_learning_rate_alone_is_the_optimizers_whatever_schedule_it_follows(settings: Any, optimizer: Any) -> None:
    recipe = gn.load_recipe("digits")
    before = recipe.to_toml()
    found = recipe.changed({"learning_rate": 0.5, **settings})
    assert found.training.optimizer == optimizer
    rates = found.make_optimizer().schedule.rates(0, 1000, 1000)  # type: ignore[union-attr]
    assert max(rates) == pytest.approx(0.5, rel=1e-3)
    assert recipe.to_toml() == before


@pytest.mark.parametrize(
    ("network", "hidden", "found"),
    [
        ({"layers": [64, 30, 20, 10]}, 50, {"layers": [64, 50, 50, 10]}),
        ({"layers": [64, 30, 10]}, "100-50", {"layers": [64, 100, 50, 10]}),
        ({"layers": [64, 10]}, [40], {"layers": [64, 40, 10]}),
        ({"architecture": "mlp"}, 50, {"architecture": {"type": "mlp", "units": [50, 50]}}),
        ({"architecture": {"type": "lenet", "padding": "same"}}, 5,
         {"architecture": {"type": "lenet", "padding": "same", "units": [5]}}),
        ({"architecture": {"type": "mlp", "units": [9]}}, "7-8", {"architecture": {"type": "mlp", "units": [7, 8]}}),
    ],
)  # fmt: skip
def test_hidden_is_the_units_of_the_hidden_dense_layers(network: Any, hidden: Any, found: Any) -> None:
    base = gn.load_recipe("digits")
    recipe = gn.Recipe.model_validate(base.model_dump(exclude_none=True) | {"network": network})
    assert recipe.changed({"hidden": hidden}).network.model_dump(exclude_none=True, include={*found}) == found


def test_hidden_sets_each_dense_layer_but_the_last_of_a_list() -> None:
    recipe = gn.load_recipe("digits")

    def units(changed: gn.Recipe) -> list[int]:
        return [layer["units"] for layer in changed.network.layers or () if isinstance(layer, dict) and "units" in layer]

    assert units(recipe.changed({"hidden": 50})) == [50, 50, 10]
    assert units(recipe.changed({"hidden": "100-50"})) == [100, 50, 10]
    assert recipe.changed({"hidden": 50}).overridden == ["network.layers"]
    shorthand = recipe.changed({"hidden": 50, "network.layers": [64, 30, 10]})  # whatever comes first
    assert shorthand.network.layers == [64, 50, 10]


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"hidden": 0}, "The units of the hidden dense layers are whole numbers above 0."),
        ({"hidden": 1.5}, "The units of the hidden dense layers are whole numbers above 0."),
        ({"hidden": "many"}, "The units of the hidden dense layers are whole numbers above 0."),
        ({"hidden": []}, "The units of the hidden dense layers are whole numbers above 0."),
        ({"hidden": "50-50-50"}, "The network has another number of hidden dense layers."),
        ({"hidden": 50, "network.layers": [64, 10]}, "This network has no hidden dense layers."),
        ({"hidden": 5, "network.layers": [{"type": "Dense", "units": 2}]}, "This network has no hidden dense layers."),
        ({"hidden": 50, "architecture": "vgg"}, "This network has no hidden dense layers."),
    ],
)  # fmt: skip
def test_hidden_units_that_there_can_not_be(settings: dict[str, Any], what: str) -> None:
    with pytest.raises(gn.RecipeError) as caught:
        gn.load_recipe("digits").changed(settings)
    assert caught.value.what == what
    assert caught.value.where == "hidden"
