"""Timing one workload: every peer prepared and checked, then all of them in turn, round after round."""

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
"""Seconds between two peers, in which the threads of the last one stop spinning."""
WRONG_ANSWERS = 1e-3
"""The share of predictions that may differ from float64's: images that lie on the border."""
FIRST_STEP = 2e-3
"""By what share the first step may be too long or too short: a fifth of what a learning rate 1 % off does."""


@dataclass
class Contender:
    """A peer in the race: its process, what is known of it, and its times."""

    name: str
    worker: Worker | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    trouble: str | None = None

    def ask(self, **request: Any) -> dict[str, Any]:
        """The worker's answer; a failure takes the peer out of the race."""
        if self.worker is None:
            return {}
        try:
            return self.worker.ask(**request)
        except WorkerError as error:
            self.drop(str(error))
            return {}

    def drop(self, reason: str) -> None:
        self.trouble = reason
        if self.worker is not None:
            self.worker.close()
            self.worker = None


def stage(work: Workload, images: Images, folder: Path) -> None:
    """Put the data, the start and the expected outcome where the workers find them."""
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
    """The rows of one workload, ours first."""
    threads = 1 if work.one_core else threads
    folder = scratch / work.name
    stage(work, images, folder)
    with ExitStack() as stack:
        racing = [_enter(stack, work, peer, folder, scratch, threads, say) for peer in ("ours", *work.peers)]
        for number in range(rounds):
            for contender in racing:
                if contender.worker is not None:
                    say(f"{work.name}: round {number + 1} of {rounds}, {contender.name}")
                    time.sleep(REST)
                    contender.seconds += contender.ask(do="run").values()
    return with_ratios([_result(work, contender, images.origin, threads) for contender in racing])


def _enter(stack: ExitStack, work: Workload, peer: str, folder: Path, scratch: Path, threads: int, say: Say) -> Contender:
    contender = Contender(peer)
    missing = PEERS[peer].missing
    if missing is not None:
        contender.trouble = missing
        return contender
    say(f"{work.name}: preparing and checking {peer}")
    contender.worker = stack.enter_context(Worker(threads, scratch))
    contender.facts = contender.ask(do="prepare", peer=peer, workload=work.to_json(), folder=str(folder), threads=threads)
    reason = _other_work(work, contender.facts)
    if reason is not None:
        contender.drop(f"not timed: it does not do the same work ({reason})")
    return contender


def _other_work(work: Workload, facts: dict[str, Any]) -> str | None:
    """In what a peer's check shows that it does other work, or None."""
    off, begun = facts.get("disagreement"), facts.get("overshoot")
    allowed = work.tolerance if work.kind == "train" else WRONG_ANSWERS
    if begun is not None and not abs(begun) <= FIRST_STEP:
        return f"its first step is off by {begun:+.2%}, allowed {FIRST_STEP:.1%}"
    if off is not None and not off <= allowed:
        return f"off by {off:.1e}, allowed {allowed:.0e}"
    return None


def _result(work: Workload, contender: Contender, origin: str, threads: int) -> Result:
    facts = contender.facts
    notes = [contender.trouble] if contender.trouble else [facts.get("note", "")]
    if contender.name == "ours":
        notes += [f"{threads} thread{'s' if threads > 1 else ''}", origin]
    return Result(
        workload=work.name,
        peer=contender.name,
        median=None if contender.trouble else statistics.median(contender.seconds),
        unit=work.unit,
        rounds=len(contender.seconds),
        compile_seconds=facts.get("compile_seconds"),
        disagreement=facts.get("disagreement"),
        note="; ".join(note for note in notes if note),
    )


def with_ratios(results: list[Result]) -> list[Result]:
    """The same rows, each with its median over that of the first, which is ours."""
    ours = results[0].median
    return [
        result if not ours or result.median is None else replace(result, ratio=result.median / ours) for result in results
    ]
