"""The command line called in this process: what it says, how it ends, and what it leaves behind."""

from __future__ import annotations

import re
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet.cli.console import run_app
from glassnet.cli.main import app
from glassnet.data import read_digits
from glassnet.data.readers.mnist import PARTS
from glassnet.experiment import run

Array = np.ndarray[Any, Any]
PART = re.compile(r"  (where|expected|received|try): +(.+)")


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder: the files' bytes, None for folders."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_dir() or path.is_file()
    }


class CommandLine:
    """`cli("train", …)` runs a command; `cli.wrong(…)` is for input that it must refuse, in one message."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys

    def __call__(self, *arguments: object) -> Outcome:
        self._capsys.readouterr()
        code = run_app(app, [str(argument) for argument in arguments])
        return Outcome(code, *self._capsys.readouterr())

    def good(self, *arguments: object) -> Outcome:
        outcome = self(*arguments)
        assert outcome.code == 0, outcome
        assert outcome.err == ""
        return outcome

    def wrong(self, *arguments: object) -> dict[str, str]:
        """The parts of the one message on stderr; nothing was said or written besides."""
        before = tree(self.folder)
        outcome = self(*arguments)
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        assert "Traceback" not in outcome.err
        first, *rest = outcome.err.rstrip("\n").split("\n")
        assert first.startswith("glassnet: "), outcome.err
        parts = {"what": first.removeprefix("glassnet: ")}
        for line in rest:
            found = PART.fullmatch(line)
            assert found, f"not a part of one message: {line!r}"
            assert found[1] not in parts
            parts[found[1]] = found[2]
        assert tree(self.folder) == before
        return parts

    def misused(self, *arguments: object) -> str:
        """What is said of a command line that can't be understood: one error, with or without the usage."""
        before = tree(self.folder)
        outcome = self(*arguments)
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        assert "Traceback" not in outcome.err
        errors = [line for line in outcome.err.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1, outcome.err
        assert tree(self.folder) == before
        return errors[0].removeprefix("Error: ")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Each test in an empty folder, with no data remembered from the one before."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr("glassnet.data.decode_many.cache_folder", lambda: tmp_path / "cache")  # of images, not of kernels
    run._read_splits.cache_clear()
    yield folder
    run._read_splits.cache_clear()


@pytest.fixture
def cli(here: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(here, capsys)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the digits, three epochs long; not to be changed."""
    folder = tmp_path_factory.mktemp("trained") / "digits"
    run.train("digits", epochs=3, out=folder)
    return folder


@pytest.fixture
def digits_run(trained: Path, here: Path) -> Path:
    """A copy of it, in the test's own folder, to do anything with."""
    shutil.copytree(trained, here / "digits-run")
    return Path("digits-run")


@pytest.fixture
def plain_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty training.png and report.html, for tests of other things: drawing takes longer than training."""
    from matplotlib.figure import Figure

    def report(done: run.Run, **options: Any) -> Path:
        path = done.folder / "report.html"
        path.touch()
        return path

    monkeypatch.setattr("glassnet.present.figures.training_figure", lambda *arguments: Figure(figsize=(1, 1)))
    monkeypatch.setattr("glassnet.present.report.report", report)


def packed(array: Array) -> bytes:
    """An array of bytes as an IDX file."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


@pytest.fixture
def idx(here: Path) -> Callable[..., Path]:
    """Writes four IDX files as MNIST has them; `files` replaces some, by their place in PARTS, with arrays or bytes."""

    def write(files: dict[int, Array | bytes] | None = None) -> Path:
        rng = np.random.default_rng(0)
        contents: list[Array | bytes] = [
            rng.integers(0, 256, (60, 28, 28)),
            np.arange(60) % 10,
            rng.integers(0, 256, (20, 28, 28)),
            np.arange(20) % 10,
        ]
        for place, content in (files or {}).items():
            contents[place] = content
        folder = here / "idx"
        folder.mkdir()
        for name, content in zip(PARTS, contents, strict=True):
            (folder / name).write_bytes(content if isinstance(content, bytes) else packed(content))
        return Path("idx")

    return write


@pytest.fixture
def digit_images(here: Path) -> list[tuple[Path, int]]:
    """Ten real digits as PNG files, with what they show."""
    from PIL import Image

    test = read_digits().test
    assert test is not None
    found = []
    for digit in range(10):
        place = int(np.flatnonzero(test.labels == digit)[0])
        path = Path(f"digit-{digit}.png")
        Image.fromarray(test.images[place, :, :, 0]).save(path)
        found.append((path, digit))
    return found
