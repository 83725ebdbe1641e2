"""The training loop: what it computes, what it keeps, how it ends, and how it goes on."""

from __future__ import annotations

import io
import json
import time
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet.data import Dataset, Splits, load_dataset
from glassnet.errors import InputError, ModelFileError
from glassnet.network import Network
from glassnet.nn import Dense, Dropout, Flatten, Layer, Pixels, ReLU, Sigmoid
from glassnet.nn.losses import BinaryCrossEntropy, Quadratic, SoftmaxCrossEntropy
from glassnet.nn.optimizers import SGD, Adam, Optimizer, RMSprop, ScipyMinimize
from glassnet.nn.schedules import CosineDecay, OneCycle, Schedule, StepDecay, WarmUp
from glassnet.runtime import CompiledTrainer, ReferenceTrainer, StepPlan, make_trainer, thread_count
from glassnet.training import Callback, EarlyStopping, Epoch, History, Progress, Stop, StopReason, TrainingWarning
from glassnet.training.arguments import epoch_generator
from glassnet.training.display import PlainLines, waiting

Array = np.ndarray[Any, Any]
Data = tuple[Array, Array]


def network(dtype: str = "float32", seed: int = 1, rate: float = 0.2) -> Network:
    layers = [Dense(12), ReLU(), Dropout(rate), Dense(3)]
    return Network(layers, input_shape=(6,), loss=SoftmaxCrossEntropy(), seed=seed, dtype=dtype)


@pytest.fixture(scope="module")
def digits() -> Splits:
    return load_dataset("digits")


# What a step is


def test_one_epoch_by_hand() -> None:
    """w·x with w = 0, x = 1, 1, t = 1, 3, cost ½(w − t)², rate ½: over both, then one by one."""
    images, targets = np.ones((2, 1)), np.array([[1.0], [3.0]])
    for dtype in ("float32", "float64"):
        net = Network([Dense(1, use_bias=False)], input_shape=(1,), seed=1, dtype=dtype)
        net.parameters = [0.0]
        history = net.fit((images, targets), 1, batch_size=2, optimizer=SGD(0.5), seed=1)
        assert net.parameters == [1.0]  # mean of the gradients −1 and −3, times −½
        assert history.train_cost == [(0.5 + 4.5) / 2]
        assert history.train_accuracy == [None]
        assert history.gradient_norms == {"dense1.weight": [2.0]}
        net.parameters = [0.0]
        net.fit((images, targets), 1, batch_size=1, optimizer=SGD(0.5), seed=1)
        assert net.parameters[0] in (1.75, 1.25)  # 1 first: ½, then 1¾; 3 first: 1½, then 1¼


def test_last_mini_batch_may_be_smaller() -> None:
    """Its gradient is the mean over the images it has."""
    images, targets = np.ones((3, 1)), np.full((3, 1), 2.0)
    net = Network([Dense(1, use_bias=False)], input_shape=(1,), seed=1)
    net.parameters = [0.0]
    net.fit((images, targets), 1, batch_size=2, optimizer=SGD(0.5), seed=1)
    assert net.parameters == [1.5]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weight_of_two_is_an_image_given_twice(dtype: str, blobs: Data) -> None:
    images, labels = blobs[0][:30], blobs[1][:30]
    twice = np.arange(30) < 10
    first, second = network(dtype, rate=0), network(dtype, rate=0)
    # the cost of a batch is Σ wᵢ·costᵢ / N: 30 images of total weight 40, against 40 images
    first.fit((images, labels), 3, batch_size=30, optimizer=SGD(0.4), sample_weight=1.0 + twice, seed=1)
    more = (np.concatenate([images, images[twice]]), np.concatenate([labels, labels[twice]]))
    second.fit(more, 3, batch_size=40, optimizer=SGD(0.4 * 40 / 30), seed=1)
    np.testing.assert_allclose(first.parameters, second.parameters, atol=1e-6)


