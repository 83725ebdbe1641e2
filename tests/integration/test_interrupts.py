"""Ctrl-C at any moment of `fit` or `predict`, in a process that goes on: no crash, no hang, the weights of a whole epoch."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.runtime.workers import Workers
from glassnet.training import Callback
from glassnet.training.callbacks import Progress

INTERRUPTS = 100  # for each number of threads

# Each interrupted training begins with the same weights and seed, so an unbroken one tells what they are after each epoch.
PROGRAM = """
import gc, random, signal, sys, time
import numpy as np
import glassnet as gn
from glassnet.training import Callback

threads, count = int(sys.argv[1]), int(sys.argv[2])
signal.signal(signal.SIGALRM, signal.default_int_handler)
rng, chance = np.random.default_rng(0), random.Random(threads)
data = gn.Dataset(rng.integers(0, 256, (600, 12, 12, 1), dtype=np.uint8), rng.integers(0, 10, 600))
held_out = data.head(100)
conv = [gn.Pixels(), gn.Conv2D(4, 3), gn.BatchNorm(), gn.ReLU(), gn.MaxPool2D(2), gn.Flatten(), gn.Dense(10)]
lstm = [gn.Pixels(), gn.LSTM(8), gn.Dense(10)]
cases = [
    (gn.Network([144, 30, 10], seed=1), dict(optimizer=gn.SGD(3.0), batch_size=10)),
    (gn.Network(conv, input_shape=(12, 12, 1), loss=gn.SoftmaxCrossEntropy(), seed=1),
     dict(optimizer=gn.Adam(), batch_size=50, average=0.99, augmentation={"shift": 1})),
    (gn.Network(lstm, input_shape=(12, 12, 1), loss=gn.SoftmaxCrossEntropy(), seed=1),
     dict(optimizer=gn.RMSprop(), batch_size=50)),
]

class Weights(Callback):
    def __init__(self):
        self.found = []
    def on_epoch_end(self, progress, epoch):
        self.found.append(progress.network.state.copy())

known = []
for network, options in cases:
    unbroken, start = Weights(), network.state.copy()
    network.fit(data, 100, validation=held_out, seed=3, threads=1, callbacks=[unbroken], **options)
    known.append([start, *unbroken.found])
    classes = network.predict(data.images)

interrupted = 0
for number in range(count):
    (network, options), states, seen = cases[number % 3], known[number % 3], Weights()
    network.state[...] = states[0]
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-4, 0.06))
            network.fit(data, 100, validation=held_out, seed=3, threads=threads, callbacks=[seen], **options)
            for _ in range(20):
                network.predict(data.images)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        interrupted += 1
    epochs = [epoch for epoch, state in enumerate(states) if np.array_equal(state, network.state)]
    assert epochs and len(seen.found) <= epochs[0] <= len(seen.found) + 1, (number, len(seen.found), epochs)
    assert all(np.array_equal(*pair) for pair in zip(seen.found, states[1:]))  # no interrupt has changed what came after it
network, states = cases[0][0], known[0]
many = np.tile(data.images, (10, 1, 1, 1))  # enough for two threads
network.state[...] = states[-1]
for number in range(count):  # what an interrupted prediction leaves behind serves the next
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-5, 2e-3))
            while True:
                network.predict(many[: chance.randrange(1, 6000)])
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        pass
del network, cases
gc.collect()  # a network and its compiled form refer to each other
threads_left = lambda: len(sys._current_frames())  # threading also counts those that were interrupted before they began
deadline = time.monotonic() + 10
while threads_left() > 1 and time.monotonic() < deadline:
    time.sleep(0.01)
