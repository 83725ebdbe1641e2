"""One image on two threads: the second one waits in compiled code, for a while, and is left out where it delays."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.kernels.context import CALL, NOBODY, WAITING
from glassnet.nn.architectures import resnet, vgg
from glassnet.runtime import Predictor
from glassnet.runtime.one_image import AGAIN, KNOWN, LEAST, LONGEST, MOST, OneImage, TwoThreads

Array = np.ndarray[Any, Any]


def pooled(pool: gn.Layer) -> list[gn.Layer]:
    return [
        gn.Pixels(),
        gn.Conv2D(16, 3),
        gn.BatchNorm(),
        pool,
        gn.Tanh(),
        gn.Conv2D(5, 3, strides=2),
        gn.Flatten(),
        gn.Dense(5),
    ]


NETWORKS: dict[str, Callable[[], list[gn.Layer]]] = {
    "rows, then filters": lambda: vgg(5, blocks=[[16], [32, 32], [64, 96]]),
    "sums of branches": lambda: resnet(5, (16, 32), (1, 1)),
    "windows of three": lambda: pooled(gn.MaxPool2D(3)),
    "windows that overlap": lambda: pooled(gn.MaxPool2D(3, strides=2)),
    "windows that begin outside": lambda: pooled(gn.MaxPool2D(4, padding="same")),
    "one window": lambda: [gn.Pixels(), gn.Conv2D(96, 3), gn.ReLU(), gn.GlobalMaxPool2D(), gn.Dense(5)],
    "pixels by themselves": lambda: [gn.Pixels(), gn.Conv2D(16, 1), gn.ReLU(), gn.Flatten(), gn.Dense(5)],
    "recurrence": lambda: [gn.Pixels(), gn.LSTM(24), gn.Dense(5)],
    "recurrence shared by units": lambda: [
        gn.Pixels(),
        gn.GRU(110, return_sequences=True),
        gn.SimpleRNN(190, return_sequences=True),
        gn.SimpleRNN(190, activation="relu", return_sequences=True),
        gn.LSTM(100),
        gn.Dense(5),
    ],
}


def made(name: str) -> tuple[gn.Network, Array]:
    network = gn.Network(NETWORKS[name](), input_shape=(19, 19, 1), loss="SoftmaxCrossEntropy", seed=1)
    rng = np.random.default_rng(2)
    network.state[...] += 0.01 * rng.random(len(network.state), dtype=np.float32)
    return network, network.rows(rng.integers(0, 256, (6, 19, 19, 1), dtype=np.uint8))


def on_two_threads(network: gn.Network) -> tuple[OneImage, TwoThreads]:
    asked = OneImage(network, "raw", np.dtype(np.uint8), 2)
    executor = asked._executor
    assert isinstance(executor, TwoThreads)
    return asked, executor


def together(asked: OneImage, executor: TwoThreads, row: Array) -> Array:
    """The outputs of a call that both threads have answered."""
    end = time.monotonic() + 60  # other processes may have all cores for a while
    while time.monotonic() < end:
        executor._until, executor._calls = 0.0, 0
        found = asked(row)[0]
        if executor._contexts[0]["threads"] == 2:
            return found
    raise AssertionError("the second thread never came")


@pytest.mark.parametrize("name", NETWORKS)
def test_two_threads_give_the_bits_of_one(name: str) -> None:
    network, rows = made(name)
    wanted = Predictor(network, 1).outputs(rows, "raw")[0]
    asked, executor = on_two_threads(network)
    for number in range(len(rows)):
        executor.workspace[...] = np.nan  # everything is computed by one of them
        executor._kept = None
        executor.set(is_prepared=0)
        assert together(asked, executor, rows[number : number + 1]).tobytes() == wanted[number].tobytes()
    asked.close()


def test_a_changed_weight_is_seen_by_both() -> None:
    network, rows = made("rows, then filters")
    asked, executor = on_two_threads(network)
    together(asked, executor, rows[:1])
    network.state[...] *= np.float32(0.9)
    assert together(asked, executor, rows[:1]).tobytes() == Predictor(network, 1).outputs(rows, "raw")[0][0].tobytes()
    asked.close()


def test_the_second_thread_sleeps_where_no_call_comes() -> None:
    _, executor = on_two_threads(made("recurrence")[0])
    executor._follow(executor._address_of(1))  # returns
    assert executor._signals[CALL] == NOBODY


def test_a_call_by_itself_wakes_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    network, rows = made("recurrence")
    asked, executor = on_two_threads(network)
    clock = iter(np.arange(100.0))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    for _ in range(5):
        asked(rows[:1])
    assert executor.workers is None


def test_a_call_that_is_not_answered_is_taken_back() -> None:
    network, rows = made("recurrence")
    wanted = Predictor(network, 1).outputs(rows, "raw")[0]
    asked, executor = on_two_threads(network)
    executor._seconds_alone.extend([1.0] * KNOWN)
    executor._awake = True
    for number in range(len(rows)):
        executor._signals[CALL] = WAITING  # as of a thread whose core another process has
        assert asked(rows[number : number + 1])[0].tobytes() == wanted[number].tobytes()
        assert executor._contexts[0]["threads"] == 1
        assert executor._signals[CALL] == WAITING


def test_a_forked_process_has_the_first_thread_alone() -> None:
    network, rows = made("sums of branches")
    wanted = Predictor(network, 1).outputs(rows, "raw")[0]
    asked, executor = on_two_threads(network)
    executor._process, executor._awake = -1, True  # as after a fork while the second thread waited
    executor._signals[CALL] = WAITING
    assert asked(rows[:1])[0].tobytes() == wanted[0].tobytes()
    assert executor._contexts[0]["threads"] == 1


def test_a_second_thread_that_delays_is_left_out_for_longer_and_longer() -> None:
    asked, executor = on_two_threads(made("recurrence")[0])
    judge = executor._judge
    executor._contexts[0]["threads"] = 1
    for seconds in (5.0, 1e-3, 3e-4, *[1e-3] * KNOWN):
        judge(seconds)
    executor._contexts[0]["threads"] = 2
    executor._ended = 100.0
    for seconds in (1.9e-3, 0.5e-3, 1.5e-3):  # on the whole not yet a call's time lost
        judge(seconds)
    assert executor._until == 0
    waits = []
    for _ in range(7):
        judge(1.9e-3)
        judge(1.9e-3)
        waits.append(executor._until - 100)
    assert waits == pytest.approx([min(2**number * LEAST * 1.8e-3, LONGEST) for number in range(7)])
    assert executor._factor == MOST
    for _ in range(5):
        judge(0.5e-3)
    judge(3.1e-3)
    assert executor._until - 100 == pytest.approx(LEAST * 1.1e-3)
    asked.close()


def test_what_a_call_alone_takes_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    network, rows = made("recurrence")
    asked, executor = on_two_threads(network)
    monkeypatch.setattr(executor, "_judge", lambda _: counts.append(executor._contexts[0]["threads"]))
    monkeypatch.setattr(executor, "_lead", lambda _: executor._contexts[0].__setitem__("threads", 2))
    monkeypatch.setattr(executor, "_wake", lambda: None)
    executor._seconds_alone.extend([1.0] * KNOWN)
    counts: list[int] = []
    for _ in range(2 * AGAIN):
        asked(rows[:1])
    assert [number + 1 for number, threads in enumerate(counts) if threads == 1] == [AGAIN, 2 * AGAIN]


def test_the_first_thread_is_alone_for_that_long(monkeypatch: pytest.MonkeyPatch) -> None:
    network, rows = made("recurrence")
    asked, executor = on_two_threads(network)
    executor._seconds_alone.extend([1.0] * KNOWN)
    executor._until = time.perf_counter() + 3600
    for _ in range(5):
        asked(rows[:1])
    assert executor.workers is None


@pytest.mark.parametrize(("network", "threads", "wanted"), [("small", 2, 1), ("large", 2, 2), ("large", 1, 1)])
def test_a_second_thread_is_for_large_networks(
    monkeypatch: pytest.MonkeyPatch, network: str, threads: int, wanted: int
) -> None:
    monkeypatch.setenv("GLASSNET_THREADS", "2")
    layers: list[gn.Layer] = [gn.Pixels(), gn.Conv2D(32, 5), gn.ReLU()]
    if network == "large":
        layers += [gn.Conv2D(32, 5), gn.ReLU()]
    made = gn.Network([*layers, gn.Flatten(), gn.Dense(5)], input_shape=(28, 28, 1), loss="SoftmaxCrossEntropy", seed=1)
    predictor = Predictor(made, threads)
    predictor.outputs(made.rows(np.zeros((1, 28, 28, 1), np.uint8)), "raw")
    assert [program._executor.threads for program in predictor._alone.values()] == [wanted]
    predictor.close()
