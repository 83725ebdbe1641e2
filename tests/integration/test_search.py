"""A search by several processes, some of which are killed, stopped or cut off from the database: none lost, none twice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

import glassnet as gn
from glassnet.experiment.search import processes, worker
from glassnet.experiment.search.attempts import Attempts
from glassnet.experiment.search.claims import Claims
from glassnet.experiment.search.plan import make_plan, points, read_plan
from glassnet.experiment.search.records import SearchPlan, SearchResult, Trial
from glassnet.experiment.search.search import search
from glassnet.experiment.search.storage import file_url, open_storage
from tests.install_postgresql import programs
from tests.postgresql import Server
from tests.waiting import until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")

OVER = ["hidden=6,8", "learning_rate=0.05,0.1"]
QUICK: dict[str, Any] = {"interval": 0.3, "grace": 2.0}
Table = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def plan() -> SearchPlan:
    return make_plan(gn.load_recipe("digits").changed({"epochs": 250}), OVER)


@pytest.fixture(scope="module")
def alone(plan: SearchPlan, tmp_path_factory: pytest.TempPathFactory) -> Table:
    """The table of one worker that nothing happened to."""
    return table(search(plan, out=tmp_path_factory.mktemp("alone") / "out", workers=1))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    pytest.importorskip("psycopg", reason="psycopg, the driver of PostgreSQL, is not installed")
    found = programs()
    if found is None:
        pytest.skip("there is no PostgreSQL on this machine: python -m tests.install_postgresql looks for one")
    made = Server(found)
    yield made
    made.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return file_url(tmp_path)
    made: Server = request.getfixturevalue("server")
    return made.url(request.node.name)


def table(result: SearchResult) -> Table:
    assert [trial.number for trial in result.trials] == list(range(result.plan.trials))
    return [(trial.point, trial.settings, trial.state, trial.parts, trial.curve) for trial in result.trials]


def check_study(url: str, plan: SearchPlan) -> int:
    """None runs, none is lost, none was counted twice, as Optuna itself reads the study; returns how many were given up."""
    import optuna

    opened = open_storage(url)
    trials = optuna.load_study(study_name=plan.recipe.name, storage=opened.trials).get_trials()
    opened.close()
    states = Counter(trial.state.name for trial in trials)
    assert set(states) <= {"COMPLETE", "FAIL"}
    counted = Counter(trial.user_attrs["glassnet"]["point"] for trial in trials if trial.state.name == "COMPLETE")
    assert counted == Counter(point.identity for point in points(plan))
    return states["FAIL"]


def test_opened_by_many_at_once(storage: str, plan: SearchPlan) -> None:
    """The first makes the tables and the study; none minds that others do the same."""

    def open_study(_: int) -> int:
        made = open_storage(storage)
        found = Attempts(plan, made, "together").study_id
        made.close()
        return found

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(open_study, range(8)))) == 1


class Other:
    """The first worker process of a search in this test, and what is done to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, url: str, plan: SearchPlan) -> None:
        self.started: list[processes.Child] = []
        self._url, self._plan = url, plan
        started = self.started

        class Known(processes.Child):
            def __init__(self, *arguments: Any) -> None:
                super().__init__(*arguments)
                started.append(self)

        monkeypatch.setattr(processes, "Child", Known)
        self._threads: list[Thread] = []
        self.acted = Event()

    def when_it_trains(self, act: Callable[[], object]) -> None:
        """Call `act` in the midst of a trial of the first child."""
        self._threads.append(Thread(target=self._watch, args=(act,)))
        self._threads[-1].start()

    def _watch(self, act: Callable[[], object]) -> None:
        until(lambda: self.started)
        with self.claims(self.started[0].job.token) as claims:
            until(lambda: any(claim.trial_id is not None for claim in claims.unfinished(claims.token)))
        act()
        self.acted.set()

    def claims(self, token: str) -> Any:
        @contextlib.contextmanager
        def opened() -> Iterator[Claims]:
            made = open_storage(self._url)
            yield Claims(made.engine, Attempts(self._plan, made, self._plan.recipe.name).study_id, token)
            made.close()

        return opened()

    def send(self, number: int) -> None:
        self.started[0].process.send_signal(number)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()