print(interrupted, threads_left())
"""


@pytest.mark.skipif(os.name != "posix", reason="interval timers are POSIX's")
@pytest.mark.parametrize("threads", [1, 2])
def test_interrupted_at_random_moments(threads: int) -> None:
    child = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(threads), str(INTERRUPTS)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "GLASSNET_THREADS": str(threads)},
        check=False,
    )
    assert child.returncode == 0, child.stderr[-3000:]
    interrupted, left = map(int, child.stdout.split()[-2:])
    assert interrupted > INTERRUPTS / 2
    assert left == 1


@pytest.mark.parametrize("average", [None, 0.9])
def test_an_error_leaves_the_last_whole_epoch(average: float | None, blobs: tuple[Any, Any]) -> None:
    class Fails(Callback):
        every_steps = 1

        def on_step_end(self, progress: Progress) -> None:
            if progress.epoch == 3 and progress.step == 2:
                raise ArithmeticError("in the midst of an epoch")

    broken, whole = (gn.Network([6, 5, 3], seed=1) for _ in range(2))
    with pytest.raises(ArithmeticError, match="in the midst"):
        broken.fit(blobs, 5, seed=2, average=average, callbacks=[Fails()])
    whole.fit(blobs, 2, seed=2, average=average)
    np.testing.assert_array_equal(broken.parameters, whole.parameters)


def _threads() -> int:
    """Those without a `threading.Thread`, too."""
    return len(sys._current_frames())


def _await_threads(count: int) -> None:
    deadline = time.monotonic() + 10
    while _threads() > count and time.monotonic() < deadline:
        time.sleep(0.001)
    assert _threads() == count


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "forgotten"])
def test_workers_run_at_the_same_time_and_end(closed: bool) -> None:
    before, together = _threads(), threading.Barrier(3, timeout=10)
    workers = Workers(3)
    for _ in range(5):
        workers.run([together.wait] * 3, stop=lambda: None)
    assert _threads() == before + 3
    assert workers.usable
    if closed:
        workers.close()
        assert not workers.usable
    del workers
    _await_threads(before)


@pytest.mark.skipif(os.name != "posix", reason="the signal is POSIX's")
def test_an_interrupt_waits_for_the_tasks() -> None:
    """`stop` is called, and the interrupt raised only when all tasks have ended."""
    program = """
import signal, time
from glassnet.runtime.workers import Workers
signal.signal(signal.SIGALRM, signal.default_int_handler)
workers, stopped, ended = Workers(2), [], []
def task():
    while not stopped:
        time.sleep(0.001)
    time.sleep(0.2)
    ended.append(True)
signal.setitimer(signal.ITIMER_REAL, 0.1, 0.05)  # again while it waits
try:
    workers.run([task, task], stop=lambda: stopped.append(True))
except KeyboardInterrupt:
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(len(stopped), len(ended))
"""
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert child.stdout.split() == ["1", "2"], child.stderr


@pytest.mark.skipif(os.name != "posix", reason="the signal is POSIX's")
def test_an_interrupt_of_the_callers_own_task_waits_for_the_others() -> None:
    program = """
import signal, time
from glassnet.runtime.workers import Workers
signal.signal(signal.SIGALRM, signal.default_int_handler)
workers, stopped, ended = Workers(2), [], []
def task():
    while not stopped:
        time.sleep(0.001)
    time.sleep(0.2)
    ended.append(True)
signal.setitimer(signal.ITIMER_REAL, 0.1)
try:
    workers.run([task], stop=lambda: stopped.append(True), own=lambda: time.sleep(60))
except KeyboardInterrupt:
    print(len(stopped), len(ended))
workers.run([lambda: ended.append(True)], stop=lambda: None, own=lambda: ended.append(True))
print(len(ended))
"""
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert child.stdout.split() == ["1", "1", "3"], child.stderr


def _predict(network: gn.Network, images: Any, connection: Any) -> None:
    connection.send(network.predict(images))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_starts_threads_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSNET_THREADS", "2")
    images = np.random.default_rng(0).integers(0, 256, (400, 784), dtype=np.uint8)
    network = gn.Network([784, 60, 10], seed=1)
    wanted, before = network.predict(images), _threads()
    assert before > 1  # it runs on two threads, which stay for the next call
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_predict, args=(network, images, theirs))
    process.start()
    assert ours.poll(60)
    np.testing.assert_array_equal(ours.recv(), wanted)
    process.join()


def test_workers_do_not_wait_for_their_threads_to_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where threading.Thread waits, an interrupt may leave a lock taken, for which the thread then waits for ever."""

    def interrupted(event: threading.Event, timeout: float | None = None) -> bool:
        event._cond.acquire()  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    before = _threads()
    monkeypatch.setattr(threading.Event, "wait", interrupted)
    workers, ended = Workers(2), []
    workers.run([lambda: ended.append(1)] * 2, stop=lambda: None)
    workers.close()
    assert ended == [1, 1]
    _await_threads(before)
