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
