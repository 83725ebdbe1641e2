"""Timing one workload: all peers are prepared and verified, then timed in turn, round by round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed import definition, dense
from benchmarks.speed.client import Worker, WorkerError
from benchmarks.speed.images import Images
from benchmarks.speed.peers import PEERS
from benchmarks.speed.results import Result
from benchmarks.speed.weights import save_weights
from benchmarks.speed.workloads import DenseWorkload, Workload

Say = Callable[[str], None]

REST = 0.05
"""Pause in seconds between peers, so that the threads of the previous one stop spinning."""
WRONG_ANSWERS = 1e-3
"""Fraction of predicted classes that may differ from float64's."""
FIRST_STEP = 2e-3
"""Allowed relative error of the length of the first step; a learning rate that is 1 % off gives five times as much."""


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


def write_inputs(work: Workload, images: Images, folder: Path) -> None:
    """Write the data, the initial weights and the expected results for the workers."""
    folder.mkdir(parents=True)
    start = definition.initial_weights(work)
    images.save(folder)
    save_weights(folder / "start.npz", start)
    if work.kind == "train":
        order = definition.first_steps(work)
        first = definition.train(work, start, images, order[:1])
        save_weights(folder / "first.npz", first)
        save_weights(folder / "expected.npz", definition.train(work, first, images, order[1:]))
    elif isinstance(work, DenseWorkload):
        np.save(folder / "classes.npy", dense.classes(work, start, images))


def measure(work: Workload, images: Images, scratch: Path, *, threads: int, rounds: int, say: Say) -> list[Result]:
    """The rows of one workload, glassnet's first."""
    threads = 1 if work.one_core else threads
    folder = scratch / work.name
    write_inputs(work, images, folder)
    with ExitStack() as stack:
        contenders = [_enter(stack, work, peer, folder, scratch, threads, say) for peer in ("ours", *work.peers)]
        for number in range(rounds):
            for contender in contenders:
                if contender.worker is not None:
                    say(f"{work.name}: round {number + 1} of {rounds}, {contender.name}")
                    time.sleep(REST)
                    contender.seconds += contender.ask(do="run").values()
    return with_ratios([_result(work, contender, images.origin, threads) for contender in contenders])


def _enter(stack: ExitStack, work: Workload, peer: str, folder: Path, scratch: Path, threads: int, say: Say) -> Contender:
    contender = Contender(peer)
    missing = PEERS[peer].missing
    if missing is not None:
        contender.error = missing
        return contender
    say(f"{work.name}: preparing and checking {peer}")
    contender.worker = stack.enter_context(Worker(threads, scratch))
    contender.facts = contender.ask(do="prepare", peer=peer, workload=work.to_json(), folder=str(folder), threads=threads)
    reason = _other_work(work, contender.facts)
    if reason is not None:
        contender.drop(f"not timed: it does not do the same work ({reason})")
    return contender


def _other_work(work: Workload, facts: dict[str, Any]) -> str | None:
    """How a peer's results differ from the expected ones, or None."""
    error, step_error = facts.get("disagreement"), facts.get("overshoot")
    allowed = work.tolerance if work.kind == "train" else WRONG_ANSWERS
    if step_error is not None and not abs(step_error) <= FIRST_STEP:
        return f"its first step is off by {step_error:+.2%}, allowed {FIRST_STEP:.1%}"
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
