"""Nothing that goes wrong after a training loses it: one message says where the model is, and how to make what is missing."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import glassnet as gn
from glassnet.errors import UnfinishedError, WriteError
from glassnet.support.storage import read_tensors
from glassnet.training import Callback, Epoch, Progress
from glassnet.training.checkpoint import State
from glassnet.training.display import LiveBar, PlainLines

SHORT = ("digits", "--epochs", 4)
NO_ROOM, FORBIDDEN, READ_ONLY = errno.ENOSPC, errno.EACCES, errno.EROFS


class Disk:
    """A disk on which writing files of some names fails."""

    def __init__(self) -> None:
        self.patch = pytest.MonkeyPatch()

    def fail(self, *names: str, code: int = NO_ROOM, first: int = 1, beside: str | None = None) -> None:
        """From the `first` time on, counted from when the folder has a file `beside`."""
        make, count = tempfile.mkstemp, 0

        def mkstemp(*, dir: Path, prefix: str, suffix: str) -> tuple[int, str]:
            nonlocal count
            if prefix.strip(".") in names and (beside is None or (dir / beside).exists()):
                count += 1
                if count >= first:
                    raise OSError(code, os.strerror(code))
            return make(dir=dir, prefix=prefix, suffix=suffix)

        self.patch.setattr(tempfile, "mkstemp", mkstemp)

    def make_room(self) -> None:
        self.patch.undo()


@pytest.fixture
def disk() -> Iterator[Disk]:
    found = Disk()
    yield found
    found.make_room()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Next to nothing is drawn, which takes longer than training; other processes draw all of it."""
    monkeypatch.setattr("glassnet.present.figures.training_figure", lambda *arguments: Figure(figsize=(1, 1)))
    monkeypatch.setattr("glassnet.present.figures.augmentation_figure", lambda *arguments, **options: Figure(figsize=(1, 1)))
    monkeypatch.setattr("glassnet.present.report.write.drawings", lambda facts: {"cost": Figure(figsize=(1, 1))})
    monkeypatch.setattr("glassnet.present.report.write.page", lambda *arguments: "a page")


def parts_of(error: str) -> dict[str, str]:
    """The parts of the one message on stderr."""
    assert "Traceback" not in error
    first, *rest = error.rstrip("\n").split("\n")
    found = [re.fullmatch(r"  (where|expected|received|try): +(.+)", line) for line in rest]
    assert first.startswith("glassnet: ")
    assert all(found), error
    return {"what": first.removeprefix("glassnet: "), **{each[1]: each[2] for each in found if each}}


# ------------------------------------------------------------------ after the training


@pytest.mark.parametrize(
    ("code", "lost"),
    [
        (NO_ROOM, ("report.html",)),
        (FORBIDDEN, ("training.png",)),
        (READ_ONLY, ("training.png", "augmentation.png", "report.html")),
        (NO_ROOM, ("training.png", "augmentation.png", "report.html")),
    ],
)
def test_what_cannot_be_written_after_training(cli: Any, here: Path, disk: Disk, code: int, lost: tuple[str, ...]) -> None:
    disk.fail(*lost, code=code)
    outcome = cli("train", *SHORT, "--set", "augmentation={ shift = 1 }", "--out", "a")
    assert outcome.code == 1
    parts = parts_of(outcome.err)
    assert "the model is saved in a/model.safetensors" in parts["what"]
    assert parts["where"] == ", ".join(f"a/{name}" for name in lost)
    assert parts["received"] == os.strerror(code)
    assert ("glassnet report a" in parts["try"]) == ("report.html" in lost)
    assert ("glassnet train --resume a" in parts["try"]) == ("training.png" in lost)
    assert parts["try"].startswith("make room") == (code == NO_ROOM)
    names = {"recipe.toml", "checkpoint.safetensors", "history.jsonl", "model.safetensors", "snapshots"}
    figures = {"training.png", "augmentation.png", "report.html"}
    assert {path.name for path in Path("a").iterdir()} == names | figures - set(lost)
    assert "Validation accuracy" in outcome.out
    assert not any(f"a/{name}" in outcome.out for name in lost)
    assert len(gn.Run.load("a").history) == 4


