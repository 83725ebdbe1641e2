"""Timing one workload: all peers are prepared and verified, then timed in turn, round by round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from benchmarks.speed import definition
from benchmarks.speed.client import Worker, WorkerError
from benchmarks.speed.images import Images
from benchmarks.speed.peers import PEERS
from benchmarks.speed.results import Result
from benchmarks.speed.weights import save_weights
from benchmarks.speed.workloads import Workload

Say = Callable[[str], None]

REST = 0.05
"""Pause in seconds between peers, so that the threads of the previous one stop spinning."""
WRONG_ANSWERS = 1e-3
"""Fraction of predicted classes that may differ from float64's."""
FIRST_STEP = 2e-3
"""Allowed relative error of the length of the first step; a learning rate that is 1 % off gives five times as much."""
COARSE, COARSE_STEP = 0.3, 5e-2
"""What takes the place of the tolerance and of `FIRST_STEP` in bfloat16, whose rounding is that of 8 bits."""


@dataclass
class Contender:
    """A peer: its process, the facts it reported, and its times."""

    name: str
    worker: Worker | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    error: str | None = None

    def ask(self, **request: Any) -> dict[str, Any]:
        """The worker's answer; a peer that fails is dropped."""
        if self.worker is None:
            return {}
        try:
            return self.worker.ask(**request)
        except WorkerError as error:
            self.drop(str(error))
            return {}

    def drop(self, reason: str) -> None:
        self.error = reason
        if self.worker is not None:
            self.worker.close()
            self.worker = None


class Pool:
    """The processes of the peers, each started when it is first needed, and again after it failed."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._workers: dict[tuple[str, int], Worker] = {}

    def worker(self, peer: str, threads: int) -> Worker:
        found = self._workers.get((peer, threads))
        if found is None or not found.alive:
            found = self._workers[peer, threads] = Worker(threads, self._scratch)
        return found

    def close(self) -> None:
        """End all of them."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def write_inputs(work: Workload, images: Images, folder: Path) -> None:
    """Write the data, the initial weights and the expected results for the workers."""
    folder.mkdir(parents=True)
    start = definition.initial_weights(work)
    images.save(folder)
    save_weights(folder / "start.npz", start)
    if work.kind == "train" and work.checked:
        order = definition.first_steps(work)
        first = definition.train(work, start, images, order[:1])
        save_weights(folder / "first.npz", first)
        last = definition.train(work, first, images, order[1:]) if len(order) > 1 else first
        save_weights(folder / "expected.npz", last)
    elif work.kind == "predict":
        np.save(folder / "classes.npy", definition.classes(work, start, images))


def measure(
    work: Workload, images: Images, scratch: Path, *, threads: int, rounds: int, say: Say, pool: Pool | None = None
) -> list[Result]:
    """The rows of one workload, glassnet's first; `pool`: processes that are there, else they are started for it."""
    threads = 1 if work.one_core else threads
    folder = scratch / work.name
    write_inputs(work, images, folder)
    with ExitStack() as stack:
        pool = pool or stack.enter_context(Pool(scratch))
        contenders = [_enter(pool, work, peer, folder, threads, say) for peer in ("ours", *work.peers)]
        for number in range(rounds):
            for contender in contenders:
                if contender.worker is not None:
                    say(f"{work.name}: round {number + 1} of {rounds}, {contender.name}")
                    time.sleep(REST)
                    contender.seconds += contender.ask(do="run").values()
    return with_ratios([_result(work, contender, images.origin, threads) for contender in contenders])


def _enter(pool: Pool, work: Workload, peer: str, folder: Path, threads: int, say: Say) -> Contender:
    contender = Contender(peer)
    missing = PEERS[peer].missing
    if missing is not None:
        contender.error = missing
        return contender
    say(f"{work.name}: preparing and checking {peer}")
    contender.worker = pool.worker(peer, threads)
    contender.facts = contender.ask(do="prepare", peer=peer, workload=work.to_json(), folder=str(folder), threads=threads)
    reason = _other_work(work, contender.facts)
    if reason is not None:
        contender.drop(f"not timed: it does not do the same work ({reason})")
    return contender


def _other_work(work: Workload, facts: dict[str, Any]) -> str | None:
    """How a peer's results differ from the expected ones, or None."""
    error, step_error = facts.get("disagreement"), facts.get("overshoot")
    coarse = getattr(work, "precision", "float32") == "bfloat16"
    allowed, length = (COARSE, COARSE_STEP) if coarse else (work.tolerance, FIRST_STEP)
    if work.kind == "predict":
        allowed = COARSE if coarse else WRONG_ANSWERS
    if step_error is not None and not abs(step_error) <= length:
        return f"its first step is off by {step_error:+.2%}, allowed {length:.1%}"
    if error is not None and not error <= allowed:
        return f"off by {error:.1e}, allowed {allowed:.0e}"
    return None


def _result(work: Workload, contender: Contender, origin: str, threads: int) -> Result:
    facts = contender.facts
    notes = [contender.error] if contender.error else [facts.get("note", "")]
    if contender.name == "ours":
        notes += [f"{threads} thread{'s' if threads > 1 else ''}", origin]
    return Result(
        workload=work.name,
        peer=contender.name,
        median=None if contender.error else statistics.median(contender.seconds),
        unit=work.unit,
        rounds=len(contender.seconds),
        compile_seconds=facts.get("compile_seconds"),
        disagreement=facts.get("disagreement"),
        note="; ".join(note for note in notes if note),
    )


def with_ratios(results: list[Result]) -> list[Result]:
    """The same rows with the ratio of each median to that of the first row, glassnet's."""
    ours = results[0].median
    return [
        result if not ours or result.median is None else replace(result, ratio=result.median / ours) for result in results
    ]
