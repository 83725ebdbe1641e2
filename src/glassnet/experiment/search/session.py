"""A search on this machine: a worker in a thread of this process, the others in processes, and what is shown of all."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

from glassnet.data import Splits
from glassnet.errors import GlassnetError
from glassnet.experiment.search.plan import points
from glassnet.experiment.search.processes import Children
from glassnet.experiment.search.records import SearchPlan, Trial
from glassnet.experiment.search.storage import is_away
from glassnet.experiment.search.worker import LEAVING, Job, Worker
from glassnet.support.i18n import tr

LOOK = 0.5  # seconds between two looks at the workers and the trials


class Session:
    """Trains what is left of a plan's study. Raises `InputError` for a storage that is no such study."""

    def __init__(self, plan: SearchPlan, splits: Splits, job: Job, say: Callable[[str], object]) -> None:
        self._job, self._say, self._stop = job, say, Event()
        self._wanted = {point.identity for point in points(plan)}
        self._worker = Worker(plan, splits, job, self._stop, say)
        self._trials: dict[str, Trial] = {}  # by point
        self._elsewhere = 0  # how many of them were not trained here
        self._failure: BaseException | None = None

    def run(self, children: int, on_trial: Callable[[Trial], object]) -> tuple[Trial, ...]:
        """The trials of the plan in the order of their numbers, when all have ended. On Ctrl-C all workers end first."""
        others = Children(children, self._job, self._worker.release, self._say)
        thread = Thread(target=self._work, name="worker", daemon=True)
        try:
            thread.start()
            while thread.is_alive():
                thread.join(LOOK)
                others.check()
                self._look(on_trial)
            self._worker.patiently(lambda: self._look(on_trial, quietly=False))
            if self._failure is not None:
                raise self._failure
        except BaseException as error:
            self._stop.set()
            if isinstance(error, (KeyboardInterrupt, GlassnetError)):
                error.add_note(self._kept())
            raise
        finally:
            self._stop.set()
            others.end()
            thread.join(LEAVING)
            if thread.is_alive():  # it may be in the midst of an epoch for long
                self._worker.release(self._job.token)
            self._worker.close()
        return tuple(sorted(self._trials.values(), key=lambda trial: trial.number))

    def _work(self) -> None:
        try:
            self._worker.run()
        except BaseException as error:  # raised in the main thread
            self._failure = error

    def _look(self, on_trial: Callable[[Trial], object], quietly: bool = True) -> None:
        """Show the trials that have ended since, here or elsewhere; while the storage is away, there are none."""
        try:
            own, elsewhere = list(self._worker.attempts.own), self._worker.claims.done_elsewhere()
            others = self._worker.attempts.ended() if elsewhere > self._elsewhere else ()  # reading costs a millisecond each
            self._elsewhere = elsewhere
        except Exception as error:
            if quietly and is_away(error):
                return
            raise
        for trial in (*own, *others):
            if trial.point in self._wanted and trial.point not in self._trials:
                self._trials[trial.point] = trial
                on_trial(trial)

    def _kept(self) -> str:
        done, count, folder = len(self._trials), len(self._wanted), self._job.folder
        return tr(
            "{done} of {count} trials have finished. Continue with: glassnet search --resume {folder}",
            done=done,
            count=count,
            folder=folder,
        )
