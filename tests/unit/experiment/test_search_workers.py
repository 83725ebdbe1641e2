"""Claims, storage and workers of a search: who trains which point, and what happens when something fails in between."""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from hypothesis import Phase, given, settings, strategies as st
from sqlalchemy.exc import OperationalError

import glassnet as gn
from glassnet.errors import InputError, RunError
from glassnet.experiment.search import worker
from glassnet.experiment.search.attempts import Attempt, Attempts
from glassnet.experiment.search.claims import Claims
from glassnet.experiment.search.plan import make_plan, points
from glassnet.experiment.search.records import FILE, Method, Pruner, SearchPlan
from glassnet.experiment.search.search import search
from glassnet.experiment.search.storage import Persistent, Storage, file_url, open_storage
from glassnet.experiment.search.suggestions import Suggestions
from glassnet.experiment.search.trial import Outcome

OVER = ["hidden=5,8", "learning_rate=0.1,0.3,1"]


def make(method: Method = "grid", over: list[str] = OVER, epochs: int = 3, **options: Any) -> SearchPlan:
    return make_plan(gn.load_recipe("digits").changed({"epochs": epochs}), over, method=method, **options)


@pytest.fixture(scope="module")
def plan() -> SearchPlan:
    return make()


@contextmanager
def opened(folder: Path) -> Iterator[Storage]:
    storage = open_storage(file_url(folder))
    yield storage
    storage.close()


def run(plan: SearchPlan, out: Path, **options: Any) -> list[tuple[Any, ...]]:
    found = search(plan, out=out, workers=1, **options)
    return [(one.number, one.point, one.settings, one.state, one.parts, one.curve) for one in found.trials]


# ------------------------------------------------------------------ claims


