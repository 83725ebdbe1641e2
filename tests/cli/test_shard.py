"""`glassnet shard`: what it says, an interruption, checking, and wrong input."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import glassnet as gn
from glassnet.data.shards.plan import ShardPlan

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

SMALL = ("--block", 32, "--shard-images", 256, "--workers", 1)


def test_what_is_planned_written_and_next(cli: CommandLine, here: Path) -> None:
    lines = cli.good("shard", "digits", "out", "--size", 16, "--fractions", "0.8,0.1,0.1", "--seed", 2, *SMALL).lines
    splits = gn.load_dataset("out")
    assert splits.train.shape == (16, 16, 1)
    assert lines[0] == f"1,797 images of 16 × 16 × 1: train {len(splits.train):,}, validation 180, test 179"
    assert lines[1].startswith(f"8 shards of 256 images, 0.5 MB in {here / 'out'}, where ")
    assert lines[-3:] == [
        "Shard 8 / 8, 0 s left", "1,797 images in 8 shards, 0.5 MB: out", "Next: glassnet train RECIPE --data out",
    ]  # fmt: skip
    again = cli.good("shard", "digits", "out", "--size", 16, "--fractions", "0.8,0.1,0.1", "--seed", 2, *SMALL)
    assert again.lines[0] == "All shards are written already."
    assert cli.good("shard", "--check", "out").lines[-1] == "All checksums are right."


def test_ctrl_c_keeps_what_is_written(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ShardPlan.write

    def interrupted(plan: ShardPlan, number: int) -> int:
        if number == 3:
            raise KeyboardInterrupt
        return real(plan, number)

    monkeypatch.setattr(ShardPlan, "write", interrupted)
    outcome = cli("shard", "digits", "out", *SMALL)
    assert outcome.code == 130
    assert outcome.err.strip() == "glassnet: interrupted; 3 of 9 shards are written. The same command goes on."
    assert cli.wrong("inspect", "out")["what"] == "These shards are not finished."
    monkeypatch.setattr(ShardPlan, "write", real)
    assert "3 of them are written already." in cli.good("shard", "digits", "out", *SMALL).lines


def test_characters_of_fonts(cli: CommandLine) -> None:
    cli.good("shard", "--fonts", "DejaVu Serif", "--test-fonts", "DejaVu Sans Mono",
             "--characters", "ab", "--copies", 20, "--size", 12, "--split", "stratified", "out", *SMALL)  # fmt: skip
    splits = gn.load_dataset("out")
    assert splits.classes == ("a", "b")
    assert splits.test is not None
    assert set(splits.test.groups.tolist()) == {"DejaVu Sans"}  # type: ignore[union-attr]


def test_training_on_shards(cli: CommandLine) -> None:
    cli.good("shard", "digits", "out", *SMALL)
    cli("train", "digits", "--data", "out", "--epochs", 1, "--out", "run")
    assert isinstance(gn.Run.load("run").splits.train.images, np.memmap)
    assert cli.good("inspect", "out").lines[0].startswith("out: 1,797 of 8 × 8 × 1, uint8, 10 classes")
    assert cli.good("evaluate", "run").code == 0


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("digits",), "Give a source of images and a folder to write."),
        ((), "Give a source of images and a folder to write."),
        (("--check",), "Give a folder of shards to check."),
        (("--check", "digits", "out"), "Give a folder of shards to check."),
        (("digits", "out", "--fonts", "DejaVu Sans"), "Give either a source of images, or fonts to draw them from."),
        (("missing", "out"), "There is no data set of this name, and no such file or folder."),
        (("digits", "out", "--size", "big"), "Numbers are expected."),
        (("nosuch://host/a.zip", "out"), "This address can't be read."),
        (("--check", "missing"), "These shards are not finished."),
    ],
)
def test_wrong_input(cli: CommandLine, arguments: tuple[object, ...], what: str) -> None:
    assert cli.wrong("shard", *arguments)["what"] == what


def test_a_truncated_shard(cli: CommandLine) -> None:
    cli.good("shard", "digits", "out", *SMALL)
    path = Path("out/train.images.npy")
    path.write_bytes(path.read_bytes()[:-7])
    for command in (("train", "digits", "--data", "out", "--out", "run"), ("inspect", "out"), ("shard", "--check", "out")):
        assert cli.wrong(*command)["what"] == "These shards are damaged: a file is not what the manifest says."
