"""What people hold in their hands can be copied, pickled and handed to other processes."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet import errors
from glassnet.analysis.gradient_check import GradientTable
from glassnet.data.augmentation import Augmentation
from glassnet.experiment.keeping import KeepHistory, KeepRecipe
from glassnet.experiment.snapshots import KeepSnapshots
from glassnet.network import Network
from glassnet.nn import BatchNorm, Dense, Flatten, ReLU, Residual, Standardize
from glassnet.nn.initializers import INITIALIZERS
from glassnet.nn.losses import LOSSES, SoftmaxCrossEntropy
from glassnet.nn.optimizers import OPTIMIZERS
from glassnet.nn.penalties import REGULARIZERS
from glassnet.nn.schedules import SCHEDULES
from glassnet.runtime import Predictor
from glassnet.training.display import LiveBar, PlainLines, SeedLine

Way = Callable[[Any], Any]


def pickled(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


def pickled_for_a_cluster(thing: Any) -> Any:
    """As Dask, Ray and joblib do it: classes and functions that can't be imported travel, too."""
    return pickle.loads(pytest.importorskip("cloudpickle", reason="cloudpickle is not installed").dumps(thing))


each_way = pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickled, pickled_for_a_cluster])
RNG = np.random.default_rng(1)
DATA = gn.Dataset((255 * RNG.random((40, 6, 6))).astype(np.uint8), np.arange(40) % 3, groups=np.arange(40), names=["a"] * 40)
SPLITS = gn.Splits(DATA[:30], DATA[30:35], DATA[35:])


def network(dtype: str = "float32") -> Network:
    block = Residual([Dense(5), BatchNorm(), ReLU()])
    layers = [Flatten(), Standardize(), Dense(5), block, BatchNorm(), Dense(3)]
    return Network(layers, input_shape=(6, 6, 1), loss=SoftmaxCrossEntropy(), seed=1, dtype=dtype, classes=["a", "b", "c"])


@each_way
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_network_that_was_trained_and_asked(way: Way, dtype: str, threads: int) -> None:
    net = network(dtype)
    net.fit(DATA, epochs=2, seed=1, threads=threads)
    wanted, sure, evaluation = net(DATA.images), net.predict_proba(DATA.images), net.evaluate(DATA)
    twin = way(way(net))  # a copy of a copy is none the worse
    np.testing.assert_array_equal(twin(DATA.images), wanted)
    np.testing.assert_array_equal(twin.predict_proba(DATA.images), sure)
    assert (twin.evaluate(DATA).loss, twin.classes, twin.seed) == (evaluation.loss, net.classes, net.seed)
    twin.parameters = np.zeros_like(twin.parameters)
    assert not any(array.any() for layer in twin.layers for array in layer.parameters.values())
    np.testing.assert_array_equal(net(DATA.images), wanted)
    assert twin.state.ctypes.data % 64 == 0  # as the kernels expect


