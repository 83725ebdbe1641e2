"""Trackers: what TensorBoard, MLflow, trackio and W&B have of a training, how it is closed and resumed; none ends it."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import pickle
import sqlite3
import struct
import subprocess
import sys
import time
import types
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.cli.console import run_app
from glassnet.cli.main import app
from glassnet.training.trackers import tracker

NAMES = {
    "loss/train": "train_cost",
    "accuracy/train": "train_accuracy",
    "loss/validation": "validation_cost",
    "accuracy/validation": "validation_accuracy",
    "learning_rate": "learning_rate",
    "seconds": "seconds",
}
needs_tensorboard = pytest.mark.skipif(
    importlib.util.find_spec("tensorboardX") is None, reason="tensorboardX is not installed: pip install tensorboardX"
)
needs_mlflow = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("mlflow", "sqlalchemy", "alembic")),
    reason='mlflow is not installed: pip install "glassnet[mlflow]"',
)
DIGITS = gn.load_dataset("digits")
TRAIN, VALIDATION = DIGITS.train[:300], DIGITS.validation


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fit(callbacks: Any, epochs: int = 3, *, rate: float = 0.01, **options: Any) -> tuple[gn.Network, gn.History]:
    net = gn.Network([64, 12, 10], seed=1)
    optimizer = gn.SGD(rate) if rate > 1 else gn.Adam(rate)
    return net, net.fit(TRAIN, epochs, validation=VALIDATION, optimizer=optimizer, seed=1, callbacks=callbacks, **options)


def end_at(epoch: int, error: type[BaseException] = KeyboardInterrupt) -> Callable[[Any, Any], None]:
    """A callback that raises after an epoch."""

    def raises(progress: gn.Callback, done: Any) -> None:
        if done.epoch == epoch:
            raise error("the end")

    return raises


# ------------------------------------------------------------------ TensorBoard


def events_of(folder: Path) -> list[Any]:
    """The events in a folder's files, in the order in which they were written: TFRecords of length, CRC, bytes, CRC."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import masked_crc32c

    found = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            content = data[12 : 12 + length]
            assert data[8:12] == struct.pack("<I", masked_crc32c(data[:8]))
            assert data[12 + length : 16 + length] == struct.pack("<I", masked_crc32c(content))
            found.append(Event.FromString(content))
            data = data[16 + length :]
    assert found[0].file_version == "brain.Event:2"
    return found


def scalars_of(folder: Path) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for event in events_of(folder):
        for value in event.summary.value:
            if value.HasField("simple_value"):
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def text_of(folder: Path, tag: str) -> list[str]:
    values = [value for event in events_of(folder) for value in event.summary.value if value.tag == f"{tag}/text_summary"]
    return [value.tensor.string_val[0].decode() for value in values]


