"""Trainings in processes of their own, that may be killed, and small data for them."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet.data.readers.mnist import PARTS

Array = np.ndarray[Any, Any]
HANGS = 600.0  # seconds after which a process hangs, and is not just slow on a busy machine

# The command line as it is, but with a checkpoint after every epoch, and without the figure, which takes longest.
# With DIE_AT=n the process kills itself at the n-th of the moments at which a file is written, synchronised or moved.
PROGRAM = """
import os, pathlib, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have switched it off for what runs in its background
import glassnet.training.loop as loop
loop.CHECKPOINT_EVERY = float(os.environ.get("EVERY", "0"))
import glassnet.present.figures as figures
figures.training_figure = figures.augmentation_figure = lambda *arguments, **options: None
figures.save_figure = lambda *arguments: None
import glassnet.present.report as reporting
reporting.report = lambda *arguments, **options: None
left = int(os.environ.get("DIE_AT", "0"))
def deadly(function):
    def call(*arguments, **options):
        global left
        for do in (lambda: None, lambda: function(*arguments, **options)):
            result = do()
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call
if left:
    os.fsync = deadly(os.fsync)
    pathlib.Path.replace = deadly(pathlib.Path.replace)
from glassnet.cli.console import run_app
from glassnet.cli.main import app
sys.exit(run_app(app, sys.argv[1:]))
"""


class Child:
    """`glassnet …` in a process of its own; `lines` are what it printed so far."""

    def __init__(self, arguments: list[str], **environment: str) -> None:
        self.lines: list[str] = []
        self._more = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
        )
        self.err = ""
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_lines, self._read_errors)]
        for reader in self._readers:
            reader.start()

    def _read_lines(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._more:
                self.lines.append(line.rstrip("\n"))
                self._more.notify_all()
        with self._more:
            self._process.wait()
            self._more.notify_all()

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self.err = self._process.stderr.read()

    @property
    def epochs(self) -> int:
        return sum(line.startswith("Epoch ") for line in self.lines)

    def wait_for_epochs(self, count: int, seconds: float = HANGS) -> bool:
        """Wait until so many epochs are told of, or the process has ended; whether they are."""
        with self._more:
            self._more.wait_for(lambda: self.epochs >= count or self._process.poll() is not None, seconds)
            return self.epochs >= count

    def send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def end(self, seconds: float = HANGS) -> int:
        """Wait for the end; the exit code, negative for a signal."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        for reader in self._readers:
            reader.join(seconds)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._process.stdout.close()
        self._process.stderr.close()
        return code

    def kill(self) -> bool:
        """SIGKILL; whether it came in time."""
        self.send(signal.SIGKILL)
        return self.end() == -signal.SIGKILL


@pytest.fixture(scope="session")
def start() -> Callable[..., Child]:
    return Child


def packed(array: Array) -> bytes:
    """An array of bytes as an IDX file."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


@pytest.fixture(scope="session")
def idx_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four IDX files with 600 and 100 images of 28×28: each digit a pattern of its own, under noise."""
    folder, rng = tmp_path_factory.mktemp("idx"), np.random.default_rng(5)
    patterns = rng.integers(0, 200, (10, 28, 28))
    for images, labels, count in ((PARTS[0], PARTS[1], 600), (PARTS[2], PARTS[3], 100)):
        marks = rng.integers(0, 10, count)
        noisy = np.clip(patterns[marks] + rng.integers(-60, 60, (count, 28, 28)), 0, 255)
        (folder / images).write_bytes(packed(noisy))
        (folder / labels).write_bytes(packed(marks))
    return folder
