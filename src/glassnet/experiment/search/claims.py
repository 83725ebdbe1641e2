"""Which worker trains which point: a table beside Optuna's.

A row is inserted by the worker that claims the point, which is the primary key: two can't have it. A claim is lost when its
worker has not renewed it for long. Whoever finds a lost one ends its trial (`Attempts.end`), whose result can then no
longer be committed, and deletes the row *as it was read*, so that the point is free again. A row is `done` when its trial is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Double,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    false,
    func,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

LONGEST = 64  # points in a claim
TABLE = Table(
    "glassnet_claims",
    MetaData(),
    Column("study_id", Integer, primary_key=True),
    Column("point", String(64), primary_key=True),
    Column("token", String(64), nullable=False),
    Column("trial_id", Integer),
    Column("since", Double, nullable=False),  # by the database's clock, in seconds
    Column("done", Boolean, nullable=False),
)
_c = TABLE.c


@dataclass(frozen=True)
class Claim:
    """A row that is not done, `age` seconds after it was made or renewed."""

    point: str
    token: str
    trial_id: int | None
    age: float


class Claims:
    """The claims of one study, for the worker with a `token`."""

    def __init__(self, engine: Engine, study_id: int, token: str) -> None:
        self._engine, self._study, self.token = engine, study_id, token
        on_sqlite = engine.dialect.name == "sqlite"
        self._insert: Any = (sqlite if on_sqlite else postgresql).insert(TABLE)
        self._now: Any = (func.julianday("now") - 2440587.5) * 86400.0 if on_sqlite else func.date_part("epoch", func.now())

    def take(self, points: Sequence[str], finished: Sequence[str], most: int) -> tuple[list[str], int]:
        """Up to `most` of the points for this worker, and how many are not done yet, after the `finished` ones are noted.

        Those that it has and that are not done come first: if an attempt was committed but not answered, the next returns
        the same. No more than a fair share of what is left is taken.
        """
        with self._engine.begin() as connection:
            if finished:
                connection.execute(self._finish(finished))
            rows = connection.execute(select(_c.point, _c.token, _c.done).where(_c.study_id == self._study)).all()
            known = {point: done for point, _, done in rows}
            left = sum(not known.get(point, False) for point in points)
            mine = {point for point, token, done in rows if token == self.token and not done}
            free = [] if mine else [point for point in points if point not in known]
            if free:
                workers = len({token for _, token, done in rows if not done} | {self.token})
                share = max(1, min(most, LONGEST, len(free) // (2 * workers)))
                values = [
                    {"study_id": self._study, "point": point, "token": self.token, "since": self._now, "done": False}
                    for point in free[:share]
                ]
                connection.execute(self._insert.values(values).on_conflict_do_nothing())
                mine = set(connection.scalars(select(_c.point).where(*self._open(), _c.token == self.token)))
        return [point for point in points if point in mine], left

    def attach(self, point: str, trial_id: int) -> bool:
        """Note the trial of a claimed point; False if the claim was lost."""
        with self._engine.begin() as connection:
            mine = (*self._open(), _c.point == point, _c.token == self.token)
            return self._changed(connection, update(TABLE).where(*mine).values(trial_id=trial_id, since=self._now))

    def renew(self) -> None:
        """This worker is alive."""
        with self._engine.begin() as connection:
            connection.execute(update(TABLE).where(*self._open(), _c.token == self.token).values(since=self._now))

    def finish(self, points: Sequence[str]) -> None:
        """Points whose trials have ended for good."""
        with self._engine.begin() as connection:
            connection.execute(self._finish(points))

    def unfinished(self, token: str | None = None) -> list[Claim]:
        """The claims of all workers, or of one."""
        columns = select(_c.point, _c.token, _c.trial_id, self._now - _c.since)
        with self._engine.begin() as connection:
            rows = connection.execute(columns.where(*self._open(), true() if token is None else _c.token == token))
            return [Claim(point, owner, trial_id, float(age)) for point, owner, trial_id, age in rows]

    def trials(self) -> set[int]:
        """The trials that stand in a claim, done or not."""
        with self._engine.begin() as connection:
            return set(connection.scalars(select(_c.trial_id).where(_c.study_id == self._study, _c.trial_id.is_not(None))))

    def done_elsewhere(self) -> int:
        """How many points other workers have finished."""
        with self._engine.begin() as connection:
            others = (_c.study_id == self._study, _c.done == true(), _c.token != self.token)
            return connection.scalar(select(func.count()).where(*others)) or 0

    def drop(self, claim: Claim) -> bool:
        """Free a point, unless its claim is no longer as it was read."""
        same = (_c.point == claim.point, _c.token == claim.token, _c.trial_id.is_not_distinct_from(claim.trial_id))
        with self._engine.begin() as connection:
            return self._changed(connection, delete(TABLE).where(*self._open(), *same))

    def _open(self) -> tuple[Any, ...]:
        return _c.study_id == self._study, _c.done == false()

    def _finish(self, points: Sequence[str]) -> Any:
        return update(TABLE).where(_c.study_id == self._study, _c.point.in_(points)).values(done=True)

    @staticmethod
    def _changed(connection: Connection, statement: Any) -> bool:
        return int(connection.execute(statement).rowcount) == 1
