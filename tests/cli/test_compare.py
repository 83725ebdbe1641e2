"""`glassnet compare`: what it prints, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

import glassnet as gn
from glassnet.analysis.comparison import measure
from glassnet.analysis.comparison.baselines import BASELINES, Baseline, Fitted

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

QUICK = tuple(each for each in BASELINES if each.name in ("majority class", "k-nearest neighbours"))


@pytest.fixture
def two(digits_run: Path) -> list[Path]:
    """A run of three epochs, and one of a single epoch."""
    gn.train("digits", epochs=1, out="poor", progress=False)
    return [digits_run, Path("poor")]


def test_a_table_and_a_sentence_for_each_pair(cli: CommandLine, two: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "BASELINES", QUICK)
    outcome = cli.good("compare", *two, "--baselines", "--show", "dots.png")
    accuracies = {name: 100 * _accuracy(name) for name in two}
    for name, accuracy in accuracies.items():
        assert f"{name}: {accuracy:.2f} %, trained in" in outcome.out
        (line,) = [line for line in outcome.lines if line.startswith(f"{name} ") and "–" in line]
        assert f"  {accuracy:.2f} %  " in line
    assert "Baselines, trained on 1,259 images:" in outcome.out
    assert "majority class is better" not in outcome.out
    assert "better than majority class by" in outcome.out
    assert "On 270 validation images." in outcome.out
    assert "Accuracies and intervals: dots.png" in outcome.out
    with Image.open("dots.png") as image:
        assert image.width > 500
    assert not gn.Run.load(two[0]).looks


def _accuracy(folder: Path) -> float:
    run = gn.Run.load(folder)
    assert run.splits.validation is not None
    return run.network.evaluate(run.splits.validation).accuracy


def test_json_is_all_that_is_printed(cli: CommandLine, two: list[Path]) -> None:
    outcome = cli.good("compare", *two, "--json", "--seeds", 2, "--out", "more")
    values = json.loads(outcome.out)
    assert values["part"] == "validation"
    assert [len(each["accuracies"]) for each in values["entrants"]] == [2, 2]
    (pair,) = values["pairs"]
    first, second = values["entrants"]
    assert pair["difference"] == pytest.approx(first["accuracy"] - second["accuracy"])
    assert {path.name for path in Path("more").iterdir()} == {"compare-digits-run", "compare-poor"}


def test_the_test_set_is_used_only_when_asked_for(cli: CommandLine, two: list[Path]) -> None:
    outcome = cli.good("compare", *two, "--test")
    assert "On 268 test images." in outcome.out
    assert "Evaluations of one run on the test set so far: 1" in outcome.out
    assert [len(gn.Run.load(folder).looks) for folder in two] == [1, 1]


def test_an_interrupt_keeps_what_is_measured(cli: CommandLine, two: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(train: gn.Dataset, validation: gn.Dataset) -> Fitted:
        if len(train) > 1000:  # not while the plan is made
            raise KeyboardInterrupt
        return QUICK[0].fit(train, validation)

    slow = Baseline("SVC, default", interrupted, lambda n, m: n)
    monkeypatch.setattr(measure, "BASELINES", (QUICK[0], slow))
    outcome = cli("compare", *two, "--baselines")
    assert outcome.code == 130
    assert "better than majority class by" in outcome.out
    assert "SVC" not in outcome.out.split("accuracy")[-1]
    assert outcome.err == "\nglassnet: interrupted\nWhat was measured until then is above.\n"


def test_an_interrupted_training_of_seeds_goes_on(cli: CommandLine, two: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from glassnet.experiment import sweep

    train, calls = sweep.train, []

    def once(*arguments: Any, **options: Any) -> gn.Run:
        calls.append(options["out"])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train(*arguments, **options)

    monkeypatch.setattr(sweep, "train", once)
    outcome = cli("compare", *two, "--seeds", 2)
    assert outcome.code == 130
    assert outcome.err.endswith("The seeds that were trained are kept in runs: the same command uses them.\n")
    first = Path("runs/compare-digits-run/seed-1/model.safetensors")
    before = first.stat().st_mtime_ns
    cli.good("compare", *two, "--seeds", 2)
    assert first.stat().st_mtime_ns == before
    assert len(calls) == 3


def test_what_is_refused(cli: CommandLine, two: list[Path]) -> None:
    assert cli.wrong("compare", two[0])["try"] == "glassnet compare RUN --baselines"
    assert cli.wrong("compare", two[0], two[0])["what"] == "A run is listed twice."
    assert cli.wrong("compare", two[0], "nowhere")["what"] == "This is not a run folder."
    np.savez("two.npz", images=np.zeros((60, 8, 8), np.uint8), labels=np.arange(60) % 2)
    settings = {"network.layers": [64, 4, 2], "network.loss": "Quadratic"}
    gn.train("digits", data="two.npz", epochs=1, settings=settings, out="other-classes", progress=False)
    parts = cli.wrong("compare", two[0], "other-classes")
    assert parts["what"] == "The runs were trained on other classes."
    assert parts["received"] == "0, 1"
    gn.train("digits", epochs=1, settings={"data.split_seed": 3}, out="other-data", progress=False)
    assert cli.wrong("compare", two[0], "other-data")["what"] == "The runs do not have the same validation data."
    assert "--seeds" in cli.misused("compare", two[0], "--seeds", 1)