def test_a_copy_goes_on_where_joblib_gives_read_only_memory(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    net = network()
    net.fit(DATA, epochs=1, seed=1)
    wanted = net(DATA.images)
    joblib.dump(net, tmp_path / "net.joblib")
    for mode in (None, "r"):
        twin = joblib.load(tmp_path / "net.joblib", mmap_mode=mode)
        np.testing.assert_array_equal(twin(DATA.images), wanted)
        twin.fit(DATA, epochs=1, seed=2)
        assert (twin(DATA.images) != wanted).any()


def test_a_layer_of_ones_own_travels_with_its_network() -> None:
    class Doubled(gn.Layer):
        def forward(self, x: Any, *, training: bool = False, rng: Any = None) -> Any:
            return 2 * x, lambda dy: (2 * dy, {})

    net = Network([Flatten(), Doubled(), Dense(3)], input_shape=(6, 6, 1), seed=1)
    images = DATA.images.astype(np.float32)
    twin = pickled_for_a_cluster(net)
    np.testing.assert_array_equal(twin(images), net(images))


def test_what_was_made_for_predictions_does_not_travel() -> None:
    net = network()
    before = len(pickle.dumps(net))
    net.predict_proba(DATA.images)
    assert net.predictor is not None
    assert len(pickle.dumps(net)) == before
    assert pickled(net)._predictor is None


OTHER_PROCESS = """
import pickle, sys
net, images, wrong = pickle.load(sys.stdin.buffer)
found = [net.predict_proba(images)]
try:
    net.predict(wrong)
except Exception as error:
    found.append(error)
sys.stdout.buffer.write(pickle.dumps(found))
"""


def test_another_process_gives_the_same_bits_and_its_errors() -> None:
    net = network()
    wanted = net.predict_proba(DATA.images)
    sent = pickle.dumps((net, DATA.images, np.zeros((2, 7))))
    found, error = pickle.loads(
        subprocess.run([sys.executable, "-c", OTHER_PROCESS], input=sent, capture_output=True, check=True).stdout
    )
    np.testing.assert_array_equal(found, wanted)
    assert (type(error), error.where, error.received) == (gn.ShapeError, "images", (2, 7))
    assert "do not fit the network" in str(error)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One of each kind of thing that glassnet gives back, after it was used."""
    net = network()
    history = net.fit(SPLITS.train, epochs=2, validation=SPLITS.validation, seed=1)
    run = gn.train("digits", epochs=1, out=tmp_path_factory.mktemp("runs") / "run", progress=False)
    run.network.predict(run.splits.train.images)
    return {
        "history": history,
        "run": run,
        "evaluation": net.evaluate(DATA),
        "data": DATA,
        "splits": SPLITS,
        "ensemble": gn.Ensemble([net, network()]),
        "forward": net.predictor,
        "diagnosis": gn.diagnose(history, net, SPLITS),
        "difference": gn.diagnose([history, history], [net, network()], SPLITS),
        "finding": gn.Finding("overfitting", "seen", "cause", ("try",)),
        "inspection": gn.inspect(SPLITS),
        "recipe": gn.load_recipe("digits"),
        "check": gn.check_gradients(net, DATA.images[:3], DATA.labels[:3]),
        "rates": gn.find_learning_rate(net, DATA, steps=10),
        "trace": gn.trace(run),
        "augmentation": Augmentation(shift=1),
    }


def same(mine: Any, theirs: Any) -> bool:
    """Whether two things of a kind hold the same, down to the last array."""
    if isinstance(mine, np.ndarray):
        return (
            np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f") and mine.flags.writeable == theirs.flags.writeable
        )
    if isinstance(mine, (list, tuple)):
        return len(mine) == len(theirs) and all(map(same, mine, theirs))
    if isinstance(mine, dict):
        return mine.keys() == theirs.keys() and all(same(mine[key], theirs[key]) for key in mine)
    if isinstance(mine, Network):
        return same(mine.state, theirs.state) and mine.describe() == theirs.describe()
    if isinstance(mine, gn.Dataset):
        return all(same(getattr(mine, name), getattr(theirs, name)) for name in gn.Dataset.__slots__)
    if dataclasses.is_dataclass(mine):
        return all(same(getattr(mine, field.name), getattr(theirs, field.name)) for field in dataclasses.fields(mine))
    if isinstance(mine, (gn.History, gn.Ensemble)):
        return same(vars(mine), vars(theirs))
    return repr(mine) == repr(theirs)


@each_way
def test_what_glassnet_gives_back(way: Way, results: dict[str, Any]) -> None:
    for name, thing in results.items():
        twin = way(thing)
        assert type(twin) is type(thing)
        assert isinstance(thing, Predictor) or same(thing, twin), name
    forward = results["forward"]
    rows = network().rows(DATA.images)
    np.testing.assert_array_equal(way(forward).outputs(rows, "raw")[0], forward.outputs(rows, "raw")[0])
    ensemble = results["ensemble"]
    np.testing.assert_array_equal(way(ensemble).predict_proba(DATA.images), ensemble.predict_proba(DATA.images))
    assert way(results["run"]).evaluate().correct == results["run"].evaluate().correct


@each_way
def test_data_stays_read_only(way: Way) -> None:
    twin = way(DATA)
    for name in ("images", "labels", "groups", "names"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(twin, name)[0] = getattr(twin, name)[1]


@each_way
@pytest.mark.parametrize("kinds", [LOSSES, OPTIMIZERS, REGULARIZERS, SCHEDULES, INITIALIZERS])
def test_everything_with_a_name(way: Way, kinds: dict[str, Any]) -> None:
    for kind in kinds.values():
        try:
            made = kind()
        except TypeError:  # what needs a value
            made = kind(0.1)
        assert way(made) == made


@each_way
def test_callbacks_that_were_used(way: Way, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    callbacks = [
        gn.EarlyStopping(1),
        PlainLines(),
        SeedLine(),
        LiveBar(),
        KeepHistory(tmp_path / "history.jsonl"),
        KeepRecipe(tmp_path / "recipe.toml", gn.load_recipe("digits")),
        KeepSnapshots(tmp_path, 3),
        GradientTable(DATA),
    ]
    for callback in callbacks:
        network().fit(DATA, epochs=1, seed=1, callbacks=[callback])
        network().fit(DATA, epochs=1, seed=1, callbacks=[way(callback)])
    assert "Seed 1" in capsys.readouterr().out


@each_way
@pytest.mark.parametrize(
    "kind", [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
)
def test_every_error(way: Way, kind: type[Exception]) -> None:
    parts = {"where": Path("a"), "expected": (1, 2), "received": 3.5, "hint": "do"}
    error = kind("What.", **parts) if issubclass(kind, gn.GlassnetError) else kind("What.")
    error.add_note("more")
    twin = way(error)
    assert (type(twin), str(twin), vars(twin), twin.__notes__) == (kind, str(error), vars(error), ["more"])


def test_an_error_about_what_cannot_be_pickled() -> None:
    twin = pickled(gn.InputError("What.", received=lambda: 0, expected=Path("a")))
    assert "<lambda>" in twin.received
    assert twin.expected == Path("a")
