"""`glassnet trace`: a run, a recipe, an image file; what it says and refuses."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import glassnet as gn

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine


def test_a_run_on_the_terminal_and_as_a_page(cli: CommandLine, trained: Path) -> None:
    outcome = cli.good("trace", trained, "--image", 4, "--unit", "dense2.3", "--out", "page.html")
    assert "the image" not in outcome.out
    for part in ("FORWARD", "THE LOSS", "BACKWARD", "NUMERICAL GRADIENT", "UPDATE", "BP1", "BP2", "BP4", "nn/dense.py:"):
        assert part in outcome.out
    assert outcome.lines[-1] == "The page is in page.html"
    trace = gn.trace(str(trained), 4, unit="dense2.3")
    assert Path("page.html").read_text(encoding="utf-8") == trace.html()
    assert f"the weight {trace.weight}" in outcome.out


def test_a_recipe_before_training(cli: CommandLine) -> None:
    outcome = cli.good("trace", "chain", "--image", 1)
    assert "+0.233300    +0.1249122161  +0.1249122161" in outcome.out
    assert "target 1" in outcome.out


def test_the_page_is_written_by_default_where_it_belongs(cli: CommandLine, digits_run: Path) -> None:
    assert cli.good("trace", digits_run).lines[-1] == f"The page is in {digits_run / 'trace.html'}"
    assert (digits_run / "trace.html").read_text(encoding="utf-8") == gn.trace(str(digits_run)).html()
    assert cli.good("trace", "chain").lines[-1] == "The page is in chain-trace.html"
    assert Path("chain-trace.html").is_file()
    Path("mine").mkdir()
    shutil.copy(digits_run / "recipe.toml", "mine/first.toml")
    assert cli.good("trace", "mine/first.toml").lines[-1] == f"The page is in {Path('mine/digits-trace.html')}"


def test_by_default_the_network_was_unsure_of_the_image(cli: CommandLine, digits_run: Path) -> None:
    run = gn.Run.load(digits_run)
    assert run.splits.validation is not None
    probabilities = run.network.predict_proba(run.splits.validation.images)
    right = probabilities.argmax(axis=1) == run.splits.validation.labels
    place = int(np.flatnonzero(right)[probabilities[right].max(axis=1).argmin()])
    out = " ".join(cli.good("trace", digits_run).out.split())
    assert f"image {place} of the validation data" in out
    share = f"{100 * probabilities[place].max():.0f} %"
    assert f"Of the first 270 validation images, the one classified correctly with the lowest probability, {share}." in out
    assert "image 0 of the training data" in cli.good("trace", digits_run, "--image", 0).out


def test_an_image_file(cli: CommandLine, digits_run: Path, digit_images: list[tuple[Path, int]]) -> None:
    path, digit = digit_images[7]
    outcome = cli.good("trace", digits_run, "--image", path, "--label", digit)
    assert f"{path.name}, labelled {digit}; predicted" in outcome.out
    assert "No label was given" in cli.good("trace", digits_run, "--image", path).out


def test_wrong_input_is_one_message(cli: CommandLine, trained: Path) -> None:
    assert cli.wrong("trace", trained, "--weight", "dense9.0.0")["what"] == "There is no such layer."
    assert cli.wrong("trace", trained, "--image", 99999)["expected"].endswith("of the train part")
    assert cli.wrong("trace", trained, "--image", "nothing.png")["what"] == "The image can't be read."
    assert cli.wrong("trace", "chian")["try"] == "did you mean 'chain'?"
    Path("text.png").write_text("no image")
    assert "where" in cli.wrong("trace", trained, "--image", "text.png")
    assert cli.wrong("trace", trained, "--out", "text.png/page.html")["what"] == "The page can't be written."
    cli.misused("trace", trained, "--part", "test")
