"""Reading the files of a run while another process writes them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glassnet.errors import ModelFileError
from glassnet.support.arrays import Array
from glassnet.support.storage import read_tensors
from glassnet.support.strict_json import numbers


class Tail:
    """The rows of a .jsonl file that grows; `poll` reads what was added.

    A last line that is not complete yet waits for the next call. A file that was replaced by another is read anew.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.rows = path, list[dict[str, Any]]()
        self._seen: tuple[int, ...] = ()
        self._end, self._last = 0, b""  # where the last line that was read ends, and that line

    def poll(self) -> bool:
        """Whether there are other rows than before."""
        try:
            status = self.path.stat()
            seen = (status.st_ino, status.st_size, status.st_mtime_ns)
            if seen == self._seen:
                return False
            with self.path.open("rb") as file:
                file.seek(self._end - len(self._last))
                if file.read(len(self._last)) != self._last:
                    self.rows, self._end, self._last = [], 0, b""
                    file.seek(0)
                added = file.read()
        except OSError:
            return False
        self._seen = seen
        before = len(self.rows)
        for line in added.splitlines(keepends=True):
            row = _row(line)
            if row is None:
                break
            self.rows.append(row)
            self._end, self._last = self._end + len(line), line
        return len(self.rows) != before


def _row(line: bytes) -> dict[str, Any] | None:
    """The object on a whole line; None for anything else."""
    try:
        row = numbers(json.loads(line)) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


@dataclass(frozen=True)
class Live:
    """What `ShowLive` wrote last."""

    epochs: int
    steps: int
    epoch: int
    step: int
    cost: float | None
    state: Array

    @property
    def done(self) -> float:
        """Epochs, with the part of this one."""
        return max(0, self.epoch - 1) + self.step / max(1, self.steps)


class LiveFile:
    """`poll` gives what is new in the file; None where nothing is, or where it is gone."""

    def __init__(self, path: Path) -> None:
        self.path, self._seen = path, 0

    def poll(self) -> Live | None:
        try:
            seen = self.path.stat().st_mtime_ns
            if seen == self._seen:
                return None
            tensors, header = read_tensors(self.path, "live")
            found = Live(state=tensors["state"], **{name: header[name] for name in Live.__annotations__ if name != "state"})
        except (OSError, ModelFileError, KeyError):  # the training has ended
            return None
        self._seen = seen
        return found
