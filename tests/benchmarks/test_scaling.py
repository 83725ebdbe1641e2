"""The cost model of several ranks, and the namespaces that stand in for several machines."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

import glassnet as gn
from benchmarks.namespaces import ADDRESSES, two_machines
from benchmarks.scaling import Alone, Compute, Link, Traffic, busiest, fitted, fitted_link, rounds, step_seconds, traffic
from glassnet.compiler import assemble, share

COMPUTE, LINK = Compute(1e-3, 1e-4, 1e-5), Link(1e-4, 1e8)
counts = st.integers(2, 256)


def test_one_rank_takes_the_time_of_one_process() -> None:
    net = gn.Network([4, 3, 2], seed=1)
    shared = share(assemble(net, 10, is_bytes=True, purpose="train"))
    sent = traffic(shared, 10, 1)
    assert (sent, busiest(shared, 10, 1)) == (Traffic(0, 0), 10)
    assert step_seconds(COMPUTE, LINK, 10, 10, 1, sent) == COMPUTE.seconds(10, 10) == pytest.approx(2.1e-3)


def test_messages_and_bytes_are_those_of_the_program() -> None:
    """Two dense layers: the other rank's 5 rows of inputs and output gradients, and its losses and classes, awaited once."""
    net = gn.Network([4, 3, 2], seed=1)
    shared = share(assemble(net, 10, is_bytes=True, purpose="train"))
    assert traffic(shared, 10, 2) == Traffic(1, 5 * 4 * (3 + 3 + 2) + 5 * 8 * 2)


@pytest.mark.parametrize(
    ("ranks", "size", "messages"), [(2, 10**7, 1), (4, 1000, 2), (6, 1000, 3), (6, 10**5, 5), (8, 10**5, 3), (8, 10**6, 7)]
)
def test_rounds_of_a_gather(ranks: int, size: int, messages: int) -> None:
    """Recursive doubling for few bytes, a ring for many."""
    assert rounds(ranks, size) == messages


@given(counts, st.integers(1, 300), st.integers(0, 10**8), st.floats(1.01, 1000))
def test_a_slower_link_takes_longer(ranks: int, messages: int, size: int, factor: float) -> None:
    def seconds(link: Link) -> float:
        return step_seconds(COMPUTE, link, 16, 64, ranks, Traffic(messages, size))

    assert COMPUTE.seconds(16, 64) < seconds(LINK) < seconds(replace(LINK, latency=factor * LINK.latency))
    assert seconds(LINK) <= seconds(replace(LINK, rate=LINK.rate / factor))


def test_constants_are_found_again() -> None:
    points = [(64, 64), (32, 64), (16, 64), (64, 1024)]
    found = fitted([(own, batch, COMPUTE.seconds(own, batch)) for own, batch in points])
    assert (found.step, found.image, found.shared) == pytest.approx((COMPUTE.step, COMPUTE.image, COMPUTE.shared))
    sizes = (1, 2, 3, 10**6)
    assert fitted_link([(size, LINK.latency + size / LINK.rate) for size in sizes]).rate == pytest.approx(LINK.rate, rel=1e-3)


def test_a_rank_alone_computes_a_share_of_each_step() -> None:
    """The model's computing time is measured with ranks that exchange nothing."""
    train = gn.load_dataset("digits").train
    layers = [gn.Pixels(), gn.Conv2D(16, 3, padding="same"), gn.ReLU(), gn.MaxPool2D(2), gn.Flatten(), gn.Dense(10)]
    net = gn.Network(layers, input_shape=(8, 8, 1), loss="SoftmaxCrossEntropy", seed=1)
    history = net.fit(train[:128], 1, batch_size=64, ranks=Alone(4), progress=False)  # type: ignore[arg-type]
    assert 0 < (history.train_accuracy[0] or 0) <= 1


ECHO = """
import socket, sys, time
place, role = (sys.argv[1], 50007), sys.argv[2]
if role == "server":
    with socket.create_server(place) as server:
        print("ready", flush=True)
        peer, _ = server.accept()
        while data := peer.recv(1 << 20):
            peer.sendall(data[-1:] if data.endswith(b"!") else b"")
else:
    peer = socket.create_connection(place)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for size in (1, 1_000_000):
        taken = []
        for _ in range(5):
            start = time.perf_counter()
            peer.sendall(b"." * (size - 1) + b"!")
            peer.recv(1)
            taken.append(time.perf_counter() - start)
        print(min(taken))
"""


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or not Path("/dev/net/tun").exists(), reason="needs root and /dev/net/tun"
)
def test_two_machines_have_the_delay_and_rate_that_were_asked_for() -> None:
    """20 ms each way and 100 Mbit/s: a byte and its answer take 40 ms, a megabyte 80 ms more."""
    with two_machines(0.02, 1e8) as machines:
        enter = [["nsenter", f"--net={path}", sys.executable, "-c", ECHO, ADDRESSES[1]] for path in machines.paths]
        with subprocess.Popen([*enter[1], "server"], stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            done = subprocess.run([*enter[0], "client"], capture_output=True, text=True, check=True, timeout=60)
        byte, megabyte = map(float, done.stdout.split())
    assert 0.04 <= byte < 0.1
    assert byte + 0.06 < megabyte < 0.5
    assert not any(Path(path).exists() for path in machines.paths)