def sessions_of(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """What TensorBoard's table of hyperparameters has: the settings, and how each session ended."""
    from tensorboardX.proto.api_pb2 import Status
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

    settings, ends = {}, []
    for value in (value for event in events_of(folder) for value in event.summary.value):
        if value.tag.startswith("_hparams_/session"):
            data = HParamsPluginData.FromString(value.metadata.plugin_data.content)
            for name, part in data.session_start_info.hparams.items():
                settings[name] = getattr(part, str(part.WhichOneof("kind")))
            if data.HasField("session_end_info"):
                ends.append(Status.Name(data.session_end_info.status))
    return settings, ends


@needs_tensorboard
def test_tensorboard_has_the_curves_the_settings_and_the_weights() -> None:
    net, history = fit(gn.TensorBoard("logs", "one"), 5)
    scalars = scalars_of(Path("logs/one"))
    for name, own in NAMES.items():
        wanted = [(epoch, np.float32(value)) for epoch, value in enumerate(getattr(history, own), 1)]
        assert scalars.pop(name) == wanted
    assert scalars.pop("best/epoch") == [(5, history.best_epoch)]
    assert scalars.pop("best/accuracy_validation") == [(5, np.float32(max(history.validation_accuracy)))]
    assert set(scalars) == {"epochs", "total_seconds", "best/loss_train", "best/accuracy_train", "best/loss_validation"}
    settings, ends = sessions_of(Path("logs/one"))
    assert settings["optimizer.type"] == "Adam"
    assert settings["optimizer.learning_rate.learning_rate"] == pytest.approx(0.01)
    assert (settings["epochs"], settings["seed"], settings["images"]) == (5, 1, 300)
    assert settings["layers"].startswith("Flatten(), Pixels(), Dense(units=12")
    assert ends == ["STATUS_SUCCESS"]
    assert text_of(Path("logs/one"), "status") == ["finished"]
    assert "| optimizer.type | Adam |" in text_of(Path("logs/one"), "settings")[0]
    histograms = {
        (event.step, value.tag): value.histo
        for event in events_of(Path("logs/one"))
        for value in event.summary.value
        if value.HasField("histo")
    }
    arrays = ["dense1.weight", "dense1.bias", "dense2.weight", "dense2.bias"]
    assert list(histograms) == [(step, f"weights/{name}") for step in (1, 2, 4, 5) for name in arrays]
    weights = net.layers[2].parameters["weight"]
    assert histograms[5, "weights/dense1.weight"].num == weights.size
    assert histograms[5, "weights/dense1.weight"].sum == pytest.approx(weights.sum(dtype=float))


@needs_tensorboard
def test_each_training_has_a_folder_of_its_own() -> None:
    callback = gn.TensorBoard("logs", histograms=False)
    fit(callback, 1)
    fit(callback, 2)
    assert sorted(path.name for path in Path("logs").iterdir()) == ["run", "run-2"]
    assert len(scalars_of(Path("logs/run-2"))["loss/train"]) == 2


@needs_tensorboard
def test_an_interrupted_training_goes_on_in_its_folder() -> None:
    with pytest.raises(KeyboardInterrupt):
        fit([gn.TensorBoard("logs"), end_at(3)], 6, checkpoint="state.safetensors")
    assert text_of(Path("logs/run"), "status") == ["interrupted KeyboardInterrupt"]
    assert sessions_of(Path("logs/run"))[1] == ["STATUS_FAILURE"]
    _, history = fit(gn.TensorBoard("logs"), 6, checkpoint="state.safetensors", resume=True)
    assert [path.name for path in Path("logs").iterdir()] == ["run"]
    assert scalars_of(Path("logs/run"))["loss/train"] == [
        (epoch, np.float32(loss)) for epoch, loss in enumerate(history.train_cost, 1)
    ]
    assert sessions_of(Path("logs/run"))[1] == ["STATUS_FAILURE", "STATUS_SUCCESS"]


@needs_tensorboard
def test_what_came_before_is_logged_where_tracking_begins_with_resuming() -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(end_at(3), 5, checkpoint="state.safetensors")
    Path("state.trackers.json").write_text('{"tensorboard": 7}')  # damaged: as if there were none
    _, history = fit(gn.TensorBoard("logs"), 5, checkpoint="state.safetensors", resume=True)
    assert [step for step, _ in scalars_of(Path("logs/run"))["seconds"]] == [1, 2, 3, 4, 5]
    assert len(history) == 5


# ------------------------------------------------------------------ MLflow


def mlflow_runs(uri: str, experiment: str = "glassnet") -> tuple[Any, list[Any]]:
    """The client and the runs of an experiment, the oldest first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of SQLAlchemy about MLflow
        from mlflow.tracking import MlflowClient

        client = MlflowClient(uri)
        found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return client, sorted(found, key=lambda run: run.info.start_time)


def curve(client: Any, run: Any, name: str) -> list[tuple[int, float]]:
    return sorted((point.step, point.value) for point in client.get_metric_history(run.info.run_id, name))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a database, whose tables take seconds to make."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/runs.db"


@needs_mlflow
def test_mlflow_has_a_run_with_its_files(database: str, capfd: pytest.CaptureFixture[str]) -> None:
    callback = gn.MLflow(database, "recipes")
    run = gn.train("digits", out="runs/one", epochs=3, callbacks=callback, progress=False)
    assert capfd.readouterr().err == ""
    client, (found,) = mlflow_runs(database, "recipes")
    for name, own in NAMES.items():
        assert curve(client, found, name) == list(enumerate(getattr(run.history, own), 1))
    assert found.info.run_name == "one"
    assert found.info.status == "FINISHED"
    assert found.data.tags["status"] == "finished"
    assert found.data.params["recipe"] == found.data.params["data"] == "digits"
    assert found.data.params["optimizer.learning_rate.type"] == "OneCycle"
    assert found.data.params["batch_size"] == str(run.recipe.training.batch_size)
    assert found.data.metrics["best/epoch"] == run.history.best_epoch
    for name in ("recipe.toml", "model.safetensors", "history.jsonl"):
        copied = Path(client.download_artifacts(found.info.run_id, name))
        assert copied.read_bytes() == (run.folder / name).read_bytes()


@needs_mlflow
def test_mlflow_knows_how_a_training_ended(database: str) -> None:
    callback = gn.MLflow(database, "endings")
    with pytest.raises(KeyboardInterrupt):
        fit([callback, end_at(2)], 4, checkpoint="state.safetensors")
    with pytest.raises(ZeroDivisionError):
        fit([callback, end_at(2, ZeroDivisionError)], 4)
    net = gn.Network([gn.Flatten(), gn.Pixels(), gn.Dense(10)], loss="Quadratic", input_shape=(8, 8, 1), seed=1)
    with pytest.warns(gn.TrainingWarning, match="no longer finite"):
        net.fit(TRAIN, 30, optimizer=gn.SGD(1e9), seed=1, callbacks=callback)
    fit([callback, gn.EarlyStopping(1, min_delta=1)], 9)
    client, (killed, failed, diverged, early) = mlflow_runs(database, "endings")
    assert [run.info.status for run in (killed, failed, diverged, early)] == ["KILLED", "FAILED", "FAILED", "FINISHED"]
    assert [run.data.tags["status"] for run in (killed, failed, diverged)] == ["interrupted", "failed", "diverged"]
    assert [run.data.tags["stopped"] for run in (killed, failed)] == ["KeyboardInterrupt", "ZeroDivisionError"]
    assert "the loss was no longer finite" in diverged.data.tags["stopped"]
    assert "early stopping" in early.data.tags["stopped"]

    _, history = fit(gn.MLflow(database, "endings"), 4, checkpoint="state.safetensors", resume=True)
    client, (resumed, *_) = mlflow_runs(database, "endings")
    assert resumed.info.run_id == killed.info.run_id
    assert resumed.info.status == "FINISHED"
    assert resumed.data.tags["status"] == "finished"
    assert curve(client, resumed, "loss/validation") == list(enumerate(history.validation_cost, 1))

    known = json.loads(Path("state.trackers.json").read_text())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client.delete_run(resumed.info.run_id)
    fit(gn.MLflow(database, "endings"), 6, checkpoint="state.safetensors", resume=True)
    client, runs = mlflow_runs(database, "endings")
    anew = runs[-1]
    assert anew.info.run_id not in str(known)
    assert [step for step, _ in curve(client, anew, "seconds")] == [1, 2, 3, 4, 5, 6]


@needs_mlflow
def test_a_server_that_is_gone_costs_a_warning() -> None:
    start = time.monotonic()
    with pytest.warns(gn.TrackerWarning, match="MLflow failed and records no more of this training"):
        _, history = fit(gn.MLflow("http://127.0.0.1:9"), 3)
    assert len(history) == 3
    assert time.monotonic() - start < 60


# ------------------------------------------------------------------ what is called as wandb is


class Service(types.ModuleType):
    """A module in the form of wandb (with ids and exit codes) or of trackio (which finds runs by their names)."""

    def __init__(self, name: str, ids: bool) -> None:
        super().__init__(name)
        self.calls: list[tuple[Any, ...]] = []
        self.runs = 0

        def begin(run: str | None, given: str | None, options: dict[str, Any]) -> Any:
            self.runs += given is None
            self.calls.append(("init", options.pop("project"), run, options))
            return types.SimpleNamespace(id=given or f"id{self.runs}", name=run or f"name{self.runs}")

        if ids:
            self.init = lambda project, name=None, config=None, id=None, resume=None, **more: begin(
                name, id, {"project": project, "config": config, "resume": resume, **more}
            )
            self.finish = lambda exit_code=None: self.calls.append(("finish", exit_code))
        else:
            self.init = lambda project, name=None, config=None, resume="never": begin(
                name, None if resume == "never" else name, {"project": project, "config": config, "resume": resume}
            )
            self.finish = lambda: self.calls.append(("finish",))

    def log(self, metrics: dict[str, Any], step: int | None = None) -> None:
        self.calls.append(("log", step, metrics))


@pytest.fixture(params=[True, False], ids=["ids", "names"])
def service(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Service:
    made = Service("tracking_service", request.param)
    made.__spec__ = importlib.util.spec_from_loader("tracking_service", None)
    monkeypatch.setitem(sys.modules, "tracking_service", made)
    return made


def test_a_service_in_the_form_of_wandb(service: Service) -> None:
    with_codes = "exit_code" in str(service.finish.__code__.co_varnames)
    with pytest.raises(KeyboardInterrupt):
        fit([gn.WandB("digits", module="tracking_service"), end_at(2)], 4, checkpoint="state.safetensors")
    _, project, _, options = service.calls[0]
    assert (project, options["config"]["optimizer.type"], options["config"]["seed"]) == ("digits", "Adam", 1)
    assert [call[1] for call in service.calls if call[0] == "log"] == [1, 2, 2]
    assert service.calls[-2][2]["status"] == "interrupted"
    assert service.calls[-1] == (("finish", 1) if with_codes else ("finish",))
    first = len(service.calls)
    _, history = fit(gn.WandB("digits", module="tracking_service"), 4, checkpoint="state.safetensors", resume=True)
    assert (service.runs, service.calls[first][3]["resume"]) == (1, "allow")
    logs = [call for call in service.calls if call[0] == "log" and "status" not in call[2]]
    assert [step for _, step, _ in logs] == [1, 2, 3, 4]
    for (_, _, metrics), epoch in zip(logs, history.epochs, strict=True):
        assert metrics == {name: getattr(epoch, own) for name, own in NAMES.items()}
    assert service.calls[-2][2]["status"] == "finished"
    assert service.calls[-1] == (("finish", 0) if with_codes else ("finish",))


def test_one_that_fails_says_so_once_and_the_training_is_the_same(service: Service) -> None:
    def full(metrics: dict[str, Any], step: int | None = None) -> None:
        raise OSError(28, "No space left on device")

    alone, _ = fit(())
    service.log = full  # type: ignore[method-assign]
    for _ in range(2):  # silent only for the rest of one training
        with pytest.warns(gn.TrackerWarning, match="WandB failed.*tracking_service glassnet: No space left") as seen:
            net, history = fit(gn.WandB(module="tracking_service"))
        assert len(seen) == 1
        assert len(history) == 3
        np.testing.assert_array_equal(net.parameters, alone.parameters)
        assert service.calls[-1][0] == "finish"  # not left open


def test_options_of_init_are_passed_on(service: Service) -> None:
    callback = gn.WandB("p", module="tracking_service", name="n", entity="us")
    if "id" in service.init.__code__.co_varnames:
        fit(callback, 1)
        assert service.calls[0][2:] == ("n", service.calls[0][3])
        assert service.calls[0][3]["entity"] == "us"
    else:
        with pytest.warns(gn.TrackerWarning, match="unexpected keyword argument 'entity'"):
            fit(callback, 1)


def test_trackio_keeps_a_run_on_this_machine(here: Path) -> None:
    pytest.importorskip("trackio", reason="trackio is not installed: pip install trackio")
    script = (
        "import glassnet as gn\n"
        "run = gn.train('digits', out='runs/one', epochs=3, callbacks=gn.WandB('p', module='trackio'), progress=False)\n"
        "print(run.history.train_cost)\n"
    )
    environment = {**os.environ, "TRACKIO_DIR": str(here / "kept"), "HF_HUB_OFFLINE": "1"}  # read when it is imported
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    with sqlite3.connect(here / "kept" / "p.db") as kept:
        rows = kept.execute("SELECT run_name, step, metrics FROM metrics ORDER BY id").fetchall()
        ((config,),) = kept.execute("SELECT config FROM configs").fetchall()
    assert [(name, step) for name, step, _ in rows] == [("one", 1), ("one", 2), ("one", 3), ("one", 3)]
    losses = [json.loads(metrics)["loss/train"] for *_, metrics in rows[:3]]
    assert losses == pytest.approx(json.loads(done.stdout.splitlines()[-1]), rel=1e-12)
    assert json.loads(rows[3][2])["status"] == "finished"
    assert json.loads(config)["optimizer.type"] == "AdamW"


# ------------------------------------------------------------------ all of them


@needs_tensorboard
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_ends_only_what_is_logged() -> None:
    def fill(progress: Any, epoch: Any) -> None:
        if epoch.epoch == 1:
            with Path("/dev/full").open("wb") as full:
                for link in Path("/proc/self/fd").iterdir():
                    if link.is_symlink() and "tfevents" in str(link.readlink()):
                        os.dup2(full.fileno(), int(link.name))

    with pytest.warns(gn.TrackerWarning, match="TensorBoard failed.*No space left on device") as seen:
        _, history = fit([fill, gn.TensorBoard("logs")], 4)
    assert (len(seen), len(history)) == (1, 4)


@needs_tensorboard
def test_epochs_are_written_together() -> None:
    """Writing takes place at most once a second, so that epochs of a millisecond stay as quick."""
    times: list[int] = []

    def look(progress: Any, epoch: Any) -> None:
        times.append(sum(path.stat().st_size for path in Path("logs/run").iterdir()))

    start = time.monotonic()
    fit([gn.TensorBoard("logs", histograms=False), look], 40)
    took = time.monotonic() - start
    assert sum(before != after for before, after in pairwise(times)) <= took + 1
    assert len(scalars_of(Path("logs/run"))["seconds"]) == 40


@needs_tensorboard
@needs_mlflow
def test_scipy_is_tracked_too(database: str) -> None:
    net, callbacks = gn.Network([64, 10], seed=1), [gn.TensorBoard("logs"), gn.MLflow(database, "scipy")]
    history = net.fit(TRAIN, 3, optimizer=gn.ScipyMinimize("L-BFGS-B"), callbacks=callbacks)
    client, (found,) = mlflow_runs(database, "scipy")
    assert curve(client, found, "loss/train") == list(enumerate(history.train_cost, 1))
    assert found.data.params["optimizer.method"] == "L-BFGS-B"
    with pytest.raises(ZeroDivisionError):
        net.fit(TRAIN, 3, optimizer=gn.ScipyMinimize("L-BFGS-B"), callbacks=[*callbacks, end_at(2, ZeroDivisionError)])
    assert text_of(Path("logs/run-2"), "status") == ["failed ZeroDivisionError"]


@needs_tensorboard
@needs_mlflow
def test_they_are_copied_and_pickled(database: str, service: Service) -> None:
    callbacks = [gn.TensorBoard("logs"), gn.MLflow(database, f"copies {id(service)}"), gn.WandB(module="tracking_service")]
    for way in (copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))):
        fit(callbacks, 1)
        fit([way(callback) for callback in callbacks], 1)
    assert len(mlflow_runs(database, f"copies {id(service)}")[1]) == len(list(Path("logs").iterdir())) == service.runs == 4


@needs_tensorboard
@needs_mlflow
def test_the_command_line(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["train", "digits", "--epochs", "2", "--seeds", "2", "--out", "runs/a"]
    assert run_app(app, [*arguments, "--track", "tensorboard:logs", "--track", f"mlflow:{database}"]) == 0
    assert capsys.readouterr().err == ""
    assert sorted(path.name for path in Path("logs").iterdir()) == ["seed-0", "seed-1"]
    client, runs = mlflow_runs(database)
    assert [run.info.run_name for run in runs] == ["seed-0", "seed-1"]
    assert len(client.list_artifacts(runs[1].info.run_id)) == 3
    Path("file").write_text("")
    assert run_app(app, ["train", "digits", "--epochs", "1", "--out", "runs/b", "--track", "tensorboard:file"]) == 0
    error = capsys.readouterr().err
    assert error.startswith("glassnet: TensorBoard failed and records no more of this training, which goes on.")
    assert "Not a directory" in error
    assert error.count("\n") == 1


@needs_tensorboard
@needs_mlflow
def test_trackers_by_their_names() -> None:
    board, database = tracker("tensorboard"), tracker("mlflow")
    assert isinstance(board, gn.TensorBoard)
    assert isinstance(database, gn.MLflow)
    assert (board.folder, database.uri, database.experiment) == (Path("logs"), "sqlite:///mlflow.db", "glassnet")


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: tracker("tensor:logs"), ["Unknown tracker.", "tensorboard[:logs], mlflow[:sqlite", "'tensor:logs'"]),
        (
            lambda: gn.WandB(module="no_such_tracker"),
            ["no no_such_tracker", "-m pip install no_such_tracker"],
        ),
        (lambda: gn.WandB(""), ["A tracker needs to know where to.", "WandB(project)", "a name", "''"]),
        (lambda: gn.WandB(module=" "), ["WandB(module)", "a module, such as trackio"]),
        (lambda: gn.TensorBoard(None), ["TensorBoard(folder)", "a folder", "None"]),  # type: ignore[arg-type]
        (lambda: gn.MLflow(""), ["MLflow(tracking_uri)", "an address, such as sqlite:///mlflow.db"]),
    ],
)
def test_wrong_input(make: Callable[[], Any], parts: list[str]) -> None:
    with pytest.raises(gn.InputError) as caught:
        make()
    for part in parts:
        assert part in str(caught.value)


def test_packages_that_are_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for make, extra in ((gn.TensorBoard, "tensorboard"), (gn.MLflow, "mlflow")):
        with pytest.raises(gn.InputError, match=rf'pip install "glassnet\[{extra}\]"'):
            make()
    assert run_app(app, ["train", "digits", "--out", "runs/a", "--track", "trackio:p"]) == 2
    assert "-m pip install trackio" in capsys.readouterr().err
    assert not Path("runs").exists()
