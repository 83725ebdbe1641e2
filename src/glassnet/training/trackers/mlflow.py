"""MLflow: a database file, or a server."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from glassnet.support.i18n import tr
from glassnet.training.callbacks import Progress
from glassnet.training.history import Epoch
from glassnet.training.trackers.base import Ending, Session, Status, Tracker, check_name, metrics, parameters, require

AT_ONCE = 100  # what log_batch takes of parameters, and a tenth of what it takes of metrics
ENDED = {
    Status.FINISHED: "FINISHED",
    Status.DIVERGED: "FAILED",
    Status.INTERRUPTED: "KILLED",
    Status.FAILED: "FAILED",
}
IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}  # MLflow waits minutes for a server
ARTIFACTS = ("recipe.toml", "model.safetensors", "history.jsonl")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without MLflow's messages about its tables and its telemetry, and without waiting for minutes for a server."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # glassnet sends nothing anywhere unless asked to
    import mlflow  # noqa: F401  (it sets the levels when it is imported)

    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    before, given = [logger.level for logger in loggers], {name: os.environ.get(name) for name in IMPATIENT}
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    os.environ.update({name: value for name, value in IMPATIENT.items() if given[name] is None})
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
        for name in (name for name, value in given.items() if value is None):
            os.environ.pop(name, None)


class MLflow(Tracker):
    """A run in MLflow: settings as parameters, curves as metrics, the files of `gn.train` as artifacts.

        gn.train("digits", callbacks=[gn.MLflow("sqlite:///mlflow.db")])       mlflow ui --backend-store-uri sqlite:///mlflow.db

    `tracking_uri`: of a database, or of a server. `experiment`: made if there is none of this name. `name`: of the run; by
    default that of the run's folder. Needs `pip install "glassnet[mlflow]"`; `mlflow ui` comes with `pip install mlflow`.
    """

    def __init__(
        self, tracking_uri: str = "sqlite:///mlflow.db", experiment: str = "glassnet", name: str | None = None
    ) -> None:
        self.uri = check_name(tracking_uri, "MLflow(tracking_uri)", tr("an address, such as sqlite:///mlflow.db"))
        self.experiment = check_name(experiment, "MLflow(experiment)", tr("a name"))
        database = ["sqlalchemy", "alembic"] if self.uri.startswith("sqlite:") else []
        require(["mlflow", *database], "MLflow", '"glassnet[mlflow]"')
        super().__init__(f"mlflow {self.uri} {self.experiment}", name)
        self._run = ""

    @_quiet()
    def open(self, progress: Progress, key: str | None) -> Session:
        session = _Session(self, progress, key)
        self._run = session.key
        return session

    def on_run_saved(self, folder: Path) -> None:
        if self._run:
            self._attempt(self._save, folder)

    def on_train_begin(self, progress: Progress) -> None:
        self._run = ""
        super().on_train_begin(progress)

    @_quiet()
    def _save(self, folder: Path) -> None:
        client = _client(self.uri)
        for path in (folder / name for name in ARTIFACTS):
            if path.exists():
                client.log_artifact(self._run, str(path))


class _Session(Session):
    def __init__(self, tracker: MLflow, progress: Progress, key: str | None) -> None:
        self._client = _client(tracker.uri)
        if key is not None and self._reopened(key):
            self.key, self.resumed = key, True
            return
        found = self._client.get_experiment_by_name(tracker.experiment)
        number = self._client.create_experiment(tracker.experiment) if found is None else found.experiment_id
        run = self._client.create_run(number, run_name=tracker.run_name(progress), tags={"mlflow.source.name": "glassnet"})
        self.key = run.info.run_id
        self._parameters(progress)

    @_quiet()
    def log(self, epochs: Sequence[Epoch]) -> None:
        for first in range(0, len(epochs), AT_ONCE):
            self._metrics((epoch.epoch, metrics(epoch)) for epoch in epochs[first : first + AT_ONCE])

    @_quiet()
    def end(self, ending: Ending) -> None:
        self._metrics([(ending.epoch, ending.figures)])
        self._client.set_tag(self.key, "status", ending.status.value)
        if ending.words:
            self._client.set_tag(self.key, "stopped", ending.words)
        self._client.set_terminated(self.key, ENDED[ending.status])

    def _reopened(self, key: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            self._client.update_run(key, status="RUNNING")
        except MlflowException:  # it was deleted
            return False
        return True

    def _parameters(self, progress: Progress) -> None:
        from mlflow.entities import Param

        rows = [Param(name, str(value)) for name, value in parameters(progress.settings).items()]
        for first in range(0, len(rows), AT_ONCE):
            self._client.log_batch(self.key, params=rows[first : first + AT_ONCE])

    def _metrics(self, rows: Any) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        found = [Metric(name, value, now, step) for step, values in rows for name, value in values.items()]
        self._client.log_batch(self.key, metrics=found)


def _client(uri: str) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(uri)