def test_class_weights_are_sample_weights(blobs: Data) -> None:
    def trained(**options: Any) -> Array:
        net = network()
        net.fit(blobs, 2, batch_size=16, seed=1, **options)
        return net.parameters

    by_class = np.array([1.0, 0.5, 3.0])[blobs[1]]
    wanted = trained(sample_weight=by_class)
    np.testing.assert_array_equal(trained(class_weight={1: 0.5, 2: 3.0}), wanted)
    np.testing.assert_array_equal(
        trained(class_weight={1: 1.0, 2: 3.0}, sample_weight=np.where(blobs[1] == 1, 0.5, 1)), wanted
    )
    np.testing.assert_array_equal(trained(class_weight="balanced"), trained(sample_weight=np.ones(90)))
    uneven = (blobs[0][:30], np.array([0] * 20 + [1] * 10))
    nets = [network(), network()]
    nets[0].fit(uneven, 1, class_weight="balanced", seed=1)
    nets[1].fit(uneven, 1, sample_weight=[0.75] * 20 + [1.5] * 10, seed=1)
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)


def test_balanced_weights_are_of_the_classes_that_there_are(blobs: Data) -> None:
    labels = np.array([0] * 20 + [1] * 10)
    nets = [network(), network()]
    nets[0].fit(Dataset(blobs[0][:30], labels, ("a", "b", "absent")), 1, class_weight="balanced", seed=1)
    nets[1].fit((blobs[0][:30], labels), 1, sample_weight=[0.75] * 20 + [1.5] * 10, seed=1)
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)


def test_images_of_no_weight_do_not_count(blobs: Data) -> None:
    net, wrong = network(rate=0), blobs[1].copy()
    other = network(rate=0)
    wrong[:45] = 0
    net.fit(blobs, 2, batch_size=90, sample_weight=np.arange(90) >= 45, seed=1)
    other.fit((blobs[0], wrong), 2, batch_size=90, sample_weight=np.arange(90) >= 45, seed=1)
    np.testing.assert_array_equal(net.parameters, other.parameters)


# The same bits


@pytest.mark.parametrize("optimizer", [SGD(0.1), SGD(0.1, momentum=0.9, clip_norm=0.1), Adam(0.01)], ids=repr)
@pytest.mark.parametrize(
    ("sizes", "count", "batch"), [((784, 100, 10), 200, 64), ((4096, 256, 15), 120, 50), ((7, 1), 33, 10), ((3, 5, 2), 40, 1)]
)
def test_threads_do_not_change_a_bit(sizes: tuple[int, ...], count: int, batch: int, optimizer: Optimizer) -> None:
    rng = np.random.default_rng(1)
    images = (rng.integers(0, 256, (count, sizes[0])) * (rng.random((count, sizes[0])) < 0.2)).astype(np.uint8)
    labels = np.arange(count) % max(2, sizes[-1])
    found = []
    for threads in (1, 2, 3):
        net = Network(list(sizes), seed=1)
        history = net.fit((images, labels), 2, batch_size=batch, optimizer=optimizer, seed=1, threads=threads)
        found.append((net.parameters, history.train_cost, history.train_accuracy, history.gradient_norms))
    for parameters, *columns in found[1:]:
        np.testing.assert_array_equal(parameters, found[0][0])
        assert columns == list(found[0][1:])


