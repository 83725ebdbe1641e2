"""`glassnet find-rate`: the suggestion, the figure, the command that follows, and what it refuses."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import glassnet as gn

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine


@pytest.mark.usefixtures("plain_figure")
def test_find_rate_suggests_and_draws(cli: CommandLine) -> None:
    from PIL import Image

    outcome = cli.good("find-rate", "digits", "--seed", 1)
    splits, recipe = gn.load_dataset("digits"), gn.load_recipe("digits").changed({"seed": 1})
    result = gn.find_learning_rate(
        recipe.make_network(splits), splits.train, optimizer=recipe.make_optimizer(), batch_size=32, seed=1
    )
    assert outcome.lines[0] == str(result)
    with Image.open("digits-rates.png") as image:
        assert image.format == "PNG"
    assert [path.name for path in Path().iterdir()] == ["digits-rates.png"]
    command = outcome.lines[-1].strip()
    assert command == f"glassnet train digits --set learning_rate={result.suggested:.2g}"
    cli.good(*shlex.split(command)[1:], "--epochs", 1, "--out", "a")
    optimizer = gn.load_recipe("a/recipe.toml").training.optimizer
    assert optimizer == {
        "type": "AdamW", "learning_rate": {"type": "OneCycle", "learning_rate": float(f"{result.suggested:.2g}")}
    }  # fmt: skip


def test_the_figure_lies_where_it_was_asked_for(cli: CommandLine) -> None:
    cli.good("find-rate", "digits", "--set", "optimizer=SGD", "--out", "a.png", "--low", "1e-4", "--steps", 60)
    assert Path("a.png").exists()


def test_no_suggestion_ends_with_1(cli: CommandLine) -> None:
    outcome = cli("find-rate", "digits", "--low", "1e-9", "--high", "1e-8")
    assert (outcome.code, outcome.err) == (1, "")
    assert outcome.lines[0].startswith("No learning rate can be suggested: the loss did not fall clearly")


def test_find_rate_of_what_it_can_not(cli: CommandLine) -> None:
    assert cli.wrong("find-rate", "digts")["try"] == "did you mean 'digits'?"
    parts = cli.wrong("find-rate", "digits", "--low", 1, "--high", 0.5)
    assert (parts["what"], parts["received"]) == ("The lowest rate must be below the highest.", "1.0, 0.5")
    assert cli.wrong("find-rate", "digits", "--steps", 5)["expected"] == "10 or more"
    parts = cli.wrong("find-rate", "digits", "--set", "optimizer=ScipyMinimize")
    assert parts["what"] == "This optimizer has no learning rate."
    assert cli.wrong("find-rate", "digits", "--out", "nowhere/a.png")["what"] == "The figure can't be written."
    assert cli.wrong("find-rate", "digits", "--set", "rate=1")["what"] == "A recipe has no such key."
    assert "Missing argument" in cli.misused("find-rate")
