"""The worker processes of a search on this machine: started, started again when they are killed, and ended with it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from typing import IO
from uuid import uuid4

from glassnet.errors import RunError
from glassnet.experiment.search.worker import LEAVING, Job, line
from glassnet.support.i18n import tr

RESTARTS = 3  # of a worker
LAST_LINES = 20  # of what a worker said


class Child:
    """One process; it ends by itself when its stdin is closed, even if this process is killed."""

    def __init__(self, job: Job, restarts: int = 0) -> None:
        self.job, self.restarts = replace(job, token=uuid4().hex), restarts
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `end`
        self.process = subprocess.Popen(
            [sys.executable, "-m", "glassnet.experiment.search.worker"],
            stdin=subprocess.PIPE,
            stdout=self._said,
            stderr=self._said,
            start_new_session=True,  # Ctrl-C reaches only the search
        )
        with contextlib.suppress(OSError):  # it has ended
            self._stdin.write(line(self.job))
            self._stdin.flush()

    @property
    def _stdin(self) -> IO[bytes]:
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def said(self) -> str:
        self._said.seek(0)
        return "\n".join(self._said.read().decode(errors="replace").strip().splitlines()[-LAST_LINES:])

    def tell(self) -> None:
        with contextlib.suppress(OSError):
            self._stdin.close()

    def end(self) -> None:
        """Wait until it has ended."""
        try:
            self.process.wait(2 * LEAVING)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._said.close()


class Children:
    """`count` worker processes; `free(token)` is called for the claims of one that has ended."""

    def __init__(self, count: int, job: Job, free: Callable[[str], None], say: Callable[[str], object]) -> None:
        self._free, self._say = free, say
        self._running = [Child(job) for _ in range(count)]

    def check(self) -> None:
        """See to those that have ended: what they had is free, and they are started again a few times."""
        for child in list(self._running):
            code = child.process.poll()
            if code is None:
                continue
            self._running.remove(child)
            said = child.said
            child.tell()
            child.end()
            if code == 0:
                continue
            self._free(child.job.token)
            if code == 2:
                self._say(tr("A worker process has ended: {reason}", reason=said))
            elif child.restarts < RESTARTS:
                self._say(tr("A worker process was killed ({code}); it is started again.", code=code) + _after(said))
                self._running.append(Child(child.job, child.restarts + 1))
            else:
                self._say(tr("A worker process was killed ({code}) again; the others go on.", code=code) + _after(said))

    def end(self) -> None:
        """End all, each after its epoch, or after `LEAVING` seconds."""
        for child in self._running:
            child.tell()
        for child in self._running:
            child.end()
            if child.process.returncode != 0:
                with contextlib.suppress(RunError):
                    self._free(child.job.token)
        self._running.clear()


def _after(said: str) -> str:
    return f"\n{said}" if said else ""
