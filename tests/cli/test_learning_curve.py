"""`glassnet learning-curve`: what it says, what it keeps, how it goes on, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.experiment.shares import train_share
from glassnet.present.figures import learning_curve_figure

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

TRAIN = "glassnet.analysis.learning_curve.trainings.train_share"
QUICK = ("learning-curve", "digits", "--epochs", 3, "--draws", 2, "--shares", "0.1,0.2,0.4")


def test_a_curve_of_the_bundled_digits(cli: CommandLine) -> None:
    from PIL import Image

    outcome = cli.good(*QUICK, "--target", 0.97)
    folder = Path("runs", "digits-curve")
    assert outcome.lines[0].startswith(
        "6 trainings: 2 on each of 126, 252, 504 of the 1,259 training images, judged on 270 validation images: "
    )
    assert [line.split(":")[0] for line in outcome.lines[1:7]] == [f"{number}/6" for number in range(1, 7)]
    assert "With the 1,259 training images there are: about " in outcome.out
    assert "With twice as many: about " in outcome.out
    assert "\n97 % would need " in outcome.out
    assert {path.name for path in folder.iterdir()} == {"learning_curve.png", "learning_curve.jsonl"}
    header, *rows = map(json.loads, (folder / "learning_curve.jsonl").read_text().splitlines())
    assert header["recipe"]["training"]["epochs"] == 3
    assert [(row["share"], row["draw"]) for row in rows] == [(share, draw) for draw in (0, 1) for share in (0.1, 0.2, 0.4)]
    with Image.open(folder / "learning_curve.png") as image:
        image.load()
        colours = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) > 50


@pytest.mark.usefixtures("plain_figure")
def test_an_interrupted_curve_goes_on_to_the_same_result(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = json.loads(cli.good(*QUICK, "--json", "--out", "whole").out)
    trained: list[Any] = []

    def interrupted(*arguments: Any, **options: Any) -> Any:
        if len(trained) == 4:
            raise KeyboardInterrupt
        trained.append(arguments[1:3])
        return train_share(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(TRAIN, interrupted)
        outcome = cli(*QUICK, "--json", "--out", "a")
    assert outcome.code == 130
    assert "4 of 6 trainings are kept in a; the same command goes on from there." in outcome.err
    monkeypatch.setattr(TRAIN, lambda *a, **o: trained.append(a[1:3]) or train_share(*a, **o))
    again = cli.good(*QUICK, "--out", "a")
    assert "; 4 of them are done: " in again.lines[0]
    assert len(trained) == len(set(trained)) == 6
    assert json.loads(cli.good(*QUICK, "--json", "--out", "a").out) == whole
    assert len(trained) == 6


@pytest.mark.usefixtures("plain_figure")
def test_json_has_all_numbers(cli: CommandLine) -> None:
    found = json.loads(cli.good(*QUICK, "--json", "--target", 0.5, "--target", 0.99999).out)
    assert (found["recipe"], found["images"], found["validation_images"], found["interval"]) == ("digits", 1259, 270, 0.9)
    assert [len(point["accuracies"]) for point in found["points"]] == [2, 2, 2]
    for predicted in found["predicted"]:
        assert 0 <= predicted["low"] <= predicted["middle"] <= predicted["high"] <= 1
    assert [need["accuracy"] for need in found["needed"]] == [0.5, 0.99999]
    assert found["needed"][1]["high"] is None


def test_what_it_refuses(cli: CommandLine) -> None:
    assert cli.wrong("learning-curve", "digts")["try"] == "did you mean 'digits'?"
    parts = cli.wrong("learning-curve", "digits", "--shares", "0.1,0.2,2")
    assert (parts["what"], parts["received"]) == ("A share must be a part of the training images.", "2.0")
    assert cli.wrong("learning-curve", "digits", "--shares", "0.1,0.2")["what"] == "A curve needs at least three sizes."
    assert cli.wrong("learning-curve", "digits", "--shares", "a,b,c")["what"] == "Numbers are expected."
    parts = cli.wrong("learning-curve", "digits", "--shares", "0.002,0.1,0.2")
    assert "too few images" in parts["received"]
    assert cli.wrong("learning-curve", "chain")["expected"] == "labels that are class indices"
    assert cli.wrong("learning-curve", "digits", "--target", 98)["expected"] == "0 < accuracy < 1"
    assert cli.wrong("learning-curve", "digits", "--set", "rate=1")["what"] == "A recipe has no such key."
    Path("a").mkdir()
    Path("a/learning_curve.jsonl").write_text('{"recipe": {}}\n')
    assert cli.wrong("learning-curve", "digits", "--out", "a")["try"] == "choose another with --out"
    assert "--draws" in cli.misused("learning-curve", "digits", "--draws", 0)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_figure_shows_points_curve_and_interval(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSNET_LANG", language)
    curve = gn.learning_curve("digits", shares=(0.1, 0.2, 0.4), draws=2, epochs=2)
    (axes,) = learning_curve_figure(curve, "a title").axes
    points = next(line for line in axes.lines if line.get_marker() == "o")
    assert np.array_equal(points.get_xdata(), [one.images for one in curve.measured])
    assert axes.get_xscale() == "log"
    low, high = axes.get_xlim()
    assert low < 126 < 4 * 1259 <= high * 1.01
    assert axes.get_xlabel() == {"en": "training images", "zh": "训练图像"}[language]
    _, middle, _ = curve.predict(1259)
    dashed = axes.lines[0]
    found = np.interp(1259, np.asarray(dashed.get_xdata(), float), np.asarray(dashed.get_ydata(), float))
    assert found == pytest.approx(100 * middle, abs=0.2)
