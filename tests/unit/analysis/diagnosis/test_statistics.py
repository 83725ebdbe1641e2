"""What is measured during training: by hand, without influence on the weights, and kept with the history."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from glassnet.data import Dataset, load_dataset
from glassnet.network import Network
from glassnet.nn import BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D, Pixels, ReLU, Residual, Sigmoid, Softmax, Tanh
from glassnet.nn.losses import SoftmaxCrossEntropy
from glassnet.nn.optimizers import SGD
from glassnet.runtime import layer_outputs
from glassnet.training import History, Stop, StopReason
from glassnet.training.statistics import FIRST, LEAST, Described, Watch, length

Array = np.ndarray[Any, Any]


def describe_outputs(layer: Any, *parts: Array) -> dict[str, float]:
    described = Described(layer)
    for part in parts:
        described.add(part)
    return described.found()


def test_outputs_by_hand() -> None:
    y = np.array([[0.0, 0.5, 0.995], [0.0, 0.005, 0.5]])
    assert describe_outputs(Sigmoid(), y)["saturated"] == pytest.approx(4 / 6, abs=1e-5)
    assert describe_outputs(Tanh(), np.array([[-0.99, 0.0, 0.5, 0.97]]))["saturated"] == pytest.approx(0.25)
    found = describe_outputs(ReLU(), np.array([[0.0, 1.0], [0.0, 0.0]]))
    assert found == {"mean": 0.25, "spread": pytest.approx(np.sqrt(3) / 4, abs=1e-5), "dead": 0.5}
    filters = np.zeros((2, 3, 3, 4))
    filters[0, 1, 1, 2] = 1  # active in one place of one image: alive
    assert describe_outputs(ReLU(), filters)["dead"] == 0.75
    assert set(describe_outputs(Dense(2), y)) == {"mean", "spread"}


@pytest.mark.parametrize("layer", [ReLU(), Sigmoid(), Dense(4)])
def test_parts_add_up(layer: Any) -> None:
    y = np.random.default_rng(0).normal(3, 0.1, (30, 2, 4)).astype(np.float32)
    y[:, :, 1] = -1
    y[:29, :, 2] = -1
    whole, parts = describe_outputs(layer, y), describe_outputs(layer, y[:1], y[1:17], y[17:])
    assert parts == pytest.approx(whole, rel=1e-5)
    assert whole["mean"] == pytest.approx(y.mean(dtype=float), rel=1e-5)
    assert whole["spread"] == pytest.approx(y.std(dtype=float), rel=1e-5)


def test_kernels_and_numpy_see_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the images are taken in several parts, layers have branches, and the last one is behind the loss."""
    data = load_dataset("digits").train[:1000]
    inner = [Conv2D(3, 3, padding="same"), BatchNorm(), ReLU()]
    layers = [Pixels(), Conv2D(3, 3), ReLU(), Residual(inner), MaxPool2D(2), Flatten(), Dropout(0.5), Dense(10), Softmax()]
    net = Network(layers, input_shape=data.shape, seed=1)
    monkeypatch.setattr(layer_outputs, "PART_FLOATS", 3000)
    found, cost = Watch(net, data).look()
    monkeypatch.setattr(layer_outputs, "use_kernels", lambda stack: False)
    wanted, other = Watch(net, data).look()
    assert list(found) == list(wanted)
    assert cost == pytest.approx(other, rel=1e-5)
    for name, values in wanted.items():
        assert found[name] == pytest.approx(values, rel=1e-4, abs=1e-6), name


def test_a_look_is_the_mean_cost_without_dropout() -> None:
    digits = load_dataset("digits").train
    layers = [Flatten(), Pixels(), Dense(8), ReLU(), Dropout(0.5), Dense(10)]
    net = Network(layers, input_shape=digits.shape, loss=SoftmaxCrossEntropy(), seed=1)
    some = digits[np.linspace(0, len(digits) - 1, LEAST).astype(int)]
    activations, cost = Watch(net, digits).look()
    assert cost == pytest.approx(net.evaluate(some).loss, rel=1e-5)
    assert list(activations) == ["dense1", "relu1", "dense2"]
    assert activations["dense2"]["mean"] == pytest.approx(
        net.predictor.outputs(net.rows(some.images), "raw")[0].mean(), rel=1e-4
    )


