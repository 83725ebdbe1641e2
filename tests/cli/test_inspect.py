"""`glassnet inspect`: the report, JSON, the folder, exit codes, and wrong input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import glassnet as gn

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine


@pytest.fixture
def faulty(here: Path) -> str:
    """A .npz of digits with a blank image and a duplicate."""
    train = gn.load_dataset("digits").train
    images = np.array(train.images[:300])
    images[7], images[20] = 0, images[30]
    labels = np.array(train.labels[:300])
    labels[20] = labels[30]
    np.savez(here / "faulty.npz", images=images, labels=labels)
    return "faulty.npz"


def test_findings_come_first(cli: CommandLine, faulty: str) -> None:
    lines = cli.good("inspect", faulty).lines
    assert lines[0] == "faulty.npz: 300 of 8 × 8 × 1, uint8, 10 classes"
    assert lines[2] == "2 findings"
    assert any(line.startswith("1. ") for line in lines)
    assert lines.index("Checks") > lines.index("2 findings")
    assert [path.name for path in Path().iterdir()] == ["faulty.npz"]


def test_json(cli: CommandLine, faulty: str) -> None:
    assert json.loads(cli.good("inspect", faulty, "--json").out) == gn.inspect(faulty).as_dict()


def test_strict_ends_with_1_where_there_are_findings(cli: CommandLine, faulty: str) -> None:
    outcome = cli("inspect", faulty, "--strict")
    assert (outcome.code, outcome.err) == (1, "")
    assert "No findings." in cli.good("inspect", "digits", "--strict").lines


def test_sheets_and_json_into_a_folder(cli: CommandLine, faulty: str) -> None:
    outcome = cli.good("inspect", faulty, "--out", "a")
    assert outcome.lines[-1] == "14 files in a: contact sheets of classes and findings (.png), and inspection.json"
    assert len(list(Path("a").iterdir())) == 14
    assert json.loads(Path("a/inspection.json").read_text(encoding="utf-8"))["data"] == "faulty.npz"


def test_options_of_reading(cli: CommandLine) -> None:
    found = json.loads(cli.good("inspect", "digits", "--size", "6x5", "--split", "random",
                                "--fractions", "0.5,0.25,0.25", "--split-seed", 3, "--json").out)  # fmt: skip
    assert found["shape"] == [6, 5, 1]
    assert [part["images"] for part in found["parts"]] == [899, 449, 449]


def test_what_it_refuses(cli: CommandLine, faulty: str) -> None:
    assert cli.wrong("inspect", "digts")["try"] == 'did you mean "digits"?'
    assert cli.wrong("inspect", "digits", "--size", "big")["what"] == "Numbers are expected."
    assert cli.wrong("inspect", "digits", "--size", "0")["what"] == "This is not an image size."
    assert cli.wrong("inspect", "digits", "--color", "red")["what"] == "Unknown color."
    assert cli.wrong("inspect", "digits", "--split", "group")["what"] == "There are no groups to split by."
    assert cli.wrong("inspect", "digits", "--pattern", "(?P<label>.)")["expected"] == "no pattern"
    assert cli.wrong("inspect", "none.toml")["what"] == "There is no such recipe file."
    Path("file").write_text("", encoding="utf-8")
    assert cli.wrong("inspect", faulty, "--out", "file/a")["what"] == "The folder can't be written."
    assert "Missing argument" in cli.misused("inspect")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_second_opinion_on_labels(cli: CommandLine, here: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.setenv("GLASSNET_LANG", language)
    monkeypatch.setattr("glassnet.analysis.inspection.cross_validation.LEAST_STEPS", 100)
    data = gn.load_dataset("digits").train[:300]
    labels = np.array(data.labels)
    labels[:6] = (labels[:6] + 4) % 10
    np.savez(here / "wrong.npz", images=data.images, labels=labels)
    outcome = cli.good("inspect", "wrong.npz", "--labels", "--out", "a")
    text = " ".join(outcome.out.split())
    if language == "en":
        assert "Judging labels …" in outcome.lines
        assert "whose label a network that was not trained on them contradicts" in text
        assert "the network agrees with" in text
    else:
        assert "正在判断标签……" in outcome.lines
        assert "的标签与未用它们训练过的网络矛盾" in text
        assert "很可能错误的标签" in text
    assert {"labels.csv", "labels-01.png", "labels-02.png", "inspection.json"} <= {path.name for path in Path("a").iterdir()}
    rows = Path("a/labels.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 301
    assert rows[0].startswith("rank,split,index,file,given,suggested,")
    found = json.loads(Path("a/inspection.json").read_text(encoding="utf-8"))["findings"]
    assert "likely-wrong-labels" in {finding["name"] for finding in found}


def test_labels_that_can_not_be_judged(cli: CommandLine, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = gn.load_dataset("digits").train
    few = data[np.concatenate([np.flatnonzero(data.labels == 2)[:4], np.flatnonzero(data.labels == 5)])]
    np.savez(here / "few.npz", images=few.images, labels=few.labels == 5)
    assert "has too few images for its labels to be checked." in cli.wrong("inspect", "few.npz", "--labels")["what"]
    assert cli.wrong("inspect", "chain", "--labels")["what"] == "These labels can't be checked."
    one = data[data.labels == 3]
    np.savez(here / "one.npz", images=one.images, labels=np.zeros(len(one), np.int64))
    assert cli.wrong("inspect", "one.npz", "--labels")["expected"] == "images of two classes or more"
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    assert cli.wrong("inspect", "few.npz", "--labels")["try"] == 'pip install "glassnet[labels]"'
