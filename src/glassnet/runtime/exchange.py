"""The exchanges between ranks in the middle of a step, called by the compiled interpreter (see compiler/ranks.py)."""

from __future__ import annotations

import ctypes
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.compiler import LOSSES, SharedProgram, cuts, nodes
from glassnet.errors import InputError
from glassnet.runtime.executor import Executor
from glassnet.runtime.ranks import Ranks
from glassnet.support.i18n import tr

SPEED = 5e10  # multiplications with additions a second and core, near what the kernels reach
MESSAGE = 1e-5  # seconds of an exchange within a machine, with the call from compiled code
_Callback = ctypes.CFUNCTYPE(None, ctypes.c_int64)


def check_worth(shared: SharedProgram, work: float) -> None:
    """Refuse ranks for steps of `work` multiplications that take less time than the messages of a step."""
    count = len(shared.exchanges)
    step, messages = work / SPEED, count * MESSAGE
    if step < messages:
        raise InputError(
            tr("The steps of this training are too small to share."),
            where="fit(ranks)",
            expected=tr(
                "steps that take longer than {count} exchanges, {time:.0f} µs",
                count=count,
                time=1e6 * messages,
            ),
            received=tr("steps of about {time:.0f} µs in one process", time=1e6 * step),
            hint=tr("a larger batch_size, or train several seeds at once: glassnet train RECIPE --seeds 8 --ranks 4"),
        )


class Exchanges:
    """Runs the exchanges of one shared program. After `Executor.run`, `check` raises what went wrong in one of them."""

    def __init__(
        self,
        ranks: Ranks,
        shared: SharedProgram,
        executor: Executor,
        batch: int,
        losses: NDArray[np.float64],
        classes: NDArray[np.int64],
    ) -> None:
        self._ranks, self._shared, self._executor = ranks, shared, executor
        self._losses, self._classes = losses, classes
        self._found = np.zeros((batch, 2))  # loss and class of each image of the mini-batch
        last = len(losses) % batch or batch
        self._cuts = {count: cuts(count, ranks.size, shared.partitions) for count in (batch, last)}
        self._requests = {count: self._gatherers(count) for count in self._cuts}
        self._error: BaseException | None = None
        self._callback = _Callback(self._call)
        executor.bind(cuts=np.array([self._cuts[batch], self._cuts[last]]))
        address = ctypes.cast(self._callback, ctypes.c_void_p).value
        executor.set(ranks=ranks.size, rank=ranks.rank, exchange=address or 0)

    def _gatherers(self, count: int) -> list[Any]:
        """A request for each gather of a mini-batch of `count` images."""
        found, bounds = [], self._cuts[count]
        for gather in self._shared.gathers:
            shares = [nodes(gather, count, low, high) for low, high in pairwise(bounds)]
            array = self._found if gather.at == LOSSES else self._executor.workspace[gather.at :]
            found.append(self._ranks.gatherer(array, [size for _, size in shares], [place for place, _ in shares]))
        return found

    def _call(self, number: int) -> None:
        """Begin and end the gathers of exchange `number`; nothing may be raised into compiled code."""
        if self._error is not None:
            return
        try:
            exchange, (first, count) = self._shared.exchanges[number], self._executor.mini_batch
            requests, gathers = self._requests[count], self._shared.gathers
            for place in exchange.begin:
                if gathers[place].at == LOSSES:
                    self._give_losses(first, count)
                requests[place].Start()
            if exchange.end:
                self._ranks.wait_in_step([requests[place] for place in exchange.end])
                if any(gathers[place].at == LOSSES for place in exchange.end):
                    self._take_losses(first, count)
        except BaseException as error:
            self._error = error
            self._executor.stop()

    def _give_losses(self, first: int, count: int) -> None:
        low, high = self._cuts[count][self._ranks.rank : self._ranks.rank + 2]
        self._found[low:high, 0] = self._losses[first + low : first + high]
        self._found[low:high, 1] = self._classes[first + low : first + high]

    def _take_losses(self, first: int, count: int) -> None:
        self._losses[first : first + count] = self._found[:count, 0]
        self._classes[first : first + count] = self._found[:count, 1]

    def check(self) -> None:
        """Raise the error that ended an exchange."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Free the requests, unless one may still be under way."""
        if self._error is None:
            for request in (request for requests in self._requests.values() for request in requests):
                request.Free()
        self._requests = {}

    @property
    def shares(self) -> list[int]:
        """How many images of a whole mini-batch each rank has."""
        return np.diff(self._cuts[len(self._found)]).tolist()