@pytest.mark.parametrize("batch", [16, 90])
def test_history_tells_the_first_step(batch: int, blobs: tuple[Array, Array]) -> None:
    layers = [Dense(5), ReLU(), Dense(3)]
    net = Network(layers, input_shape=(6,), loss=SoftmaxCrossEntropy(), seed=1)
    before, data = net.parameters, Dataset(*blobs)
    start = Watch(net, data).look()
    history = net.fit(blobs, 2, batch_size=batch, optimizer=SGD(0.5), seed=1)
    first = history.epochs[0].first_step
    assert (first["activations"], first["cost"]) == start
    assert history.epochs[1].first_step == {}
    assert [epoch.steps for epoch in history.epochs] == [-(-90 // batch)] * 2
    assert history.activations["relu1"]["dead"][-1] == Watch(net, data).look()[0]["relu1"]["dead"]
    if batch == 16:  # else the first step is the last of its epoch, whose norms are kept anyway
        order = np.random.default_rng([1, 1, 0]).permutation(90)[:batch]
        twin = Network(layers=[Dense(5), ReLU(), Dense(3)], input_shape=(6,), loss=SoftmaxCrossEntropy(), seed=1)
        gradient = twin.loss_and_gradient(blobs[0][order], blobs[1][order])[1]
        slot = twin.slots[0]
        norm = np.linalg.norm(slot.part(gradient))
        assert first["gradient_norms"][slot.name] == pytest.approx(norm, rel=1e-5)
        assert first["update_norms"][slot.name] == pytest.approx(0.5 * norm / np.linalg.norm(slot.part(before)), rel=1e-4)
    else:
        assert "gradient_norms" not in first


@pytest.mark.parametrize("averaged", [None, 0.9])
def test_statistics_change_no_bit(averaged: float | None, blobs: tuple[Array, Array]) -> None:
    found = []
    for statistics in (True, False):
        net = Network([Dense(5), ReLU(), Dropout(0.2), Dense(3)], input_shape=(6,), loss=SoftmaxCrossEntropy(), seed=1)
        history = net.fit(blobs, 3, batch_size=16, seed=1, statistics=statistics, average=averaged)
        found.append((net.parameters.tobytes(), history.train_cost, history.gradient_norms))
        assert bool(history.activations) == statistics
    assert found[0] == found[1]


def test_history_is_read_back(blobs: tuple[Array, Array]) -> None:
    net = Network([Dense(5), ReLU(), Dense(3)], input_shape=(6,), loss=SoftmaxCrossEntropy(), seed=1)
    history = net.fit(blobs, 2, seed=1)
    history.stopped = stopped = Stop(StopReason.CALLBACK, words="a reason")
    again = History.from_rows([json.loads(row) for row in history.lines().splitlines()])
    assert again.epochs == history.epochs
    assert again.stopped == stopped
    empty = History(stopped=stopped)
    assert History.from_rows([json.loads(row) for row in empty.lines().splitlines()]).stopped == stopped


def test_short_epochs_are_not_all_followed_by_a_look() -> None:
    """A look takes a hundredth of the time between two of them; the first ones and the last epoch are always looked at."""
    digits = load_dataset("digits").train
    data = digits.head(400)
    net = Network([64, 800, 10], seed=1)
    layers, multiplications = 6, 64 * 800 + 800 * 10
    every = Watch(net, data).every
    assert every == np.ceil((1.2 * LEAST + 3.5e5 * layers / multiplications) / (0.01 * 400)) == 19
    outputs = net.fit(data, 40, seed=1).activations["dense1"]["mean"]
    changed = [epoch for epoch in range(2, 41) if outputs[epoch - 1] != outputs[epoch - 2]]
    assert changed == [*range(2, FIRST + 1), 19, 38, 40]
    assert outputs[-1] == Watch(net, data).look()[0]["dense1"]["mean"]
    many = Dataset(np.repeat(digits.images, 10, axis=0), np.repeat(digits.labels, 10))
    assert Watch(net, many).every == 1


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e30])
def test_a_length_is_that_of_the_definition(scale: float) -> None:
    vector = (scale * np.random.default_rng(0).standard_normal(1000)).astype(np.float32)
    assert length(vector) == pytest.approx(np.linalg.norm(vector.astype(np.float64)), rel=1e-6)
