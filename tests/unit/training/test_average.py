"""The moving average of the weights: its definition, and that it is what is validated, kept, stopped on and gone on from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet.errors import InputError, ModelFileError
from glassnet.network import Network
from glassnet.nn import BatchNorm, Dense, Dropout, ReLU
from glassnet.nn.losses import SoftmaxCrossEntropy
from glassnet.nn.optimizers import SGD, Adam, Optimizer, ScipyMinimize
from glassnet.training import Callback, Epoch, Progress, TrainingWarning

Array = np.ndarray[Any, Any]
Data = tuple[Array, Array]
EACH: list[Optimizer] = [SGD(0.5), SGD(0.1, momentum=0.9, clip_norm=0.5), Adam(0.02)]


def network(dtype: str = "float32", units: int = 12) -> Network:
    layers = [Dense(units), ReLU(), Dropout(0.2), Dense(3)]
    return Network(layers, input_shape=(6,), loss=SoftmaxCrossEntropy(), seed=1, dtype=dtype)


class Steps(Callback):
    """The weights after each step, and those that are shown at the end of each epoch."""

    every_steps = 1

    def __init__(self) -> None:
        self.raw: list[Array] = []
        self.shown: list[Array] = []

    def on_step_end(self, progress: Progress) -> None:
        self.raw.append(progress.network.parameters.astype(np.float64))

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        self.shown.append(progress.network.parameters)


@pytest.mark.parametrize("optimizer", EACH, ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_average_is_the_one_defined(dtype: str, optimizer: Optimizer, blobs: Data) -> None:
    net, plain, steps = network(dtype, units=2000), network(dtype, units=2000), Steps()  # several blocks of the update
    average = net.parameters.astype(np.float64)
    options: dict[str, Any] = {"batch_size": 32, "optimizer": optimizer, "seed": 3}
    history = net.fit(blobs, 4, average=0.5, callbacks=[steps], **options)
    assert len(steps.raw) == 12
    for step, raw in enumerate(steps.raw):
        beta = min(0.5, (1 + step) / (10 + step))
        average = beta * average + (1 - beta) * raw
        if step % 3 == 2:
            np.testing.assert_allclose(steps.shown[step // 3], average, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(net.parameters, steps.shown[-1])
    unchanged = plain.fit(blobs, 4, **options)  # training itself goes on as without
    np.testing.assert_array_equal(plain.parameters, steps.raw[-1].astype(dtype))
    assert history.train_cost == unchanged.train_cost


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_running_statistics_are_averaged_too(dtype: str, blobs: Data, tmp_path: Path) -> None:
    def make() -> Network:
        layers = [Dense(12), BatchNorm(), ReLU(), Dense(3)]
        return Network(layers, input_shape=(6,), loss=SoftmaxCrossEntropy(), seed=1, dtype=dtype)

    class States(Callback):
        every_steps = 1

        def __init__(self) -> None:
            self.raw: list[Array] = []

        def on_step_end(self, progress: Progress) -> None:
            self.raw.append(progress.network.state.astype(np.float64))

    net, states = make(), States()
    assert net.state.size > net.flat.size
    average = net.state.astype(np.float64)
    options: dict[str, Any] = {"batch_size": 30, "optimizer": SGD(0.3), "average": 0.8, "seed": 2}
    net.fit(blobs, 4, callbacks=[states], checkpoint=tmp_path / "state", **options)
    for step, raw in enumerate(states.raw):
        beta = min(0.8, (1 + step) / (10 + step))
        average = beta * average + (1 - beta) * raw
    np.testing.assert_allclose(net.state, average, rtol=1e-4, atol=1e-5)
    again, whole = make(), make()
    again.fit(blobs, 6, checkpoint=tmp_path / "state", resume=True, **options)
    whole.fit(blobs, 6, **options)
    np.testing.assert_array_equal(again.state, whole.state)


@pytest.mark.parametrize("optimizer", EACH, ids=repr)
def test_threads_do_not_change_a_bit(optimizer: Optimizer, blobs: Data) -> None:
    found = []
    for threads in (1, 2, 3):
        net = network(units=3000)
        net.fit(blobs, 3, batch_size=16, average=0.9, optimizer=optimizer, seed=1, threads=threads)
        found.append(net.parameters)
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


@pytest.mark.parametrize("keep", ["last", "best"])
def test_the_average_is_validated_and_kept(keep: str, blobs: Data) -> None:
    validation, steps = (blobs[0][:30], blobs[1][:30]), Steps()
    net = network()
    history = net.fit(
        blobs, 8, batch_size=8, optimizer=SGD(2.0), average=0.95, validation=validation, keep=keep, seed=4, callbacks=[steps]
    )
    for accuracy, cost, weights in zip(history.validation_accuracy, history.validation_cost, steps.shown, strict=True):
        other = network()
        other.parameters = weights
        found = other.evaluate(validation)
        assert (found.accuracy, found.loss) == (accuracy, cost)
    best = history.best_epoch
    assert best is not None
    np.testing.assert_array_equal(net.parameters, steps.shown[best - 1 if keep == "best" else -1])


@pytest.mark.parametrize("keep", ["last", "best"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_resumed_training_gives_the_same_bits(dtype: str, keep: str, blobs: Data, tmp_path: Path) -> None:
    options: dict[str, Any] = {"batch_size": 16, "optimizer": Adam(0.01), "validation": blobs, "seed": 3, "keep": keep}
    options["average"] = 0.99
    whole, parts, again, done = (network(dtype) for _ in range(4))
    whole.fit(blobs, 6, **options)
    parts.fit(blobs, 3, checkpoint=tmp_path / "state", **options)
    again.fit(blobs, 6, checkpoint=tmp_path / "state", resume=True, **options)
    np.testing.assert_array_equal(again.parameters, whole.parameters)
    done.fit(blobs, 6, checkpoint=tmp_path / "state", resume=True, **options)  # nothing is left to do
    np.testing.assert_array_equal(done.parameters, whole.parameters)
    for average in (None, 0.9):
        with pytest.raises(ModelFileError, match="belongs to another training"):
            network(dtype).fit(blobs, 7, checkpoint=tmp_path / "state", resume=True, **{**options, "average": average})


def test_a_training_cut_off_shows_the_average_after_the_last_whole_epoch(blobs: Data) -> None:
    class Stop(Callback):
        every_steps = 1

        def on_step_end(self, progress: Progress) -> None:
            if progress.epoch == 3:
                raise KeyboardInterrupt

    net, steps, other = network(), Steps(), network()
    with pytest.raises(KeyboardInterrupt):
        net.fit(blobs, 5, batch_size=90, average=0.9, optimizer=SGD(0.5), seed=1, callbacks=[Stop()])
    other.fit(blobs, 2, batch_size=90, average=0.9, optimizer=SGD(0.5), seed=1, callbacks=[steps])
    np.testing.assert_array_equal(net.parameters, steps.shown[-1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_cost_that_overflows_keeps_the_last_good_average(dtype: str) -> None:
    images, targets = np.ones((8, 1), np.float32), np.full((8, 1), 2.0)
    net = Network([Dense(1)], input_shape=(1,), seed=1, dtype=dtype)
    steps = Steps()
    with pytest.warns(TrainingWarning, match="no longer finite"):
        history = net.fit((images, targets), 500, batch_size=4, optimizer=SGD(10.0), average=0.9, seed=1, callbacks=[steps])
    assert 2 < len(history) < 500
    assert any(np.array_equal(net.parameters, weights) for weights in steps.shown[-2:])


@pytest.mark.parametrize("average", [0.0, 1.0, -0.5, 1.5, float("nan"), True, "0.9", 1])
def test_an_average_that_is_none(average: Any, blobs: Data) -> None:
    with pytest.raises(InputError, match="must lie between 0 and 1") as caught:
        network().fit(blobs, 1, average=average)
    assert caught.value.where == "fit(average)"


def test_no_average_over_the_iterations_of_scipy(blobs: Data) -> None:
    with pytest.raises(InputError, match="no mini-batch steps"):
        network().fit(blobs, 1, optimizer=ScipyMinimize(), average=0.9)