def test_threads_are_as_many_as_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSNET_THREADS", "2")
    assert [thread_count(None, work) for work in (0, 1e6, 1e9)] == [1, 1, 2]
    assert [thread_count(wanted, 1e9) for wanted in (1, 3, 0)] == [1, 3, 1]
    monkeypatch.setenv("GLASSNET_THREADS", "many")
    with pytest.raises(InputError, match="GLASSNET_THREADS"):
        thread_count(None, 1e12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_seed_same_bits(dtype: str, blobs: Data) -> None:
    def trained(seed: int) -> Array:
        net = network(dtype)
        net.fit(blobs, 3, batch_size=16, optimizer=Adam(0.01), seed=seed)
        return net.parameters

    np.testing.assert_array_equal(trained(5), trained(5))
    assert (trained(5) != trained(6)).any()


@pytest.mark.parametrize(
    "optimizer", [SGD(0.05), SGD(0.05, momentum=0.9), RMSprop(0.01), Adam(0.01, clip_norm=0.5)], ids=repr
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_resumed_training_gives_the_same_bits(dtype: str, optimizer: Optimizer, blobs: Data, tmp_path: Path) -> None:
    options: dict[str, Any] = {"batch_size": 16, "optimizer": optimizer, "validation": blobs, "seed": 3, "keep": "best"}
    whole = network(dtype)
    long = whole.fit(blobs, 6, checkpoint=tmp_path / "whole", **options)
    parts = network(dtype)
    parts.fit(blobs, 3, checkpoint=tmp_path / "parts", **options)
    again = network(dtype, seed=9)  # its start is forgotten
    history = again.fit(blobs, 6, checkpoint=tmp_path / "parts", resume=True, **options)
    np.testing.assert_array_equal(whole.parameters, again.parameters)
    for column in ("train_cost", "train_accuracy", "validation_cost", "gradient_norms", "update_norms", "learning_rate"):
        assert getattr(history, column) == getattr(long, column)
    assert history.seed == 3
    done = network(dtype)  # nothing is left to do
    assert len(done.fit(blobs, 6, checkpoint=tmp_path / "parts", resume=True, **options)) == 6
    np.testing.assert_array_equal(done.parameters, whole.parameters)


def test_resume_without_a_checkpoint_starts_anew(blobs: Data, tmp_path: Path) -> None:
    net, other = network(), network()
    net.fit(blobs, 2, seed=1, checkpoint=tmp_path / "none", resume=True)
    other.fit(blobs, 2, seed=1)
    np.testing.assert_array_equal(net.parameters, other.parameters)


def test_another_trainings_checkpoint_is_refused(blobs: Data, tmp_path: Path) -> None:
    path = tmp_path / "state"
    network().fit(blobs, 1, seed=1, checkpoint=path)
    for options in ({"seed": 2}, {"seed": 1, "batch_size": 7}, {"seed": 1, "optimizer": SGD()}):
        with pytest.raises(ModelFileError, match="belongs to another training") as caught:
            network().fit(blobs, 2, checkpoint=path, resume=True, **options)
        assert "resume with the same settings" in str(caught.value)
    with pytest.raises(ModelFileError, match="belongs to another training"):
        Network([6, 3], seed=1).fit(blobs, 2, seed=1, checkpoint=path, resume=True)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ModelFileError, match="cut off"):
        network().fit(blobs, 2, seed=1, checkpoint=path, resume=True)
    network().save(path)
    with pytest.raises(ModelFileError, match="The file is not a checkpoint"):
        network().fit(blobs, 2, seed=1, checkpoint=path, resume=True)


@pytest.mark.parametrize("when", ["epoch", "step"])
def test_interrupted_training_leaves_a_checkpoint(when: str, blobs: Data, tmp_path: Path) -> None:
    class Interrupt(Callback):
        every_steps = 2
        ended = False

        def on_step_end(self, progress: Progress) -> None:
            if when == "step" and progress.epoch == 4 and progress.step == 4:
                raise KeyboardInterrupt

        def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
            if when == "epoch" and epoch.epoch == 4:
                raise KeyboardInterrupt

        def on_train_end(self, progress: Progress) -> None:
            self.ended = True

    path, interrupt = tmp_path / "state", Interrupt()
    options: dict[str, Any] = {"batch_size": 16, "optimizer": Adam(0.01), "seed": 3, "checkpoint": path}
    with pytest.raises(KeyboardInterrupt):
        network().fit(blobs, 6, callbacks=[interrupt], **options)
    assert interrupt.ended
    resumed, whole = network(), network()
    assert len(resumed.fit(blobs, 6, resume=True, **options)) == 6
    whole.fit(blobs, 6, batch_size=16, optimizer=Adam(0.01), seed=3)
    np.testing.assert_array_equal(resumed.parameters, whole.parameters)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_epoch_draws_its_own_dropout(dtype: str) -> None:
    """On an image of ones, the weights that an epoch moves are those that its mask kept."""
    net = Network([Dropout(0.5), Dense(1)], input_shape=(64,), seed=1, dtype=dtype)
    weights = [net.parameters]

    class Watch(Callback):
        def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
            weights.append(progress.network.parameters)

    net.fit((np.ones((1, 64)), np.array([[9.0]])), 4, optimizer=SGD(0.001), seed=1, callbacks=[Watch()])
    masks = {tuple((after != before)[:64]) for before, after in pairwise(weights)}
    assert len(masks) == 4
    assert all(10 < sum(mask) < 54 for mask in masks)


# How it ends


def test_early_stopping_counts_epochs_without_a_rise() -> None:
    net = Network([1, 1], seed=1)
    images, labels = np.array([[0.1], [0.9]]), np.array([0, 1])
    history = net.fit(
        (images, labels), 50, optimizer=SGD(1e-9), seed=1, callbacks=[EarlyStopping(3)], validation=(images, labels)
    )
    assert len(history) == 4  # the first, and three that are no better
    assert history.stopped == Stop(StopReason.NO_IMPROVEMENT, epoch=4, since=3, patience=3)
    assert "early stopping, patience 3" in str(history.stopped)
    assert history.best_epoch == 1


def test_early_stopping_without_validation_looks_at_the_cost(blobs: Data) -> None:
    net = network(rate=0)
    history = net.fit(blobs, 100, optimizer=SGD(0.1), seed=1, callbacks=[EarlyStopping(2, min_delta=0.05)])
    assert 3 <= len(history) < 100
    costs = history.train_cost
    assert costs[-3] - costs[-1] <= 0.1
    with pytest.raises(InputError, match="Invalid options for early stopping"):
        EarlyStopping(0)


def test_best_weights_are_kept(blobs: Data) -> None:
    validation = (blobs[0][:30], blobs[1][:30])
    kept: list[Array] = []

    class Keep(Callback):
        def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
            kept.append(progress.network.parameters)

    options: dict[str, Any] = {"batch_size": 8, "optimizer": SGD(2.0), "seed": 4, "validation": validation}
    best, last = network(rate=0.5), network(rate=0.5)
    history = best.fit(blobs, 12, keep="best", callbacks=[Keep()], **options)
    last.fit(blobs, 12, **options)
    scores = history.validation_accuracy
    assert history.best_epoch == scores.index(max(scores)) + 1  # the earliest
    assert history.best_epoch < 12
    np.testing.assert_array_equal(best.parameters, kept[history.best_epoch - 1])
    np.testing.assert_array_equal(last.parameters, kept[-1])
    assert best.evaluate(validation).accuracy == max(scores)


def test_a_checkpoint_knows_the_best_weights_whatever_is_kept(blobs: Data, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "batch_size": 8,
        "optimizer": SGD(2.0),
        "seed": 4,
        "validation": (blobs[0][:30], blobs[1][:30]),
    }
    best, again = network(rate=0.5), network(rate=0.5)
    history = best.fit(blobs, 12, keep="best", **options)
    assert history.best_epoch < 12
    network(rate=0.5).fit(blobs, 12, checkpoint=tmp_path / "state", **options)
    again.fit(blobs, 12, keep="best", checkpoint=tmp_path / "state", resume=True, **options)
    np.testing.assert_array_equal(again.parameters, best.parameters)


@pytest.mark.parametrize("kernels", ["1", "0"])
@pytest.mark.parametrize("keep", ["last", "best"])
def test_cost_that_overflows_ends_training(keep: str, kernels: str, blobs: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSNET_KERNELS", kernels)
    net = Network([Dense(12), ReLU(), Dense(3)], input_shape=(6,), loss=Quadratic(), seed=1)
    start = net.parameters
    with pytest.warns(TrainingWarning, match="no longer finite in epoch 1, at step 2"):
        history = net.fit(blobs, 5, batch_size=16, optimizer=SGD(1e30), seed=1, keep=keep)
    assert len(history) == 0
    assert history.stopped == Stop(StopReason.NOT_FINITE, epoch=1, step=2)
    for part in ("no longer finite", "last good weights", "smaller learning rate", "clip_norm"):
        assert part in str(history.stopped)
    np.testing.assert_array_equal(net.parameters, start)  # the last with a finite cost
    assert np.isfinite(net.evaluate(blobs).loss)


def test_the_last_good_weights_are_not_those_that_overflowed(blobs: Data, tmp_path: Path) -> None:
    """One step an epoch: the second epoch's first cost is infinite, so its starting weights were bad already."""
    net = Network([Dense(12), ReLU(), Dense(3)], input_shape=(6,), loss=Quadratic(), seed=1)
    start, path = net.parameters, tmp_path / "state"
    with pytest.warns(TrainingWarning, match="no longer finite in epoch 2, at step 1"):
        history = net.fit(blobs, 5, batch_size=90, optimizer=SGD(1e30), seed=1, checkpoint=path)
    assert len(history) == 1
    np.testing.assert_array_equal(net.parameters, start)


def test_the_last_good_weights_are_known_after_resuming(tmp_path: Path) -> None:
    """Each step makes the error 1e9 times as large, up to 1e27, whose cost is infinite. The first epoch is the best."""

    def trained(epochs: int, **options: Any) -> Network:
        net = Network([Dense(1, use_bias=False)], input_shape=(1,), seed=1)
        net.parameters = [0.0]
        net.fit((np.ones((1, 1)), np.ones((1, 1))), epochs, optimizer=SGD(1e9), seed=1, **options)
        return net

    trained(3, checkpoint=tmp_path / "state")
    with pytest.warns(TrainingWarning, match="no longer finite in epoch 4, at step 1"):
        resumed = trained(5, checkpoint=tmp_path / "state", resume=True)
    with pytest.warns(TrainingWarning, match="no longer finite in epoch 4, at step 1"):
        whole = trained(5)
    assert resumed.parameters == whole.parameters == np.float32(-1e18)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_that_overflow_in_the_last_step_are_noticed(dtype: str) -> None:
    """One step an epoch: the cost is finite, the weights after it are not."""
    net = Network([Dense(1, use_bias=False)], input_shape=(1,), seed=1, dtype=dtype)
    net.parameters = [1.0]
    huge = 1e30 if dtype == "float32" else 1e200
    with pytest.warns(TrainingWarning, match="no longer finite"):
        history = net.fit((np.full((2, 1), 1e10), np.zeros((2, 1))), 3, optimizer=SGD(huge), seed=1)
    assert np.isfinite(net.parameters).all()
    assert history.not_finite


# Callbacks and history


class Recorder(Callback):
    def __init__(self, name: str, log: list[tuple[Any, ...]], every: int | None = 0) -> None:
        self.name, self.log, self.every_steps = name, log, every

    def on_train_begin(self, progress: Progress) -> None:
        self.log.append((self.name, "begin", progress.epoch, progress.epochs, progress.steps_per_epoch))

    def on_step_end(self, progress: Progress) -> None:
        self.log.append((self.name, "step", progress.epoch, progress.step))
        assert np.isfinite(progress.cost)

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        assert progress.history.epochs[-1] is epoch
        self.log.append((self.name, "epoch", epoch.epoch))

    def on_train_end(self, progress: Progress) -> None:
        self.log.append((self.name, "end"))


def test_callbacks_are_called_in_order(blobs: Data) -> None:
    log: list[tuple[Any, ...]] = []
    network().fit(blobs, 2, batch_size=13, seed=1, callbacks=[Recorder("a", log), Recorder("b", log, every=3)])
    assert log == [
        ("a", "begin", 0, 2, 7), ("b", "begin", 0, 2, 7),
        ("b", "step", 1, 3), ("b", "step", 1, 6), ("a", "epoch", 1), ("b", "epoch", 1),
        ("b", "step", 2, 3), ("b", "step", 2, 6), ("a", "epoch", 2), ("b", "epoch", 2),
        ("a", "end"), ("b", "end"),
    ]  # fmt: skip


def test_callbacks_see_every_step_or_every_stretch(blobs: Data) -> None:
    log: list[tuple[Any, ...]] = []
    network().fit(
        blobs, 1, batch_size=13, seed=1, callbacks=[Recorder("all", log, every=1), Recorder("some", log, every=None)]
    )
    for name in ("all", "some"):
        assert [entry[3] for entry in log if entry[:2] == (name, "step")] == [1, 2, 3, 4, 5, 6, 7]


def test_callbacks_of_few_steps_are_called_at_their_steps(blobs: Data) -> None:
    """Whatever stretches the steps are taken in, which become longer as long as they are quick."""
    log: list[tuple[Any, ...]] = []
    network().fit(blobs, 3, batch_size=6, seed=1, callbacks=[Recorder("a", log, every=5)])
    assert [entry[2:] for entry in log if entry[1] == "step"] == [
        (epoch, step) for epoch in (1, 2, 3) for step in (5, 10, 15)
    ]


def test_callbacks_do_not_change_a_bit(blobs: Data) -> None:
    quiet, watched = network(), network()
    quiet.fit(blobs, 3, batch_size=8, seed=1)
    watched.fit(blobs, 3, batch_size=8, seed=1, callbacks=[Recorder("x", [], every=1)])
    np.testing.assert_array_equal(quiet.parameters, watched.parameters)


def test_a_callback_may_end_training_within_an_epoch(blobs: Data) -> None:
    class Ends(Callback):
        every_steps = 2

        def on_step_end(self, progress: Progress) -> None:
            if progress.epoch == 2:
                progress.stop("enough")

    history = network().fit(blobs, 5, batch_size=10, seed=1, callbacks=[Ends()])
    assert len(history) == 1
    assert history.stopped is not None
    assert history.stopped.reason is StopReason.CALLBACK
    assert str(history.stopped) == "enough"


def test_callbacks_hear_of_the_end_after_an_error(blobs: Data) -> None:
    log: list[tuple[Any, ...]] = []

    class Fail(Callback):
        def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
            raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        network().fit(blobs, 5, seed=1, callbacks=[Recorder("a", log), Fail()])
    assert log[-1] == ("a", "end")


def test_history_holds_a_number_an_epoch(blobs: Data) -> None:
    net = network(rate=0)
    schedule = StepDecay(0.1, milestones=(0.5,), factor=0.5)
    history = net.fit(blobs, 4, batch_size=30, optimizer=SGD(schedule), validation=blobs, seed=1)
    assert len(history) == len(history.train_cost) == len(history.validation_accuracy) == len(history.seconds) == 4
    assert history.learning_rate == [0.1, 0.1, 0.05, 0.05]
    assert history.train_cost[-1] < history.train_cost[0]
    evaluation = net.evaluate(blobs)
    assert history.validation_cost[-1] == evaluation.loss
    assert history.validation_accuracy[-1] == evaluation.accuracy
    assert set(history.gradient_norms) == set(history.update_norms) == {slot.name for slot in net.slots}
    assert all(len(column) == 4 and min(column) > 0 for column in history.update_norms.values())
    assert history.stopped is None
    assert "4 epochs" in repr(history)
    assert len(history.lines().splitlines()) == 4


@pytest.mark.parametrize("kernels", ["1", "0"])
def test_history_tells_the_accuracy_on_the_training_images(
    kernels: str, blobs: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a rate so small that no weight changes, it is that of the network."""
    monkeypatch.setenv("GLASSNET_KERNELS", kernels)
    net = network(rate=0)
    net.fit(blobs, 5, optimizer=SGD(0.5), seed=1)
    history = net.fit(blobs, 2, batch_size=16, optimizer=SGD(1e-12), seed=1)
    assert history.train_accuracy == [net.evaluate(blobs).accuracy] * 2
    assert history.train_accuracy[0] > 0.6


@pytest.mark.parametrize("schedule", [CosineDecay(0.1), OneCycle(0.1), WarmUp(0.1, 0.4)], ids=repr)
def test_a_schedule_ends_with_the_training(schedule: Schedule, blobs: Data) -> None:
    """Three epochs of four steps: of each, the rate of its last step."""
    history = network().fit(blobs, 3, batch_size=24, optimizer=SGD(schedule), seed=1)
    assert history.learning_rate == schedule.rates(0, 12, 12)[3::4].tolist()


def test_plain_lines_are_those_of_the_tutorials(blobs: Data) -> None:
    file = io.StringIO()
    history = network().fit(blobs, 2, seed=1, validation=blobs, callbacks=[PlainLines(file)])
    rights = [epoch.validation_correct for epoch in history.epochs]
    assert file.getvalue() == f"Epoch 1: {rights[0]} / 90\nEpoch 2: {rights[1]} / 90\n"
    file = io.StringIO()
    history = network().fit(blobs, 1, seed=1, callbacks=[PlainLines(file)])
    assert file.getvalue() == f"Epoch 1: loss {history.train_cost[0]:.6g}\n"


def test_a_line_every_so_many_epochs(blobs: Data) -> None:
    def told(epochs: int, *others: Callback) -> list[int]:
        file = io.StringIO()
        network().fit(blobs, epochs, seed=1, callbacks=[PlainLines(file, every=3), *others])
        return [int(line.split()[1][:-1]) for line in file.getvalue().splitlines()]

    assert told(1) == [1]
    assert told(6) == [1, 3, 6]
    assert told(8) == [1, 3, 6, 8]

    class Ends(Callback):
        def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
            if epoch.epoch == 5:
                progress.stop("enough")

    assert told(9, Ends()) == [1, 3, 5]


@pytest.mark.parametrize("cost", [float("inf"), float("nan"), float("-inf")])
def test_history_of_infinite_costs_is_json_and_comes_back(cost: float, tmp_path: Path) -> None:
    epoch = Epoch(1, 0.5, None, cost, None, None, 3, 0.01, 0.1, {"w": cost}, {"w": 1.0})
    history = History([epoch, replace(epoch, epoch=2, validation_cost=4.0)])

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    rows = [json.loads(line, parse_constant=refuse) for line in history.lines().splitlines()]
    for row, original in zip(rows, history.epochs, strict=True):
        again = History.from_rows([row]).epochs[0]
        np.testing.assert_equal(asdict(again), asdict(original))  # to which NaN equals NaN
    assert history.best_epoch == (1 if cost < 0 else 2)


def test_infinite_validation_costs_are_kept(blobs: Data, tmp_path: Path) -> None:
    net = Network([Dense(1)], input_shape=(6,), seed=1)
    validation = (np.full((3, 6), 1e30), np.zeros((3, 1)))
    options: dict[str, Any] = {"validation": validation, "seed": 1, "checkpoint": tmp_path / "state"}
    history = net.fit((blobs[0], blobs[0][:, :1]), 2, **options)
    assert history.validation_cost == [float("inf")] * 2
    assert '"validation_cost": "Infinity"' in history.lines()
    again = net.fit((blobs[0], blobs[0][:, :1]), 3, resume=True, **options)
    assert again.validation_cost == [float("inf")] * 3
    assert b": Infinity" not in (tmp_path / "state").read_bytes()


@pytest.mark.parametrize("schedule", [StepDecay(), CosineDecay(), OneCycle(), WarmUp()], ids=repr)
def test_a_schedule_does_not_become_longer_midway(schedule: Schedule, blobs: Data, tmp_path: Path) -> None:
    options: dict[str, Any] = {"optimizer": SGD(schedule), "seed": 1, "checkpoint": tmp_path / "state"}
    network().fit(blobs, 2, **options)
    for epochs in (3, 1):
        with pytest.raises(ModelFileError, match="the number of epochs can't change") as caught:
            network().fit(blobs, epochs, resume=True, **options)
        assert (caught.value.expected, caught.value.received) == (2, epochs)
    assert len(network().fit(blobs, 2, resume=True, **options)) == 2


# Kernels or not


def test_environment_chooses_the_reference(blobs: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"batch_size": 16, "optimizer": Adam(0.01), "seed": 2}
    compiled = network()
    assert isinstance(trainer_of(compiled, blobs), CompiledTrainer)
    history = compiled.fit(blobs, 4, **options)
    monkeypatch.setenv("GLASSNET_KERNELS", "0")
    plain = network()
    assert isinstance(trainer_of(plain, blobs), ReferenceTrainer)
    other = plain.fit(blobs, 4, **options)
    assert plain.dtype == np.float32
    np.testing.assert_allclose(plain.parameters, compiled.parameters, atol=2e-4)
    np.testing.assert_allclose(other.train_cost, history.train_cost, rtol=1e-4)
    np.testing.assert_allclose(plain(blobs[0]), compiled(blobs[0]), atol=1e-3)


def trainer_of(net: Network, data: Data) -> Any:
    return make_trainer(net, net.rows(data[0]), data[1], StepPlan(batch_size=16, optimizer=SGD()))


def test_layers_the_kernels_do_not_know_train_in_numpy(blobs: Data) -> None:
    class Square(Layer):
        def forward(self, x: Array, *, training: bool = False, rng: Any = None) -> Any:
            return x * x, lambda dy: (2 * x * dy, {})

    net = Network([Dense(8), Square(), Dense(3)], input_shape=(6,), loss=SoftmaxCrossEntropy(), seed=1)
    assert isinstance(trainer_of(net, blobs), ReferenceTrainer)
    history = net.fit(blobs, 5, batch_size=16, optimizer=SGD(0.02), seed=1)
    assert history.train_cost[-1] < history.train_cost[0]


@pytest.mark.parametrize(
    ("layers", "loss", "optimizer", "least"),
    [
        ([Dense(30, initializer="LecunNormal"), Sigmoid(), Dense(10), Sigmoid()], Quadratic(), SGD(3.0), 0.93),
        ([Dense(30), ReLU(), Dense(10), Sigmoid()], BinaryCrossEntropy(), SGD(0.1, momentum=0.9), 0.94),
        ([Dense(30), ReLU(), Dense(10)], SoftmaxCrossEntropy(label_smoothing=0.1), Adam(0.005), 0.94),
    ],
    ids=["quadratic", "binary", "softmax"],
)
def test_digits_are_learnt(layers: list[Layer], loss: Any, optimizer: Optimizer, least: float, digits: Splits) -> None:
    net = Network([Flatten(), Pixels(), *layers], input_shape=(8, 8, 1), loss=loss, seed=1)
    net.fit(digits.train, 20, batch_size=10, optimizer=optimizer, seed=1)
    assert digits.validation is not None
    assert net.evaluate(digits.validation).accuracy >= least


# All at once, through SciPy


@pytest.mark.parametrize("method", ["L-BFGS-B", "CG"])
def test_scipy_lowers_the_cost(method: str, digits: Splits) -> None:
    net = Network([Flatten(), Pixels(), Dense(10)], input_shape=(8, 8, 1), loss=SoftmaxCrossEntropy(), seed=1)
    before = net.evaluate(digits.train).loss
    history = net.fit(digits.train, 15, optimizer=ScipyMinimize(method), validation=digits.validation, seed=1)
    assert net.evaluate(digits.train).loss < 0.3 * before
    assert 1 <= len(history) <= 15
    assert history.validation_accuracy[-1] > 0.85
    assert history.stopped is None or len(history) < 15


def test_scipy_ends_when_a_callback_says_so(blobs: Data) -> None:
    class Ends(Callback):
        def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
            if epoch.epoch == 3:
                progress.stop("enough")

    history = network().fit(blobs, 50, optimizer=ScipyMinimize(), callbacks=[Ends()])
    assert len(history) == 3
    assert history.stopped is not None
    assert history.stopped.reason is StopReason.CALLBACK
    assert str(history.stopped) == "enough"


def test_scipy_finds_the_least_squares(blobs: Data) -> None:
    """A linear network with the quadratic cost has one best answer, which is known."""
    net = Network([Dense(1)], input_shape=(6,), seed=1, dtype="float64")
    targets = blobs[0] @ np.arange(6.0)[:, None] + 2 + np.sin(np.arange(90))[:, None]
    net.fit(Dataset(blobs[0], targets), 200, optimizer=ScipyMinimize("BFGS"))
    wanted = np.linalg.lstsq(np.c_[blobs[0], np.ones(90)].astype(float), targets, rcond=None)[0].ravel()
    np.testing.assert_allclose(net.parameters, wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("progress", "patience", "said"), [(True, 0, "Wait …\n"), (True, 60, ""), (False, 0, ""), (None, 0, "")]
)
def test_only_long_waits_are_explained(
    progress: bool | None, patience: float, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("glassnet.training.display.PATIENCE", patience)
    with waiting("Wait …", progress):
        end = time.monotonic() + 10
        while said and not (shown := capsys.readouterr().out) and time.monotonic() < end:
            time.sleep(0.001)
    assert (shown if said else capsys.readouterr().out) == said


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 2**40 + 3, 2**64, 2**96 + 5])
def test_the_random_numbers_of_an_epoch_are_those_of_its_seed_number_and_stream(seed: int) -> None:
    for epoch, stream in ((1, 0), (300, 2)):
        wanted = np.random.default_rng([seed, epoch, stream]).integers(2**63, size=4)
        assert np.array_equal(epoch_generator(seed, epoch, stream).integers(2**63, size=4), wanted)


@pytest.mark.parametrize("layer", [Dropout(0.5), ReLU()], ids=repr)
def test_a_compiled_trainer_knows_whether_it_draws(layer: Layer) -> None:
    net = Network([Dense(4), layer, Dense(2)], input_shape=(3,), seed=1)
    rows, labels, plan = np.ones((4, 3), np.float32), np.arange(4) % 2, StepPlan(batch_size=2, optimizer=SGD(0.1))
    trainer = CompiledTrainer(net, rows, labels, plan)
    assert trainer.draws == isinstance(layer, Dropout)
    if not trainer.draws:
        trainer.begin_epoch(np.arange(4), np.full(2, 0.1), None)
        trainer.run(0, 2, 0)
        assert np.isfinite(trainer.losses).all()
    trainer.close()
