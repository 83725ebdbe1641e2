"""A search: workers in this process and others train the points of a plan; the study is their common memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from glassnet.errors import InputError, RunError
from glassnet.experiment.run import read_splits
from glassnet.experiment.run_folder import new_folder
from glassnet.experiment.search.estimate import share_cores
from glassnet.experiment.search.plan import PLAN, plan_text, read_plan
from glassnet.experiment.search.records import FILE, SearchPlan, SearchResult, Trial
from glassnet.support.atomic import sweep, write_text
from glassnet.support.extras import require_extra
from glassnet.support.i18n import tr

Shown = Callable[[Trial], object]
EXTRA = ("optuna", "sqlalchemy")


def search(
    plan: SearchPlan,
    *,
    out: str | Path | None = None,
    storage: str | None = None,
    name: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    on_trial: Shown | None = None,
    say: Callable[[str], object] | None = None,
    resume: bool = False,
    interval: float = 3.0,
    grace: float = 15.0,
) -> SearchResult:
    """Train all points of a plan that the study does not have yet, and return the trials of all.

    `out`: a new folder, or with `resume` that of a search to go on with. `storage`: by default an sqlite file in it, else the
    URL of a PostgreSQL database, where the same search on other machines joins in; `name`: of the study, by default the
    recipe's. `workers`: processes, by default one for each core; `threads` of each. `on_trial` is called for each trial that
    ends, wherever it ran; `say` with a line where a worker or the storage fails and the search goes on (default: on stderr).
    A worker renews its claims every `interval` seconds; when it has not done so for `grace` seconds, others take over.

    On Ctrl-C what has finished is kept. Raises `InputError` for a storage that can't be opened or holds another study, and
    `RunError` for a folder that is not empty, and for a storage that goes away for more than a quarter of an hour.
    """
    require()
    from glassnet.experiment.search.session import Session
    from glassnet.experiment.search.storage import file_url
    from glassnet.experiment.search.worker import Job

    splits = read_splits(plan.recipe)
    count, each = share_cores(plan, splits, workers, threads)
    with _folder(plan, out, storage, resume) as folder:
        job = Job(
            folder=str(folder.absolute()),
            url=storage or file_url(folder),
            name=name or plan.recipe.name,
            token=uuid4().hex,
            threads=each,
            interval=interval,
            grace=grace,
        )
        session = Session(plan, splits, job, say or _on_stderr)
        write_text(folder / PLAN, plan_text(plan))
    return SearchResult(plan, session.run(count - 1, on_trial or _ignore), folder)


def load_search(folder: str | Path, *, storage: str | None = None, name: str | None = None) -> SearchResult:
    """A search from its folder; `storage` and `name` as in `search`, where its trials are not in the folder.

    Raises `InputError` for a folder that holds no search, or no trials.
    """
    require()
    from glassnet.experiment.search.attempts import Attempts
    from glassnet.experiment.search.storage import file_url, open_storage

    path, plan = Path(folder), read_plan(folder)
    _check_here(path, storage)
    opened = open_storage(storage or file_url(path))
    try:
        trials = Attempts(plan, opened, name or plan.recipe.name).ended()
    finally:
        opened.close()
    return SearchResult(plan, tuple(sorted(trials, key=lambda trial: trial.number)), path)


def require() -> None:
    """Raise `InputError` where the packages of the extra `search` are missing."""
    require_extra("search", EXTRA, tr("A search needs packages that are not installed."), "glassnet search")


def _check_here(folder: Path, storage: str | None) -> None:
    """Raise `InputError` if no storage is given, and the folder of the search does not hold it either."""
    if storage is None and not (folder / FILE).is_file():
        raise InputError(
            tr("The trials of this search are in another storage."),
            where=folder,
            expected="--storage URL",
            received=tr("no {file} in it", file=FILE),
            hint=tr("in Python: load_search(folder, storage=URL)"),
        )


def _on_stderr(text: str) -> None:
    print(f"glassnet: {text}", file=sys.stderr, flush=True)


def _ignore(trial: Trial) -> None:
    pass


@contextmanager
def _folder(plan: SearchPlan, out: str | Path | None, storage: str | None, resume: bool) -> Iterator[Path]:
    if resume:
        if out is None:
            raise InputError(
                tr("To go on, a search needs its folder."), where="search(out)", hint="glassnet search --resume OUT"
            )
        read_plan(out)
        _check_here(Path(out), storage)
        sweep(Path(out))
        yield Path(out)
        return
    if out is not None and (Path(out) / PLAN).is_file():
        raise RunError(
            tr("There is a search in this folder."),
            where=Path(out),
            expected=tr("a new or empty folder"),
            hint=tr("go on with it: glassnet search --resume {folder}", folder=out),
        )
    with new_folder(out, f"search-{plan.recipe.name}") as folder:
        yield folder