def test_what_was_lost_is_made_later(cli: Any, here: Path, disk: Disk) -> None:
    disk.fail("training.png", "report.html")
    assert cli("train", *SHORT, "--out", "a").code == 1
    disk.make_room()
    model = Path("a/model.safetensors").read_bytes()
    cli.good("report", "a")
    assert Path("a/report.html").exists()
    cli.good("train", "--resume", "a")
    assert Path("a/training.png").exists()
    assert Path("a/model.safetensors").read_bytes() == model


@pytest.mark.parametrize(
    ("place", "lost", "error"),
    [
        (
            "glassnet.present.figures.training_figure",
            "a/training.png",
            RuntimeError("In FT2Font: Can not load face\n(error 0x55)"),
        ),
        ("glassnet.present.report.report", "a/report.html", KeyError("x")),
        ("glassnet.present.report.write.page", "a/report.html", RuntimeError("In FT2Font: Can not load face")),
        ("glassnet.analysis.diagnosis.rules.diagnose", "a/report.html", MemoryError()),
    ],
)
def test_a_fault_in_what_comes_after(
    cli: Any, monkeypatch: pytest.MonkeyPatch, place: str, lost: str, error: Exception
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(place, fail)
    outcome = cli("train", *SHORT, "--out", "a")
    parts = parts_of(outcome.err)
    assert outcome.code == 1
    assert "the model is saved in a/model.safetensors" in parts["what"]
    assert parts["where"] == lost
    assert parts["received"].startswith(type(error).__name__)
    assert "Next:" in outcome.out
    gn.Run.load("a")


def test_one_of_several_seeds(cli: Any, disk: Disk) -> None:
    disk.fail("report.html", first=2)
    outcome = cli("train", *SHORT, "--seeds", 3, "--out", "a")
    parts = parts_of(outcome.err)
    assert outcome.code == 1
    assert "the model is saved in a" in parts["what"]
    assert parts["where"] == "a/seed-1/report.html, a/seed-2/report.html"
    assert parts["try"] == "make room on the disk; then glassnet report a/seed-1"
    assert Path("a/seed-0/report.html").exists()
    assert "Validation accuracy of 3 seeds" in outcome.out


def test_seeds_that_were_done_are_told(cli: Any, disk: Disk) -> None:
    disk.fail("recipe.toml", first=3)
    outcome = cli("train", *SHORT, "--seeds", 4, "--out", "a")
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1] == "2 of 4 seeds finished: see a"
    assert sorted(path.name for path in Path("a").iterdir()) == ["seed-0", "seed-1"]


def test_the_end_of_the_history(cli: Any, disk: Disk, here: Path) -> None:
    disk.fail("history.jsonl", beside="model.safetensors")
    outcome = cli("train", *SHORT, "--out", "a")
    parts = parts_of(outcome.err)
    assert outcome.code == 1
    assert "the model is saved in a/model.safetensors" in parts["what"]
    assert parts["where"] == "a/history.jsonl"
    assert "glassnet train --resume a" in parts["try"]
    with pytest.raises(UnfinishedError):
        gn.train("digits", epochs=2, out="b")
    disk.make_room()
    cli.good("train", "--resume", "a")
    assert len(gn.Run.load("a").history) == 4


