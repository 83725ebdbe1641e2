"""How much a page that watches it slows a training: `python -m benchmarks.watching [RECIPE] [PAIRS] [EPOCHS]`.

Trains in turn without and with `--watch` (a client reads all events), and compares the time from the first step to the last.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from glassnet.experiment import run as runs
from glassnet.server.watch import Watch
from glassnet.training import Callback, Progress

CLIENT = "import sys, urllib.request\nfor line in urllib.request.urlopen(sys.argv[1] + 'events?tab=1'): pass"


class Clock(Callback):
    """The time from the first steps of a training to its end: that of the clock, and that of this process's threads."""

    every_steps = None
    wall = cpu = 0.0

    def on_step_end(self, progress: Progress) -> None:
        if not self.wall:
            self.wall, self.cpu = -time.perf_counter(), -time.process_time()

    def on_train_end(self, progress: Progress) -> None:
        self.wall += time.perf_counter()
        self.cpu += time.process_time()


def train(recipe: str, epochs: int | None, *, watched: bool) -> Clock:
    clock, clients = Clock(), list[subprocess.Popen[bytes]]()

    def connect(address: str) -> None:
        clients.append(subprocess.Popen([sys.executable, "-c", CLIENT, address], stderr=subprocess.DEVNULL))

    page = Watch(lambda text: None, connect)
    with tempfile.TemporaryDirectory() as folder:
        out, watch = Path(folder) / "run", page if watched else None
        runs.train(recipe, epochs=epochs, seed=1, out=out, callbacks=[clock], progress=False, watch=watch)
        page.leave()
        for client in clients:
            client.kill()
            client.wait()
        if page.process is not None:
            page.process.kill()
            page.process.wait()
    return clock


def main(arguments: list[str]) -> None:
    recipe = arguments[0] if arguments else "nielsen-30"
    pairs = int(arguments[1]) if len(arguments) > 1 else 10
    epochs = int(arguments[2]) if len(arguments) > 2 else None
    train(recipe, 1, watched=False)  # reads the data and compiles
    found = []
    for number in range(pairs):
        turn = [train(recipe, epochs, watched=watched) for watched in ((False, True) if number % 2 else (True, False))]
        alone, seen = turn if number % 2 else reversed(turn)
        found.append((seen.wall / alone.wall, seen.cpu / alone.cpu))
        print(
            f"alone {alone.wall:.3f} s, watched {seen.wall:.3f} s: {found[-1][0]:.4f}; CPU time {found[-1][1]:.4f}",
            flush=True,
        )
    for name, ratios in zip(("time", "CPU time"), zip(*found, strict=True), strict=True):
        print(f"{recipe}, {name}: {100 * (statistics.median(ratios) - 1):+.2f} % (median of {pairs} pairs)")


if __name__ == "__main__":
    main(sys.argv[1:])
