"""A worker: claims points, trains them, writes their results, until none is left. `python -m` starts one for a search.

Any number of them share one study, on any machines. A worker that dies or sleeps for long loses its points to the others.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event, Thread

from optuna.exceptions import UpdateFinishedTrialError

from glassnet.data import Splits
from glassnet.errors import GlassnetError
from glassnet.experiment.run import read_splits
from glassnet.experiment.search.attempts import Attempt, Attempts
from glassnet.experiment.search.claims import Claim, Claims
from glassnet.experiment.search.plan import Point, points, read_plan
from glassnet.experiment.search.records import SearchPlan
from glassnet.experiment.search.storage import Persistent, is_away, open_storage
from glassnet.experiment.search.trial import Outcome, run_trial

AHEAD = 1.0  # seconds of work that a worker claims at once where trials are short
PAUSE = 0.3  # seconds between looks at what others do, when nothing is left to claim
LEAVING = 5.0  # seconds in which a training must come to the end of its epoch when the search is stopped


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a worker is told: the `folder` with the plan, the study's `name` in the database at `url`, its own `token`.

    `interval`: seconds between two signs of life; `grace`: seconds after the last, when others take over.
    """

    folder: str
    url: str
    name: str
    token: str
    threads: int
    interval: float = 3.0
    grace: float = 15.0


class Worker:
    """Trains points of a plan until all are done, or `stop` is set.

    Raises `InputError` for a storage that can't be opened or holds another study.
    """

    def __init__(self, plan: SearchPlan, splits: Splits, job: Job, stop: Event, say: Callable[[str], object]) -> None:
        self._plan, self._splits, self._job, self._stop = plan, splits, job, stop
        self.patiently = Persistent(stop, say)
        self._points = {point.identity: point for point in points(plan)}
        self._pace = AHEAD
        self._suspects: dict[tuple[str, str, int | None], float] = {}
        self._storage = open_storage(job.url)
        self.attempts = Attempts(plan, self._storage, job.name)
        self.claims = Claims(self._storage.engine, self.attempts.study_id, job.token)

    def run(self) -> None:
        """Work; at the end, what was begun and not finished is free for others."""
        try:
            with self._signs_of_life():
                self._work()
        finally:
            self.release(self._job.token)

    def release(self, token: str) -> None:
        """Free what a worker that has ended had claimed; if the database is away, it is free after the grace."""
        try:
            for claim in self.claims.unfinished(token):
                self._free(claim)
        except Exception as error:
            if not is_away(error):
                raise

    def close(self) -> None:
        self._storage.close()

    def _work(self) -> None:
        names, finished = list(self._points), list[str]()
        while not self._stop.is_set():
            noted, most = finished, int(AHEAD / self._pace)
            batch, left = self.patiently(lambda: self.claims.take(names, noted, most))  # noqa: B023  # called at once
            finished = []
            if not left:
                self.patiently(lambda: self.attempts.sweep(self.claims.trials()))
                return
            for identity in batch:
                if self._stop.is_set():
                    break
                start = time.perf_counter()
                if self._trained(self._points[identity]):
                    finished.append(identity)
                self._pace = (self._pace + time.perf_counter() - start) / 2
            if not batch:
                self._rescue()
                self._stop.wait(min(PAUSE, self._job.interval))

    def _trained(self, point: Point) -> bool:
        """Train a claimed point; False if there is no result, or another worker has the point now."""
        attempt = self.patiently(lambda: self.attempts.begin(point))
        if not self.patiently(lambda: self.claims.attach(point.identity, attempt.trial_id)):
            self.patiently(lambda: self.attempts.end(attempt.trial_id))
            return False
        try:
            outcome, error = self._train(attempt)
        except UpdateFinishedTrialError:  # it was declared lost
            return False
        return outcome is not None and self.attempts.commit(attempt, outcome, error, self.patiently)

    def _train(self, attempt: Attempt) -> tuple[Outcome | None, str | None]:
        """The outcome, with the text of an error; None for a training that was stopped."""
        prune = False

        def report(step: int, value: float) -> None:
            nonlocal prune
            if step & (step - 1) == 0:  # 1, 2, 4, 8 …: the database is asked no more often, whatever an epoch takes
                prune = self.patiently(lambda: self.attempts.should_prune(attempt, step, value))

        try:
            outcome = run_trial(
                self._plan,
                attempt.settings,
                self._splits,
                threads=self._job.threads,
                report=None if self._plan.pruner == "none" else report,
                stop=lambda: prune or self._stop.is_set(),
            )
        except GlassnetError as error:
            return Outcome(), str(error)
        return (None if outcome.pruned and not prune else outcome), None

    def _rescue(self) -> None:
        """Free the claims of workers without a sign of life, seen twice: after an outage all claims look old for a moment."""
        now, seen = time.monotonic(), dict(self._suspects)
        self._suspects.clear()
        for claim in self.patiently(self.claims.unfinished):
            if claim.age > self._job.grace:
                key = claim.point, claim.token, claim.trial_id
                self._suspects[key] = seen.get(key, now)
                if now - self._suspects[key] > 1.5 * self._job.interval:
                    self.patiently(lambda: self._free(claim))  # noqa: B023  # called at once

    def _free(self, claim: Claim) -> None:
        """End the trial of a claim, and delete the claim; if the trial had committed, the point is done."""
        if claim.trial_id is not None and self.attempts.end(claim.trial_id):
            self.claims.finish([claim.point])
        else:
            self.claims.drop(claim)

    @contextlib.contextmanager
    def _signs_of_life(self) -> Iterator[None]:
        ended = Event()

        def renew() -> None:
            while not ended.wait(self._job.interval):
                try:
                    self.claims.renew()
                except Exception as error:
                    if not is_away(error):
                        raise

        thread = Thread(target=renew, name="signs of life", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def leave_when_closed(descriptor: int, stop: Event, leave: Callable[[], None]) -> None:
    """Stop when the pipe from the search is closed, even because it was killed; `leave` at once if the training goes on."""
    while os.read(descriptor, 1):
        pass
    stop.set()
    time.sleep(LEAVING)
    leave()
    os._exit(1)


def main() -> int:
    """Work on the job on stdin, until that is closed."""
    job, stop = Job(**json.loads(sys.stdin.readline())), Event()
    try:
        plan = read_plan(Path(job.folder))
        worker = Worker(plan, read_splits(plan.recipe), job, stop, lambda text: None)
        watch = leave_when_closed, (sys.stdin.fileno(), stop, lambda: worker.release(job.token))
        Thread(target=watch[0], args=watch[1], daemon=True).start()
        worker.run()
        worker.close()
    except GlassnetError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def line(job: Job) -> bytes:
    """A job as `main` reads it; the address of the database may hold a password, so it is no argument."""
    return json.dumps(asdict(job)).encode() + b"\n"


if __name__ == "__main__":
    sys.exit(main())
