"""`shard`: all shards of a data set, written by several processes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from glassnet.data.decode_many import progress as progress_bar
from glassnet.data.shards.manifest import Manifest
from glassnet.data.shards.plan import ShardPlan, plan_shards
from glassnet.errors import DataError
from glassnet.support.checks import whole_number
from glassnet.support.environment import available_cores
from glassnet.support.habits import answered
from glassnet.support.i18n import tr


@answered
def shard(
    source: str | os.PathLike[str] | None,
    out: str | os.PathLike[str],
    *,
    workers: int | None = None,
    block: int | None = None,
    shard_images: int | None = None,
    characters: str | Sequence[str] | None = None,
    fonts: Sequence[str | os.PathLike[str]] | None = None,
    test_fonts: Sequence[str | os.PathLike[str]] = (),
    copies: int = 8,
    **options: Any,
) -> Manifest:
    """Write a data set of any size as memory-mapped shards: `uint8` images (N, H, W, C) in .npy files, labels beside them.

    `source`: what `load_dataset` takes, or an address such as https://host/photos.zip (extra `remote`); None to draw
    `characters` from `fonts`, as in `draw_characters`. `options`: those of `load_dataset`: size, color, fit, pattern, split,
    fractions, fold, folds, seed; the split is decided here. `workers`: processes; by default one for each core.
    `block`: images that training reads together; `shard_images`: images of a shard; by default 1 MiB and 32 MiB of them.
    The same call goes on after an interruption. Raises `DataError` for what can't be read, for a folder that was begun from
    another source or with other options, and where there is too little room on the disk; `WriteError`.

        gn.shard("photos/", "photos.shards", size=64)
        run = gn.train("chinese-cnn", data="photos.shards")
    """
    plan = plan_shards(
        source, out, block=block, shard_images=shard_images, characters=characters, fonts=fonts, test_fonts=test_fonts,
        copies=copies, **options,
    )  # fmt: skip
    with progress_bar(tr("writing shards"), plan.shards) as advance:
        advance(plan.shards - len(plan.left))
        write_all(plan, workers, lambda: advance(1))
    return plan.finish()


def write_all(plan: ShardPlan, workers: int | None = None, written: Callable[[], object] = lambda: None) -> None:
    """Write the shards that are left, in processes; `written` is called after each."""
    left = plan.left
    if workers is not None:
        whole_number(
            workers, tr("The number of workers must be a whole number above 0."), "workers", tr("1 or more"), least=1
        )
    count = min(workers or (1 if plan.source.get("kind") == "data" else available_cores()), len(left))
    if count <= 1:
        for number in left:
            plan.write(number)
            written()
        return
    numbers, lock, errors = iter(left), threading.Lock(), list[BaseException]()

    def feed(worker: Worker) -> None:
        try:
            for number in _shared(numbers, lock):
                if errors:
                    return
                worker.write(number)
                with lock:
                    written()
        except BaseException as error:
            errors.append(error)

    team = [Worker(plan.folder) for _ in range(count)]
    try:
        threads = [threading.Thread(target=feed, args=(worker,), daemon=True) for worker in team]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():  # Ctrl-C comes in between
                thread.join(0.1)
    finally:
        for worker in team:
            worker.end()
    if errors:
        raise errors[0]


def _shared(numbers: Iterator[int], lock: threading.Lock) -> Iterator[int]:
    while True:
        with lock:
            number = next(numbers, None)
        if number is None:
            return
        yield number


class Worker:
    """A process of `work.py`. It ends by itself when its stdin is closed, even if this process is killed."""

    def __init__(self, folder: Path) -> None:
        root = str(Path(__file__).parents[3])
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "glassnet.data.shards.work"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches only this process
            text=True,
        )
        self._tell(json.dumps(str(folder)))

    def _tell(self, line: str) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended: there is no answer, either
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()

    def write(self, number: int) -> None:
        """Let it write a shard. Raises the `DataError` that it answers, and one if it ends."""
        assert self.process.stdout is not None
        self._tell(str(number))
        line = self.process.stdout.readline()
        if not line:
            raise DataError(
                tr("A process that writes shards has ended."),
                where=tr("shard {number}", number=number),
                received=tr("exit code {code}", code=self.process.wait()),
                hint=tr("the same command goes on; fewer workers need less memory"),
            )
        answer = json.loads(line)
        if "what" in answer:
            raise DataError(answer.pop("what"), **answer)

    def end(self) -> None:
        self.process.kill() if self.process.poll() is None else None
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()