def test_interrupted_while_the_report_is_made(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("glassnet.present.report.report", interrupt)
    outcome = cli("train", *SHORT, "--out", "a")
    assert outcome.code == 130
    assert "the model is saved in a/model.safetensors" in outcome.err
    assert "glassnet report a" in outcome.err


# ------------------------------------------------------------------ during the training


@pytest.fixture
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A checkpoint and the history after every epoch."""
    patch = pytest.MonkeyPatch()
    patch.setattr("glassnet.training.loop.CHECKPOINT_EVERY", -1.0)
    patch.setattr("glassnet.experiment.keeping.EVERY", 0.0)
    yield patch
    patch.undo()


@pytest.mark.parametrize("name", ["checkpoint.safetensors", "history.jsonl"])
@pytest.mark.usefixtures("every_epoch")
def test_a_full_disk_in_the_midst(cli: Any, here: Path, disk: Disk, name: str) -> None:
    gn.train("digits", epochs=6, out="whole")
    disk.fail(name, first=4)
    outcome = cli("train", "digits", "--epochs", 6, "--out", "a")
    parts = parts_of(outcome.err)
    assert outcome.code == 2
    assert "The last epoch that could be written is kept." in parts["what"]
    assert parts["where"] == f"a/{name}"
    assert parts["received"] == os.strerror(NO_ROOM)
    assert parts["try"] == "make room on the disk; then continue with glassnet train --resume a"
    kept = len(State.load(Path("a/checkpoint.safetensors")).history)
    assert kept == (3 if name == "checkpoint.safetensors" else 4)
    assert not Path("a/model.safetensors").exists()
    assert not list(Path("a").glob(".*"))
    disk.make_room()
    cli.good("train", "--resume", "a")
    for file in ("model.safetensors", "checkpoint.safetensors"):
        tensors, others = (read_tensors(Path(run) / file, file.partition(".")[0])[0] for run in ("a", "whole"))
        assert all(np.array_equal(tensors[key], others[key]) for key in tensors)


def test_no_room_for_the_model(cli: Any, here: Path, disk: Disk) -> None:
    disk.fail("model.safetensors")
    outcome = cli("train", *SHORT, "--out", "a")
    assert outcome.code == 2
    assert parts_of(outcome.err)["where"] == "a/model.safetensors"
    assert len(State.load(Path("a/checkpoint.safetensors")).history) == 4
    disk.make_room()
    cli.good("train", "--resume", "a")
    assert len(gn.Run.load("a").history) == 4


@pytest.mark.parametrize("code", [NO_ROOM, FORBIDDEN])
def test_no_room_from_the_start(cli: Any, here: Path, disk: Disk, code: int) -> None:
    disk.fail("recipe.toml", code=code)
    parts = cli.wrong("train", *SHORT, "--out", "a")  # which leaves no folder
    assert parts["what"] == "The run's folder can't be written."
    assert ("make room" in parts["try"]) == (code == NO_ROOM)


def test_callbacks_hear_of_the_end_and_the_network_has_what_it_learnt(disk: Disk, here: Path) -> None:
    ends: list[int] = []

    class Ends(Callback):
        def on_train_end(self, progress: Progress) -> None:
            ends.append(progress.epoch)

    def fit(checkpoint: str | None) -> gn.Network:
        net = gn.Network([64, 10], seed=1)
        with pytest.raises(WriteError) if checkpoint else contextlib.nullcontext():
            net.fit(gn.load_dataset("digits").train, 3, seed=1, average=0.9, checkpoint=checkpoint, callbacks=[Ends()])
        return net

    disk.fail("c.safetensors")
    broken, whole = fit("c.safetensors"), fit(None)
    assert ends == [3, 3]
    np.testing.assert_array_equal(broken.parameters, whole.parameters)  # the moving average, not the last step's


def test_an_error_of_ones_own_callback_is_not_about_the_run_folder(here: Path) -> None:
    class Reads(Callback):
        def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
            Path("nowhere").read_text()

    with pytest.raises(FileNotFoundError, match="nowhere"):
        gn.train("digits", epochs=2, out="a", callbacks=[Reads()])


# ------------------------------------------------------------------ an output that can't be written


def glassnet(*arguments: object, output: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "glassnet", *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}  # as users have it
    return subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE, text=True, env=environment)


RESULTS = {"recipe.toml", "checkpoint.safetensors", "history.jsonl", "model.safetensors", "training.png", "report.html"}
FILES = RESULTS | {"snapshots"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_an_output_on_a_full_disk_does_not_end_a_training(here: Path) -> None:
    with Path("/dev/full").open("w") as full, glassnet("train", *SHORT, "--out", "a", output=full) as process:
        error = process.communicate()[1]
    parts = parts_of(error)
    assert process.returncode == 1
    assert "the model is saved in a/model.safetensors" in parts["what"]
    assert (parts["where"], parts["received"]) == ("standard output", os.strerror(NO_ROOM))
    assert {path.name for path in Path("a").iterdir()} == FILES
    assert len(gn.Run.load("a").history) == 4
    for command in ("recipes", "--help", "--version"):
        with Path("/dev/full").open("w") as full, glassnet(command, output=full) as process:
            assert parts_of(process.communicate()[1])["what"] == "The output can't be written."
        assert process.returncode == 2


def test_a_reader_who_has_gone_does_not_end_a_training(here: Path) -> None:
    """As in glassnet train digits | head -1."""
    reading, writing = os.pipe()
    os.close(reading)
    with glassnet("train", *SHORT, "--out", "a", output=writing) as process:
        os.close(writing)
        assert process.communicate()[1] == ""
    assert {path.name for path in Path("a").iterdir()} == FILES
    assert len(gn.Run.load("a").history) == 4


@pytest.mark.skipif(os.name != "posix", reason="closes the output as POSIX shells do")
def test_a_closed_output(here: Path) -> None:
    command = ["sh", "-c", 'exec "$0" -m glassnet recipes >&-', sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_terminal_that_has_gone(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

        flush = isatty = lambda self: False

    net, data = gn.Network([64, 10], seed=1), gn.load_dataset("digits").train
    monkeypatch.setattr(sys, "stdout", Gone())
    for display in (LiveBar(), PlainLines()):
        assert len(net.fit(data, 2, seed=1, callbacks=[display])) == 2


# ------------------------------------------------------------------ other commands


def test_a_look_that_cannot_be_noted_is_not_told(cli: Any, digits_run: Path, disk: Disk) -> None:
    cli.good("evaluate", digits_run)
    disk.fail("ledger.jsonl")
    parts = cli.wrong("evaluate", digits_run)
    assert "so its result is not shown" in parts["what"]
    assert parts["where"] == f"{digits_run}/ledger.jsonl"
    assert parts["try"] == "make room on the disk"
    assert len(gn.Run.load(digits_run).looks) == 1


def test_a_report_that_cannot_be_made(cli: Any, digits_run: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, options in (("report.html", ()), ("cost.svg", ("--figures", "figures"))):
        disk.fail(name)
        outcome = cli("report", digits_run, *options)
        parts = parts_of(outcome.err)
        assert outcome.code == 2
        assert parts["what"] == "The report can't be written."
        assert parts["where"].endswith(name)
        assert parts["try"] == "make room on the disk"
        disk.make_room()

    def fail(facts: object) -> None:
        raise RuntimeError("In FT2Font: Can not load face")

    monkeypatch.setattr("glassnet.present.report.write.drawings", fail)
    parts = cli.wrong("report", digits_run)
    assert parts["what"] == "The report can't be made. The run itself is complete."
    assert parts["received"] == "RuntimeError: In FT2Font: Can not load face"
    with pytest.raises(gn.RunError) as error:
        gn.report(digits_run)
    assert isinstance(error.value.__cause__, RuntimeError)


def test_what_was_found_is_told_though_it_cannot_be_written(cli: Any, disk: Disk) -> None:
    disk.fail("rates.png", "inspection.json")
    outcome = cli("find-rate", "digits", "--steps", 20, "--out", "rates.png")
    assert outcome.code == 2
    assert parts_of(outcome.err)["what"] == "The figure can't be written."
    assert "learning rate" in outcome.out
    outcome = cli("inspect", "digits", "--out", "sheets")
    assert outcome.code == 2
    assert parts_of(outcome.err)["what"] == "The folder can't be written."
    assert "No findings." in outcome.out


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount a small disk")
@pytest.mark.parametrize(("size", "code", "made"), [("100k", 2, False), ("1400k", 1, True)])
def test_a_disk_that_is_really_full(here: Path, size: str, code: int, made: bool) -> None:
    small = here / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        # One epoch: on a slow machine, a second checkpoint would need its room beside the first.
        with glassnet("train", "digits", "--epochs", 1, "--out", small / "a", output=subprocess.PIPE) as process:
            error = process.communicate()[1]
        parts = parts_of(error)
        assert process.returncode == code, error
        assert parts["received"] == os.strerror(NO_ROOM)
        assert "make room" in parts["try"]
        assert (small / "a" / "model.safetensors").exists() == made
        assert ("the model is saved" in parts["what"]) == made
        assert not list((small / "a").glob(".*"))
    finally:
        subprocess.run(["umount", small], check=True)
