"""What a step on several ranks costs: t(R) = C(R) + messages(R)·α + bytes(R)/β.

C is what the busiest rank computes: a + b·(its images) + c·(images of the mini-batch). The last term is what every rank does
for itself: gradients of dense layers, and joining the others' partial sums. α, the time of a message, and β, bytes a second,
are those of the link. Nothing overlaps: data moves while MPI is called, the messages of a connection keep their order, and so
what begins to travel during the backward pass arrives when the next exchange is waited for.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.optimize import nnls

from glassnet.compiler import LOSSES, SharedProgram, cuts, nodes
from glassnet.support.arrays import Array

# Bytes from which MPICH gathers by other algorithms (MPIR_CVAR_ALLGATHER_LONG_MSG_SIZE, …_SHORT_MSG_SIZE).
LONG, SHORT = 512 * 1024, 80 * 1024
STRETCH = 0.1  # seconds of training after which the ranks agree to go on, in one more message


@dataclass(frozen=True)
class Link:
    """How long `n` bytes take from rank to rank: latency + n / rate."""

    latency: float  # seconds
    rate: float  # bytes a second


@dataclass(frozen=True)
class Traffic:
    """What a rank waits for in one step."""

    messages: int
    bytes: int

    def seconds(self, link: Link) -> float:
        return self.messages * link.latency + self.bytes / link.rate


@dataclass(frozen=True)
class Compute:
    """Seconds of a step, without messages."""

    step: float
    image: float  # for each image of the rank
    shared: float  # for each image of the mini-batch

    def seconds(self, own: int, batch: int) -> float:
        return self.step + own * self.image + batch * self.shared


def rounds(ranks: int, size: int) -> int:
    """Messages that follow each other until all ranks have `size` bytes, of which each had a part: as MPICH does it."""
    doubling = math.ceil(math.log2(ranks))
    return doubling if size < SHORT or (size < LONG and ranks == 1 << doubling) else ranks - 1


def traffic(shared: SharedProgram, batch: int, ranks: int) -> Traffic:
    """From the compiled program: the longest of the gathers that are waited for together counts for their messages."""
    bounds = cuts(batch, ranks, shared.partitions)
    sizes = []
    for gather in shared.gathers:
        parts = [nodes(gather, batch, low, high)[1] * (8 if gather.at == LOSSES else 4) for low, high in pairwise(bounds)]
        sizes.append((sum(parts), sum(parts) - min(parts)))
    messages = sum(
        max(rounds(ranks, sizes[number][0]) for number in exchange.end) for exchange in shared.exchanges if exchange.end
    )
    return Traffic(messages, sum(received for _, received in sizes)) if ranks > 1 else Traffic(0, 0)


def busiest(shared: SharedProgram, batch: int, ranks: int) -> int:
    """The images of the rank that has most of them."""
    return int(np.diff(cuts(batch, ranks, shared.partitions)).max())


def step_seconds(compute: Compute, link: Link, own: int, batch: int, ranks: int, sent: Traffic) -> float:
    """t(R); the ranks agree to go on about every 0.1 s, between steps."""
    seconds = compute.seconds(own, batch) + sent.seconds(link)
    return seconds + rounds(ranks, 24 * ranks) * link.latency / max(1, STRETCH // seconds) if ranks > 1 else seconds


def fitted(measured: Iterable[tuple[int, int, float]]) -> Compute:
    """From (images of the rank, images of the mini-batch, seconds a step): least squares of the relative errors."""
    rows = np.array(list(measured), dtype=float)
    seconds = rows[:, 2]
    terms = np.column_stack([np.ones(len(rows)), rows[:, :2]])
    found, _ = nnls(terms / seconds[:, None], np.ones(len(rows)))
    return Compute(*map(float, found))


def fitted_link(measured: Sequence[tuple[int, float]]) -> Link:
    """From (bytes, seconds) of exchanges between two ranks: the median latency of small ones, the rate of the largest."""
    latency = float(np.median([seconds for size, seconds in measured if size <= SMALL]))
    size, seconds = max(measured)
    return Link(latency, size / max(seconds - latency, 1e-9))


SMALL = 16 * 1024  # bytes up to which a message's time is its latency
SIZES = (1024, 4096, SMALL, 2 * 1024 * 1024)  # bytes of each rank, at which a link is measured


class Alone:
    """Takes the place of `Ranks` in one process: it computes what one of `size` ranks does, and exchanges nothing."""

    writes, interrupted, on_this_machine = True, False, 1

    def __init__(self, size: int) -> None:
        self.size, self.rank = size, 0

    def threads(self, wanted: int | None) -> int:
        return wanted or 1

    def begin(self) -> None:
        """Nobody else begins."""

    def broadcast(self, array: Array) -> None:
        """Nobody else receives it."""

    def wait(self, requests: Sequence[Any], timeout: float | None = None) -> None:
        """Nothing is under way."""

    wait_in_step = wait

    def gatherer(self, *_: Any) -> Any:
        return SimpleNamespace(Start=lambda: None, Free=lambda: None)

    def texts(self, value: object) -> list[Any]:
        return [value] * self.size

    def agree(self, value: int, stop: bool) -> tuple[int, bool]:
        return value, stop

    def noting_interrupts(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()