def test_killed_in_the_midst_of_a_trial(
    tmp_path: Path, storage: str, plan: SearchPlan, alone: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its point is free at once, and it is started again."""
    other, said = Other(monkeypatch, storage, plan), list[str]()
    other.when_it_trains(lambda: other.send(signal.SIGKILL))
    begin_after(monkeypatch, other.acted)
    found = search(plan, out=tmp_path / "out", storage=storage, workers=2, say=said.append, interval=0.3, grace=600)
    other.join()
    assert table(found) == alone
    assert check_study(storage, plan) >= 1
    assert said == ["A worker process was killed (-9); it is started again."]
    assert len(other.started) == 2


def begin_after(monkeypatch: pytest.MonkeyPatch, acted: Event) -> None:
    """The worker of this process claims a point, but trains nothing before that."""
    trained = worker.Worker._trained

    def later(self: worker.Worker, point: Any) -> bool:
        assert acted.wait(60)
        return trained(self, point)

    monkeypatch.setattr(worker.Worker, "_trained", later)


def test_suspended_for_longer_than_the_grace(
    tmp_path: Path, storage: str, plan: SearchPlan, alone: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others take over; what it brings when it awakes does not count."""
    other = Other(monkeypatch, storage, plan)

    def suspend() -> None:
        other.send(signal.SIGSTOP)
        other.acted.set()
        with other.claims(other.started[0].job.token) as claims:
            until(lambda: not claims.unfinished(claims.token))
        other.send(signal.SIGCONT)

    other.when_it_trains(suspend)
    begin_after(monkeypatch, other.acted)
    found = search(plan, out=tmp_path / "out", storage=storage, workers=2, **QUICK)
    other.join()
    assert table(found) == alone
    assert check_study(storage, plan) >= 1


def test_database_stopped_and_started_again(
    tmp_path: Path, server: Server, plan: SearchPlan, alone: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, said = server.url("restarted"), list[str]()
    other = Other(monkeypatch, url, plan)

    def restart() -> None:
        server.stop()
        other.acted.set()
        until(lambda: said)  # this process has finished a trial meanwhile
        time.sleep(2 * QUICK["grace"])
        server.start()

    other.when_it_trains(restart)
    begin_after(monkeypatch, other.acted)
    found = search(plan, out=tmp_path / "out", storage=url, workers=2, say=said.append, **QUICK)
    other.join()
    assert table(found) == alone
    check_study(url, plan)
    assert [line.split(":")[0] for line in said] == ["The storage can't be reached; trying again", "The storage is back."]


SCRIPT = """
import sys, time
from pathlib import Path
from glassnet.experiment.search import worker
from glassnet.experiment.search.plan import read_plan
from glassnet.experiment.search.search import search

def wait_for_the_other(self, point):
    while len(self.claims.unfinished()) == len(self.claims.unfinished(self.claims.token)):
        time.sleep(0.01)
    print("begun", flush=True)
    self._stop.wait(60)
    return trained(self, point)

if __name__ == "__main__":
    trained, worker.Worker._trained = worker.Worker._trained, wait_for_the_other
    search(read_plan(Path(sys.argv[1])), out=sys.argv[2], workers=2, interval=0.3, grace=1.0)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_whole_search_killed_and_continued(tmp_path: Path, plan: SearchPlan, alone: Table, number: int) -> None:
    """No process is left, and the search goes on where it was."""
    from glassnet.experiment.search.plan import plan_text

    (tmp_path / "plan.json").write_text(plan_text(plan))
    out = tmp_path / "out"
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "plan.json"), str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"begun\n"
    others = descendants(child.pid)
    assert others
    child.send_signal(number)
    error = child.communicate(timeout=60)[1].decode()
    if number == signal.SIGINT:
        assert f"trials have finished. Continue with: glassnet search --resume {out}" in error
    else:
        assert error == ""
    until(lambda: not any(map(is_alive, others)))
    ended: list[Trial] = []
    found = search(read_plan(out), out=out, workers=1, resume=True, on_trial=ended.append, **QUICK)
    assert table(found) == alone
    assert sorted(trial.number for trial in ended) == list(range(plan.trials))
    check_study(file_url(out), plan)


def descendants(pid: int) -> list[int]:
    return [int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