def test_many_threads_claim_each_point_once(tmp_path: Path) -> None:
    names = [f"point-{number}" for number in range(150)]
    taken: list[str] = []
    with opened(tmp_path) as storage:

        def work(token: str) -> None:
            claims, finished = Claims(storage.engine, 1, token), list[str]()
            while True:
                finished, left = claims.take(names, finished, 4)
                taken.extend(finished)
                if not left:
                    return

        threads = [Thread(target=work, args=(f"worker-{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(taken) == sorted(names)


def test_a_claim_is_a_fair_share_and_the_same_when_asked_again(tmp_path: Path) -> None:
    names = [f"{number:02}" for number in range(10)]
    with opened(tmp_path) as storage:
        one, other = Claims(storage.engine, 1, "one"), Claims(storage.engine, 1, "other")
        first, left = one.take(names, [], 64)
        assert (first, left) == (names[:5], 10)
        assert one.take(names, [], 64) == (first, 10)  # as after an answer that was lost
        assert other.take(names, [], 64)[0] == names[5:6]
        assert one.take(names, first, 64) == (names[6:7], 5)
        assert Claims(storage.engine, 2, "one").take(names, [], 1) == (names[:1], 10)  # of another study


def test_a_claim_that_changed_is_not_dropped(tmp_path: Path) -> None:
    with opened(tmp_path) as storage:
        one, other = Claims(storage.engine, 1, "one"), Claims(storage.engine, 1, "other")
        one.take(["point"], [], 1)
        (before,) = other.unfinished()
        assert one.attach("point", 7)  # it is alive after all
        assert not other.drop(before)
        (now,) = other.unfinished()
        assert other.drop(now)
        assert not one.attach("point", 8)
        assert other.take(["point"], [], 1)[0] == ["point"]


ACTIONS = ("claim", "begin", "attach", "commit", "rescue")


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    with opened(tmp_path_factory.mktemp("studies")) as storage:
        yield storage


NAMES = itertools.count()


@given(steps=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(ACTIONS)), max_size=40))
@settings(max_examples=10, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_any_interleaving_of_workers_counts_each_point_once(studies: Storage, steps: list[tuple[int, str]]) -> None:
    """Each of three workers may stop for ever or for a while between any two steps, while others rescue its points."""
    plan, name = make(over=["hidden=5,8,9"]), f"study {next(NAMES)}"
    by_identity = {point.identity: point for point in points(plan)}
    workers = [_Steps(Attempts(plan, studies, name), studies, str(number)) for number in range(3)]
    for number, action in steps:
        workers[number].do(action, by_identity)
    last = _Steps(Attempts(plan, studies, name), studies, "last")
    for action in itertools.cycle(("rescue", "claim", "begin", "attach", "commit")):
        last.do(action, by_identity)
        if not last.left:
            break
    for late in workers:  # awake again
        late.do("attach", by_identity)
        late.do("commit", by_identity)
    assert Counter(trial.point for trial in Attempts(plan, studies, name).ended()) == Counter(by_identity.keys())


class _Steps:
    """A worker that takes one step of `Worker._trained` at a time."""

    def __init__(self, attempts: Attempts, storage: Storage, token: str) -> None:
        self.attempts = attempts
        self.claims = Claims(storage.engine, self.attempts.study_id, token)
        self.left, self._batch, self._attempt, self._attached = 1, list[str](), None, False  # type: ignore[var-annotated]

    def do(self, action: str, known: dict[str, Any]) -> None:
        if action == "claim" and not self._batch:
            self._batch, self.left = self.claims.take(list(known), [], 2)
        elif action == "begin" and self._batch and self._attempt is None:
            self._attempt, self._attached = self.attempts.begin(known[self._batch.pop(0)]), False
        elif action == "attach" and self._attempt is not None and not self._attached:
            self._attached = self.claims.attach(self._attempt.point.identity, self._attempt.trial_id)
            if not self._attached:
                self.attempts.end(self._attempt.trial_id)
                self._attempt = None
        elif action == "commit" and self._attempt is not None and self._attached:
            if self.attempts.commit(self._attempt, Outcome((0.5,), (0.5,), 0.1), None, lambda operation: operation()):
                self.claims.finish([self._attempt.point.identity])
            self._attempt = None
        elif action == "rescue":
            for claim in self.claims.unfinished():
                if claim.token != self.claims.token:
                    if claim.trial_id is not None and self.attempts.end(claim.trial_id):
                        self.claims.finish([claim.point])
                    else:
                        self.claims.drop(claim)


# ------------------------------------------------------------------ a search


@pytest.mark.parametrize(
    ("method", "pruner"),
    [("grid", "none"), ("random", "median"), ("grid", "halving"), ("tpe", "hyperband"), ("tpe", "none")],
)
def test_one_worker_finds_the_same_again(tmp_path: Path, method: Method, pruner: Pruner) -> None:
    trials = None if method == "grid" else 8
    over = ["hidden=4,6", "learning_rate=0.02,0.1,0.3,3"] if method == "grid" else ["hidden=4:9", "learning_rate=log:0.02:3"]
    plan = make(method, over, epochs=8, pruner=pruner, trials=trials, seed=3)
    first = run(plan, tmp_path / "first")
    assert run(plan, tmp_path / "second") == first
    states = Counter(row[3] for row in first)
    assert set(states) <= {"complete", "pruned"}
    assert (pruner == "none") == (states["pruned"] == 0) or pruner in ("median", "hyperband")
    assert all(0 < len(row[5]) <= 8 for row in first)
    if method == "tpe":
        assert len({tuple(row[2].values()) for row in first}) == 8


def test_tpe_suggests_near_the_best_and_away_from_what_runs() -> None:
    from optuna.distributions import FloatDistribution
    from optuna.trial import FrozenTrial, TrialState, create_trial

    where = {"rate": FloatDistribution(0.01, 100.0, log=True)}

    def trial(number: int, rate: float, state: TrialState = TrialState.COMPLETE) -> FrozenTrial:
        value = None if state == TrialState.RUNNING else -(math.log10(rate) ** 2)
        made = create_trial(state=state, params={"rate": rate}, distributions=where, value=value)
        made._trial_id = number
        return made

    trials = [trial(number, 10 ** (number / 10 - 2)) for number in range(40)]  # the best is 1
    kept = Suggestions(where, maximise=True)
    rates = [kept.suggest(trials, 1, number)["rate"] for number in range(20)]
    assert [Suggestions(where, maximise=True).suggest(trials, 1, number)["rate"] for number in range(20)] == rates
    assert rates != [kept.suggest(trials, 2, number)["rate"] for number in range(20)]
    assert statistics.median(abs(math.log10(rate)) for rate in rates) < 0.6  # 1 of points that are spread evenly
    running = [trial(100 + number, rate, TrialState.RUNNING) for number, rate in enumerate(rates)]
    assert [kept.suggest([*trials, *running], 1, number)["rate"] for number in range(20)] != rates
    assert [kept.suggest(trials, 1, number)["rate"] for number in range(20)] == rates  # they are gone again


def test_every_answer_of_the_database_may_be_lost(tmp_path: Path, plan: SearchPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each operation is done, and done again, as if its first answer had not arrived."""
    expected = run(plan, tmp_path / "expected")

    def twice(self: Persistent, operation: Callable[[], Any]) -> Any:
        operation()
        return operation()

    monkeypatch.setattr(Persistent, "__call__", twice)
    assert run(plan, tmp_path / "out") == expected
    with opened(tmp_path / "out") as storage:
        import optuna

        trials = optuna.load_study(study_name="digits", storage=storage.trials).get_trials()
    assert Counter(trial.state.name for trial in trials) == {"COMPLETE": 6, "FAIL": 6}


def test_a_trial_that_fails_is_a_result(tmp_path: Path, plan: SearchPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Any] = []
    train = worker.run_trial

    def fail(plan: SearchPlan, chosen: dict[str, Any], splits: Any, **options: Any) -> Outcome:
        tried.append(chosen)
        if chosen["hidden"] == 8:
            raise InputError("No luck.", where="here")
        return train(plan, chosen, splits, **options)

    monkeypatch.setattr(worker, "run_trial", fail)
    found = search(plan, out=tmp_path / "out", workers=1)
    assert len(tried) == 6
    assert [trial.state for trial in found.trials] == ["complete"] * 3 + ["failed"] * 3
    assert {trial.error for trial in found.trials[3:]} == {"No luck.\n  where:    here"}
    again = search(plan, out=tmp_path / "out", workers=1, resume=True)
    assert again.trials == found.trials
    assert len(tried) == 6


def test_more_trials_go_on_with_a_search(tmp_path: Path) -> None:
    few = make("random", ["learning_rate=0.1:2"], trials=3)
    first = run(few, tmp_path / "out")
    more = run(dataclasses.replace(few, trials=5), tmp_path / "out", resume=True)
    assert more[:3] == first
    assert len(more) == 5
    assert run(few, tmp_path / "out", resume=True) == first


# ------------------------------------------------------------------ wrong input, and a storage that goes away


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("nonsense", "This is not the address of a storage."),
        ("mysql://me@here/db", "This is not the address of a storage."),
        ("sqlite://", "This is not the address of a storage."),
        ("sqlite:////no/such/folder/file", "The storage of the search can't be opened."),
        ("postgresql://me:secret@127.0.0.1:1/db", "The storage of the search can't be opened."),
    ],
)
def test_a_storage_that_cannot_be_used(tmp_path: Path, plan: SearchPlan, url: str, text: str) -> None:
    if url.startswith("postgresql"):
        pytest.importorskip("psycopg", reason="psycopg, the driver of PostgreSQL, is not installed")
    with pytest.raises(InputError, match=text) as caught:
        search(plan, out=tmp_path / "out", storage=url)
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_database(tmp_path: Path, plan: SearchPlan) -> None:
    (tmp_path / FILE).write_text("my notes, which are longer than the header of a database that sqlite looks for" * 20)
    with pytest.raises(InputError, match="can't be opened"):
        search(plan, out=tmp_path / "out", storage=file_url(tmp_path))
    assert (tmp_path / FILE).read_text().startswith("my notes")


def test_a_study_of_another_plan(tmp_path: Path, plan: SearchPlan) -> None:
    search(plan, out=tmp_path / "out", workers=1)
    other, url = make(epochs=4), file_url(tmp_path / "out")
    with pytest.raises(InputError, match="another plan") as caught:
        search(other, out=tmp_path / "other", storage=url)
    assert "study digits in sqlite" in str(caught.value.where)
    assert caught.value.expected != caught.value.received
    assert not (tmp_path / "other").exists()
    search(other, out=tmp_path / "other", storage=url, name="four epochs", workers=1)
    with pytest.raises(InputError, match="another storage"):
        search(other, out=tmp_path / "other", resume=True)
    with pytest.raises(RunError, match=r"There is a search in this folder.*\n.*\n.*\n.*--resume"):
        search(plan, out=tmp_path / "out")


def test_a_study_that_someone_else_made(tmp_path: Path, plan: SearchPlan) -> None:
    with opened(tmp_path) as storage:
        import optuna

        optuna.create_study(storage=storage.trials, study_name="digits").add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(InputError, match="another plan"):
        search(plan, out=tmp_path / "out", storage=file_url(tmp_path))


@pytest.mark.parametrize(
    ("options", "text"), [({"workers": 0}, "workers must be positive"), ({"resume": True}, "needs its folder")]
)
def test_wrong_options(plan: SearchPlan, options: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        search(plan, **options)


def test_without_the_packages(tmp_path: Path, plan: SearchPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"glassnet\[search\]"):
        search(plan, out=tmp_path / "out")


def away() -> OperationalError:
    return OperationalError("select 1", {}, Exception("the server is gone"))


def test_an_operation_is_tried_again_and_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassnet.experiment.search.storage.FIRST_PAUSE", 0.001)
    said, errors = list[str](), [away(), away(), away()]
    patient = Persistent(Event(), said.append)

    def operation() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert patient(operation) == "done"
    assert said == ["The storage can't be reached; trying again: the server is gone", "The storage is back."]
    with pytest.raises(ZeroDivisionError):
        patient(lambda: 1 // 0)


@pytest.mark.parametrize("stopped", [True, False])
def test_patience_ends(monkeypatch: pytest.MonkeyPatch, stopped: bool) -> None:
    monkeypatch.setattr("glassnet.experiment.search.storage.PATIENCE", -1.0)
    stop = Event()
    if stopped:
        stop.set()

    def operation() -> None:
        raise away()

    with pytest.raises(RunError, match="can't be reached any more"):
        Persistent(stop, print)(operation)


def test_a_result_that_is_not_a_number_is_a_failure(tmp_path: Path, plan: SearchPlan) -> None:
    with opened(tmp_path) as storage:
        attempts = Attempts(plan, storage, "digits")
        attempt: Attempt = attempts.begin(points(plan)[0])
        assert attempts.commit(attempt, Outcome((float("nan"),)), None, lambda operation: operation())
        (trial,) = attempts.ended()
    assert trial.state == "failed"
    assert trial.error == "The value is not a number."
