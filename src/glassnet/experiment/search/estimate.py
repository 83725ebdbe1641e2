"""How long a search will take, measured by training for a moment, and how the cores are shared out."""

from __future__ import annotations

import time
from dataclasses import replace

from glassnet.data import Splits
from glassnet.errors import InputError
from glassnet.experiment.search.plan import points
from glassnet.experiment.search.records import SearchPlan
from glassnet.experiment.search.space import Settings
from glassnet.experiment.search.trial import run_trial
from glassnet.support.environment import available_cores
from glassnet.support.i18n import tr
from glassnet.support.memory import DATA_FRACTION, available
from glassnet.training import Callback, Progress

MOMENT = 0.4  # seconds of training that are measured
COPIES = 3  # of the data set, that a worker may need


class _Moment(Callback):
    """Ends a training after a moment; `total`: the seconds that the whole would have taken."""

    every_steps = None

    def __init__(self) -> None:
        self.total, self.ended = 0.0, False
        self._start = self._first = 0.0
        self._before = 0

    def on_train_begin(self, progress: Progress) -> None:
        self._start = time.perf_counter()

    def on_step_end(self, progress: Progress) -> None:
        now, done = time.perf_counter(), (progress.epoch - 1) * progress.steps_per_epoch + progress.step
        steps = progress.epochs * progress.steps_per_epoch
        if not self._before:  # the first stretch may wait for kernels
            self._first, self._before = now, done
            self.total = (now - self._start) / done * steps
            return
        self.total = (now - self._first) / (done - self._before) * steps
        if now - self._start > MOMENT:
            self.ended = True
            progress.stop("measured")


def share_cores(plan: SearchPlan, splits: Splits, workers: int | None, threads: int | None) -> tuple[int, int]:
    """The workers, by default one for each core or trial while the memory has room for the data, and the threads of each."""
    if workers is not None and workers < 1:
        raise InputError(tr("The number of workers must be positive."), where="workers", expected="≥ 1", received=workers)
    size = sum(part.images.nbytes for part in (splits.train, splits.validation, splits.test) if part is not None)
    room = max(1, int(min(plan.trials, DATA_FRACTION * available() / (COPIES * size))))
    chosen = min(plan.trials, min(available_cores(), room) if workers is None else workers)
    return chosen, threads or max(1, available_cores() // chosen)


def seconds_per_trial(plan: SearchPlan, splits: Splits, threads: int) -> float:
    """The estimated seconds of one trial: the mean of the first and the last values of all keys."""
    first, last = _samples(plan)
    _measured(plan, first, splits, threads)  # whatever is compiled, loaded or cached now
    found = [_measured(plan, settings, splits, threads) for settings in (first, last)]
    return plan.folds * plan.seeds * sum(found) / len(found)


def _samples(plan: SearchPlan) -> list[Settings]:
    if plan.method == "tpe":
        return [{parameter.key: parameter.ends[place] for parameter in plan.space} for place in (0, -1)]
    found = [point.settings or {} for point in points(plan)]
    return [found[0], found[-1]]


def _measured(plan: SearchPlan, settings: Settings, splits: Splits, threads: int) -> float:
    moment, start = _Moment(), time.perf_counter()
    run_trial(replace(plan, folds=1, seeds=1), settings, splits, threads=threads, callbacks=[moment])
    took = time.perf_counter() - start
    return max(moment.total, took) if moment.ended else took
