"""The database of a search: sqlite on one machine, PostgreSQL for many; it may go away and come back while a search runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy import URL, Engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from glassnet.errors import InputError, RunError, reason
from glassnet.experiment.search.claims import TABLE
from glassnet.experiment.search.records import FILE
from glassnet.support.i18n import tr

DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}  # psycopg 3, which the extra installs
LOCKED = 60  # seconds that a transaction waits for another one's end in sqlite
ALIVE = {"connect_timeout": 10, "keepalives_idle": 30, "tcp_user_timeout": 60_000}  # a silent network is noticed
OPENINGS, EXISTS = 8, "already exists"  # another process may be making the same tables
FIRST_PAUSE, LAST_PAUSE, PATIENCE = 0.1, 10.0, 900.0  # seconds: between attempts, and in all

logging.getLogger("optuna").setLevel(logging.ERROR)  # a line for each trial and study
Returned = TypeVar("Returned")


@dataclass(frozen=True)
class Storage:
    """Optuna's `trials` and the `engine` of the same database."""

    url: str
    trials: BaseStorage
    engine: Engine

    def close(self) -> None:
        self.engine.dispose()


def file_url(folder: Path) -> str:
    """The URL of the sqlite file in the folder of a search."""
    return URL.create("sqlite", database=str(folder.absolute() / FILE)).render_as_string()


def shown(url: str) -> str:
    """A URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url


def open_storage(url: str) -> Storage:
    """Open the database, and make its tables if it has none. Raises `InputError` if that is not possible."""
    address = _address(url)
    for left in reversed(range(OPENINGS)):
        try:
            return _open(address)
        except ImportError as error:
            raise InputError(
                tr("This storage needs a package that is not installed."),
                where=shown(url),
                received=reason(error),
                hint='pip install "glassnet[search,postgresql]"',
            ) from None
        except (SQLAlchemyError, StorageInternalError, RuntimeError) as error:
            if isinstance(error, RuntimeError) or not left or (_is_away(error) and EXISTS not in str(error)):
                raise InputError(
                    tr("The storage of the search can't be opened."),
                    where=shown(url),
                    expected=tr("a database that can be reached and written"),
                    received=_own_words(error),
                    hint=tr("check the address, the password, and whether the database runs and exists"),
                ) from None
            time.sleep(0.2)
    raise AssertionError


def _address(url: str) -> URL:
    refused = InputError(
        tr("This is not the address of a storage."),
        where="--storage",
        expected="postgresql://USER:PASSWORD@HOST/DATABASE | sqlite:///FILE",
        received=repr(shown(url)),
    )
    try:
        address = make_url(url)
        address = address.set(drivername=DRIVERS.get(address.drivername, address.drivername))
        address.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise refused from None
    except ImportError:  # its driver: said when it is opened
        pass
    if address.get_backend_name() not in ("sqlite", "postgresql") or not address.database:
        raise refused
    return address


def _open(address: URL) -> Storage:
    is_file = address.get_backend_name() == "sqlite"
    options: dict[str, Any] = {"timeout": LOCKED} if is_file else ALIVE
    text = address.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")  # Optuna formats it
    made = RDBStorage(text, engine_kwargs={"connect_args": options, "poolclass": NullPool})  # fails with nothing left open
    TABLE.create(made.engine, checkfirst=True)
    kept: dict[str, Any] = {"skip_table_creation": True, "skip_compatibility_check": True}
    database = RDBStorage(text, engine_kwargs={"connect_args": options}, **kept)
    if is_file:
        event.listen(database.engine, "connect", _set_up)
        event.listen(database.engine, "begin", _begin)
        database.engine.dispose()
    return Storage(address.render_as_string(hide_password=False), optuna.storages.get_storage(database), database.engine)


def _set_up(connection: Any, _: object) -> None:
    """A commit costs no fsync: after a power cut the last ones may be missing, and their points are trained again."""
    connection.isolation_level = None  # transactions begin as `_begin` says
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin(connection: Any) -> None:
    """Writers from the beginning on: a transaction that reads and then writes would fail if another wrote in between."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


class Persistent:
    """Calls an operation again while the database is away, with growing pauses, for a quarter of an hour.

    An operation must do no harm when it is repeated: its first attempt may have been committed.
    """

    def __init__(self, stop: Event, say: Callable[[str], object]) -> None:
        self._stop, self._say, self._said = stop, say, False

    def __call__(self, operation: Callable[[], Returned]) -> Returned:
        end, pause = time.monotonic() + PATIENCE, FIRST_PAUSE
        while True:
            try:
                found = operation()
            except (SQLAlchemyError, StorageInternalError) as error:
                if not _is_away(error):
                    raise
                if self._stop.is_set() or time.monotonic() > end:
                    raise RunError(
                        tr("The storage of the search can't be reached any more."),
                        received=_own_words(error),
                        hint=tr("what has finished is kept; go on with glassnet search --resume"),
                    ) from None
                if not self._said:
                    self._say(tr("The storage can't be reached; trying again: {reason}", reason=_own_words(error)))
                    self._said = True
                self._stop.wait(pause)
                pause = min(2 * pause, LAST_PAUSE)
            else:
                if self._said:
                    self._say(tr("The storage is back."))
                    self._said = False
                return found


def is_away(error: BaseException) -> bool:
    """Whether the database could not be reached or was busy, so that the same operation may succeed later."""
    return isinstance(error, (SQLAlchemyError, StorageInternalError)) and _is_away(error)


def _is_away(error: BaseException) -> bool:
    cause = _cause(error)
    return isinstance(cause, (OperationalError, InterfaceError)) or (
        isinstance(cause, DBAPIError) and cause.connection_invalidated
    )


def _cause(error: BaseException) -> BaseException:
    """The error of SQLAlchemy, which Optuna's is raised from."""
    return error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ is not None else error


def _own_words(error: BaseException) -> str:
    """What the database itself said."""
    cause = _cause(error)
    return reason(cause.orig if isinstance(cause, DBAPIError) and cause.orig is not None else cause)
