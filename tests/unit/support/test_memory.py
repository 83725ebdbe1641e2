"""What does not fit into memory is refused before it is asked for, with its size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.nn import (
    GRU,
    LSTM,
    BatchNorm,
    Concatenate,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePool2D,
    Layer,
    LayerNorm,
    ReLU,
    Residual,
    SimpleRNN,
    Standardize,
)
from glassnet.nn.optimizers import SGD, Adam
from glassnet.support import memory

HUGE = 10**9


@pytest.fixture(autouse=True)
def one_gigabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 1e9)


def refused(message: str, call: Any) -> None:
    with pytest.raises(InputError) as caught:
        call()
    text = str(caught.value)
    for part in ("This needs more memory than there is.", "expected: at most 1.0 GB", message):
        assert part in text, text


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (Dense(HUGE), (784,), "12,560.0 GB for its 785,000,000,000 parameters and statistics"),
        (Conv2D(HUGE, 3), (28, 28, 1), "160.0 GB for its 10,000,000,000 parameters and statistics"),
        (Conv2D(1, 10**5, padding="same"), (28, 28, 1), "160.0 GB for its 10,000,000,001 parameters and statistics"),
        (SimpleRNN(10**6), (28, 28), "32,000.5 GB"),
        (GRU(10**6), (28, 28), "96,001.4 GB"),
        (LSTM(10**6), (28, 28), "128,001.9 GB"),
        (BatchNorm(), (HUGE,), "32.0 GB for its 2,000,000,000 parameters and statistics"),
        (LayerNorm(), (4, HUGE), "32.0 GB for its 2,000,000,000 parameters and statistics"),
        (Standardize(), (10**5, 10**5, 1), "160.0 GB for its 10,000,000,000 parameters and statistics"),
        (Residual([Dense(HUGE), Dense(784)]), (784,), "12,560.0 GB"),
        (Concatenate([[Dense(HUGE)], []]), (784,), "12,560.0 GB"),
    ],
    ids=repr,
)
def test_layers(layer: Layer, shape: tuple[int, ...], message: str) -> None:
    refused(message, lambda: Network([layer, ReLU()], input_shape=shape, seed=1))


def test_the_tutorials_shorthand_and_the_place() -> None:
    refused("where:    Dense(units=1000000000, use_bias=True)", lambda: Network([784, HUGE, 10]))


def test_images_without_a_dense_layer_behind_them() -> None:
    refused("640.0 GB for the names of 10,000,000,000 classes", lambda: Network([ReLU()], input_shape=(10**5, 10**5, 1)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_at_work(dtype: str) -> None:
    """Its parameters are few, what its layers give is not; nothing of it is made."""
    layers = [Conv2D(4096, 1), GlobalAveragePool2D(), Dense(2)]
    net = Network(layers, input_shape=(128, 128, 1), seed=1, dtype=dtype)
    images, labels = np.zeros((64, 128, 128, 1), np.float32), np.zeros(64, np.int64)
    refused("for the outputs of all layers for 64 images at once", lambda: net.fit((images, labels), batch_size=10**30))
    refused("GB for the outputs of all layers for 16 images at once", lambda: net.predict(images))


def test_what_training_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """20 million parameters of float32: five copies are 0.4 GB, with two moments and an average 0.64 GB."""
    net = Network([Flatten(), Dense(1000)], input_shape=(20_000,), seed=1)
    data = np.zeros((1, 20_000), np.uint8), np.zeros(1, np.int64)
    monkeypatch.setattr(memory, "available", lambda: 0.6e9)
    with pytest.raises(InputError, match=r"0\.6 GB for 8 copies of 20,001,000 parameters"):
        net.fit(data, epochs=1, optimizer=Adam(), average=0.9)
    net.fit(data, epochs=1, optimizer=SGD(), progress=False, statistics=False)


@pytest.mark.parametrize(
    ("files", "bytes_left"),
    [
        ({"/proc/meminfo": "MemTotal: 9 kB\nMemAvailable:    1000 kB\nSwapFree:  24 kB\n"}, 1024 * 1024),
        ({"/proc/meminfo": "MemAvailable: 1000 kB\n", memory.LIMITS[0]: "max\n"}, 1000 * 1024),
        ({"/proc/meminfo": "MemAvailable: 1000 kB\n", memory.LIMITS[0]: "5000\n"}, 5000),
        ({"/proc/meminfo": "MemAvailable: 1000 kB\n", memory.LIMITS[1]: "7000\n"}, 7000),
    ],
)
def test_memory_of_the_machine_and_of_its_container(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, str], bytes_left: float
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(memory, "_read", lambda path: files.get(path, ""))
    assert memory.available() == bytes_left


def test_memory_where_only_the_pages_are_known_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(memory, "_read", lambda path: "")
    assert 2**28 < memory.available() < 2**60
    monkeypatch.delattr(memory.os, "sysconf")
    assert memory.available() == float("inf")
