"""The ranks of a data-parallel training: processes on one or several machines that train one network together, on MPI."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError, RankError
from glassnet.runtime.executor import most_threads
from glassnet.support.arrays import Array
from glassnet.support.environment import check_variable
from glassnet.support.i18n import tr

TIMEOUT = 60  # seconds without an answer after which a rank counts as hung, unless GLASSNET_RANK_TIMEOUT says otherwise
BETWEEN, TIMES = 4.0, 20  # within steps: after so many seconds, or so many times the longest time between two exchanges
PREPARING = 600.0  # seconds, before a training begins
SPINS = 2000  # polls before the processor is yielded to others between them (some hundred microseconds)
REST = 0.01  # seconds between two looks, by a rank that has nothing left to do
LOOKS = 1000  # at a message that may have come: a look fetches what only the next ones see
CLOCK = 256  # polls between two looks at the clock
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")  # what launchers tell the processes they start


def launched() -> int:
    """How many processes the MPI launcher says it has started; 0: this process was started by none."""
    return next((int(os.environ[name]) for name in SIZES if os.environ.get(name, "").isdigit()), 0)


class Ranks:
    """This process among `size` ranks; the first of them, rank 0, writes what there is to write.

    Every wait for the others ends after `timeout` seconds with a `RankError`: no collective call blocks for ever. Before a
    training begins, ranks may take longer: to compile kernels, or to read data.
    """

    def __init__(self, timeout: float | None = None) -> None:
        try:
            from mpi4py import MPI
        except (ImportError, RuntimeError) as error:  # RuntimeError: no MPI library
            raise InputError(
                tr("Training on several ranks needs MPI."),
                where="--ranks",
                expected=tr("mpi4py and an MPI library"),
                received=str(error).splitlines()[0],
                hint='pip install "glassnet[mpi]"',
            ) from None
        self.mpi = MPI
        self._comm, self._last_words = MPI.COMM_WORLD.Dup(), MPI.COMM_WORLD.Dup()
        self.rank, self.size = int(self._comm.rank), int(self._comm.size)
        given = check_variable("GLASSNET_RANK_TIMEOUT") if timeout is None else timeout
        self._limit, self._is_given = float(given or TIMEOUT), bool(given)
        self.timeout = max(self._limit, PREPARING)
        self._heard = self._longest = 0.0  # when all ranks last met; the longest time between two exchanges
        local = self._comm.Split_type(MPI.COMM_TYPE_SHARED)
        self.on_this_machine = int(local.size)
        local.Free()
        self.interrupted = False

    def begin(self) -> None:
        """From here on, `timeout` is that of a training."""
        self.timeout = self._limit

    def threads(self, wanted: int | None) -> int:
        """Threads for large work: as wanted, else this rank's share of its machine's cores."""
        return wanted or most_threads(self.on_this_machine)

    @property
    def writes(self) -> bool:
        """Whether this is the rank that writes files and messages."""
        return self.rank == 0

    def wait(self, requests: Sequence[Any], timeout: float | None = None) -> None:
        """Wait until all requests have ended. Raises `RankError` after `timeout` seconds."""
        pending, polls, deadline = list(requests), 0, 0.0
        while pending := [request for request in pending if not request.Test()]:
            polls += 1
            if polls < SPINS:
                continue
            os.sched_yield()
            if polls % CLOCK == 0:
                now, limit = time.monotonic(), self.timeout if timeout is None else timeout
                deadline = deadline or now + limit
                if now > deadline:
                    raise RankError(
                        tr("A rank has not answered for {seconds:g} s.", seconds=limit),
                        where=tr("rank {rank} of {size}, which waited", rank=self.rank, size=self.size),
                        hint=tr("GLASSNET_RANK_TIMEOUT=600, if its machine is only slow"),
                    )

    def wait_in_step(self, requests: Sequence[Any]) -> None:
        """Wait as `wait` does, in the middle of steps, where all ranks take about as long: a hung one is soon noticed."""
        short = self._longest > 0 and not self._is_given
        self.wait(requests, min(self.timeout, max(BETWEEN, TIMES * self._longest)) if short else None)
        now = time.monotonic()
        self._longest, self._heard = max(self._longest, now - (self._heard or now)), now

    def gatherer(self, array: Array, counts: Sequence[int], places: Sequence[int]) -> Any:
        """A request that can be started again and again: rank r sends counts[r] numbers from places[r] on to all."""
        return self._comm.Allgatherv_init(self.mpi.IN_PLACE, [array, list(counts), list(places), _kind(self.mpi, array)])

    def broadcast(self, array: Array) -> None:
        """Give an array the values it has on rank 0."""
        if array.size:
            self.wait([self._comm.Ibcast([array, _kind(self.mpi, array)], root=0)])

    def everyone(self, *numbers: int) -> NDArray[np.int64]:
        """The numbers of every rank, (size, numbers)."""
        found = np.empty((self.size, len(numbers)), dtype=np.int64)
        self.wait([self._comm.Iallgather(np.array(numbers, dtype=np.int64), found)])
        return found

    def texts(self, value: object) -> list[Any]:
        """The value of every rank, as JSON."""
        own = np.frombuffer(json.dumps(value).encode(), dtype=np.uint8)
        counts = self.everyone(len(own))[:, 0].tolist()
        found = np.empty(sum(counts), dtype=np.uint8)
        places = np.concatenate([[0], np.cumsum(counts)]).tolist()
        self.wait([self._comm.Iallgatherv([own, self.mpi.BYTE], [found, counts, places[:-1], self.mpi.BYTE])])
        return [json.loads(found[place : place + count].tobytes()) for place, count in zip(places, counts, strict=False)]

    def agree(self, value: int, stop: bool) -> tuple[int, bool]:
        """Rank 0's value, and whether any rank stops. Raises KeyboardInterrupt on all ranks when one was interrupted."""
        found = self.everyone(value, int(stop), int(self.interrupted))
        self._heard = time.monotonic()
        if found[:, 2].any():
            raise KeyboardInterrupt
        return int(found[0, 0]), bool(found[:, 1].any())

    @contextlib.contextmanager
    def noting_interrupts(self) -> Iterator[None]:
        """Within, Ctrl-C takes effect at the next `agree`, on all ranks at once: no rank leaves an exchange alone."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _note(self, _signal: int, _frame: object) -> None:
        self.interrupted = True

    def all_failed(self, seconds: float) -> bool:
        """Whether every rank calls this within so many seconds: then they failed alike, and may end alike."""
        try:
            self.wait([self._last_words.Ibarrier()], seconds)
        except RankError:
            return False
        return True

    def first_to_report(self) -> bool:
        """Whether no other rank has reported an error yet; tells them that this one does, and waits for none to hear it."""
        is_first = not any(self._last_words.Iprobe(source=self.mpi.ANY_SOURCE) for _ in range(LOOKS))
        self._told = [self._last_words.Isend([b"", self.mpi.BYTE], rank) for rank in range(self.size) if rank != self.rank]
        return is_first

    def rest(self) -> None:
        """Wait, without a limit of time and using no processor, until all ranks call this."""
        request = self._comm.Ibarrier()
        while not request.Test():
            time.sleep(REST)

    def leave(self) -> None:
        """End MPI when all ranks call this; until then Ctrl-C is ignored."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.rest()
        self.mpi.Finalize()

    def abort(self, code: int) -> NoReturn:
        """End all ranks at once, with this exit code."""
        self.mpi.COMM_WORLD.Abort(code)
        os._exit(code)  # until the launcher ends this process, too


def _kind(mpi: Any, array: Array) -> Any:
    return {"f": mpi.FLOAT, "d": mpi.DOUBLE, "l": mpi.INT64_T, "B": mpi.BYTE}[array.dtype.char]
