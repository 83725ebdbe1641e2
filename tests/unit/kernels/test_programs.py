"""Small networks of images and sequences: steps on the kernels against those in float64 NumPy, and the threads' bits."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from glassnet.compiler import assemble, can_lower
from glassnet.compiler.algorithms import partitions_of
from glassnet.kernels.sizes import COLUMNS, LANES, ROWS
from glassnet.network import Network
from glassnet.nn import (
    GRU,
    LSTM,
    AveragePool2D,
    BatchNorm,
    Concatenate,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePool2D,
    GlobalMaxPool2D,
    Layer,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    Pixels,
    ReLU,
    Residual,
    Sigmoid,
    SimpleRNN,
    Swish,
    Tanh,
)
from glassnet.nn.losses import SoftmaxCrossEntropy
from glassnet.nn.optimizers import SGD
from glassnet.runtime import CompiledTrainer, Predictor, ReferenceTrainer, StepPlan, use_kernels
from tests.rounding import U, check_within

Array = np.ndarray[Any, Any]
RATE, CLASSES = 0.02, 3
PLAIN, MOMENTUM = SGD(RATE), SGD(RATE, momentum=0.5)


def make(layers: Sequence[Layer], shape: tuple[int, ...], seed: int = 3) -> Network:
    """A network whose biases and normalisations are not where they start."""
    rng = np.random.default_rng(seed)
    net = Network([*copy.deepcopy(layers), Dense(CLASSES)], input_shape=shape, loss=SoftmaxCrossEntropy(), seed=seed)
    net.flat[...] += (0.05 * rng.standard_normal(net.flat.size)).astype(np.float32)
    assert use_kernels(net)
    return net


def draw(shape: tuple[int, ...], count: int, *, is_bytes: bool = False, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    if is_bytes:
        return rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    return rng.standard_normal((count, *shape)).astype(np.float32)


def train(kind: type[CompiledTrainer | ReferenceTrainer], net: Network, x: Array, batch: int, **options: Any) -> Array:
    """The costs of an epoch, the last mini-batch a small one."""
    steps, labels = -(-len(x) // batch), np.arange(len(x)) % CLASSES
    trainer = kind(net, net.rows(x), labels, StepPlan(batch_size=batch, **options))
    trainer.begin_epoch(np.random.default_rng(8).permutation(len(x)), np.full(steps, RATE), np.random.default_rng(9))
    trainer.run(0, steps, 0)
    return trainer.losses


def nudged(net: Network, rng: np.random.Generator) -> Network:
    """The network in float32, each parameter moved to the next number above or below."""
    twin = net.astype("float32")
    twin.flat[...] = np.nextafter(twin.flat, np.where(rng.random(twin.flat.size) < 0.5, -np.inf, np.inf).astype(np.float32))
    return twin


def check(net: Network, x: Array, batch: int, threads: int, optimizer: SGD) -> None:
    """Outputs, costs, weights and running statistics of an epoch against those in float64.

    Errors may be 16 times those of float32 NumPy, found with parameters that were nudged, as one run may be right by luck. It
    adds long sums up in pairs or blocks, the kernels in one chain, and knows tanh and σ to 1u, they to 4u. Neither can keep
    what it rounds at the end: a parameter, a term of an output, which the costs are differences of.
    """
    exact, rng, options = net.astype("float64"), np.random.default_rng(5), {"optimizer": optimizer, "threads": threads}
    peers = [nudged(net, rng) for _ in range(4)]

    def raw(net: Network, stop: int) -> Array:
        return net.forward(net.rows(x), stop=stop)[0]

    before, last = raw(exact, exact.layers_before_loss - 1), exact.layers[exact.layers_before_loss - 1].parameters
    wanted, terms = raw(exact, exact.layers_before_loss), np.abs(before) @ np.abs(last["weight"]) + np.abs(last["bias"])
    off = max(U * terms.max(), *(np.abs(raw(peer, peer.layers_before_loss) - wanted).max() for peer in peers))
    check_within(Predictor(net, threads).outputs(net.rows(x), "raw")[0], wanted, 16 * off)

    costs = train(CompiledTrainer, net, x, batch, **options)
    wanted = train(ReferenceTrainer, exact, x, batch, **options)
    off = max(off, *(np.abs(train(ReferenceTrainer, peer, x, batch, **options) - wanted).max() for peer in peers))
    check_within(costs, wanted, 16 * off)

    for slot in (*net.slots, *net.running_slots):
        end = exact.state[slot.offset : slot.offset + slot.size]
        error, *others = (np.linalg.norm(found.state[slot.offset : slot.offset + slot.size] - end) for found in (net, *peers))
        assert error <= 16 * max(U * np.linalg.norm(end), *others), slot.name


def thrice(filters: int) -> list[Layer]:
    return [Conv2D(filters, 3, padding="same", use_bias=False), BatchNorm(), ReLU()]


STAGES: dict[str, tuple[list[Layer], tuple[int, int, int]]] = {
    "valid": ([Conv2D(4, 3), Conv2D(5, 3), Flatten()], (9, 8, 1)),
    "same": ([Conv2D(4, 3, padding="same"), Conv2D(35, 3, padding="same"), Conv2D(4, 2, padding="same")], (9, 18, 3)),
    "a row": ([Conv2D(5, (1, 3), padding="same"), Tanh(), Conv2D(3, (1, 2))], (1, 17, 2)),
    "a column": ([Conv2D(5, (3, 1), padding="same"), Tanh(), Conv2D(3, (2, 1))], (17, 1, 2)),
    "a point": ([Conv2D(COLUMNS + 1, 1), Sigmoid(), Conv2D(1, 1)], (1, 1, 1)),
    "many channels": ([Conv2D(2 * COLUMNS + 1, 3), ReLU(), Conv2D(LANES + 1, 3, padding="same")], (5, 6, LANES + 3)),
    "strides": ([Conv2D(4, 3, strides=2, padding="same"), Conv2D(5, 3, strides=(2, 1))], (11, 12, 3)),
    "wide strides": ([Conv2D(4, 5, strides=3), Conv2D(5, 2, strides=2, padding="same")], (23, 20, 3)),
    "pooled": ([Conv2D(20, 5), ReLU(), MaxPool2D(2), Conv2D(9, 3), ReLU(), MaxPool2D(2)], (18, 19, 1)),
    "overlapping": ([Conv2D(4, 3), MaxPool2D(3, strides=2, padding="same"), Tanh(), Conv2D(4, 2), Sigmoid()], (9, 10, 3)),
    "normalised": ([Conv2D(4, 3), BatchNorm()], (9, 10, 3)),
    "dense, normalised": ([Flatten(), Dense(7), BatchNorm(), LeakyReLU(0.1)], (9, 10, 3)),
    "normalised first": ([BatchNorm(), Tanh()], (5, 4, 3)),
    "pooled first": ([MaxPool2D(2), AveragePool2D(2)], (9, 10, 3)),
    "vgg": ([*thrice(8), *thrice(8), MaxPool2D(2), *thrice(17), GlobalMaxPool2D()], (12, 12, 1)),
    "means": ([Conv2D(4, 3), AveragePool2D((3, 2), strides=2, padding="same"), Swish(), GlobalAveragePool2D()], (9, 10, 3)),
    "residual": (
        [
            Conv2D(4, 3, padding="same"),
            Residual([Tanh(), Conv2D(4, 3, padding="same"), BatchNorm()]),
            Residual([BatchNorm(), ReLU(), Conv2D(6, 3, strides=2, padding="same")]),
            GlobalAveragePool2D(),
        ],
        (9, 10, 3),
    ),
    "branches": ([Concatenate([[Conv2D(4, 3, padding="same")], [Conv2D(5, 1), ReLU()], []]), LayerNorm()], (9, 10, 3)),
}
FLAT: dict[str, tuple[list[Layer], tuple[int, ...]]] = {
    name: (layers if isinstance(layers[-1], (GlobalMaxPool2D, GlobalAveragePool2D)) else [*layers, Flatten()], shape)
    for name, (layers, shape) in STAGES.items()
}
each_network = pytest.mark.parametrize("name", FLAT)


@each_network
@pytest.mark.parametrize("optimizer", [PLAIN, MOMENTUM], ids=["plain", "momentum"])
def test_networks_of_images(name: str, optimizer: SGD) -> None:
    layers, shape = FLAT[name]
    check(make(layers, shape), draw(shape, 23), 9, 2, optimizer)


@pytest.mark.parametrize("name", ["pooled", "vgg", "residual"])
def test_networks_of_bytes(name: str) -> None:
    layers, shape = FLAT[name]
    check(make([Pixels(), *layers], shape), draw(shape, 13, is_bytes=True), 13, 1, PLAIN)


@pytest.mark.parametrize("optimizer", [PLAIN, MOMENTUM], ids=["plain", "momentum"])
@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        *FLAT.values(),
        ([LSTM(7, return_sequences=True), LSTM(20)], (6, 5)),
        ([GRU(7, return_sequences=True), LayerNorm(), GRU(9)], (6, 5)),
        ([SimpleRNN(7, return_sequences=True), SimpleRNN(9, activation="relu")], (6, 5)),
    ],
    ids=[*FLAT, "lstm", "gru", "rnn"],
)
def test_the_number_of_threads_changes_no_bit(layers: list[Layer], shape: tuple[int, ...], optimizer: SGD) -> None:
    found = []
    for threads in (1, 2, 3):
        net, x = make(layers, shape), draw(shape, 19)
        before = net.state.copy()
        costs = train(CompiledTrainer, net, x, 8, optimizer=optimizer, threads=threads)
        assert not np.array_equal(net.state, before)
        found.append((net.state.tobytes(), costs.tobytes(), Predictor(net, threads).outputs(net.rows(x), "raw")[0].tobytes()))
    assert found[0] == found[1] == found[2]


def test_zeros_stand_for_biases_that_are_not_there_in_the_widest_row() -> None:
    """The widest row lies inside a block here, between layers that have no parameters of that width."""
    net = Network([Residual([Concatenate([[ReLU()], [Tanh()], []]), Dense(7)]), Dense(2)], input_shape=(100,), seed=1)
    constants = assemble(net, 5, is_bytes=False, purpose="train").constants
    np.testing.assert_array_equal(constants[:300], np.zeros(300))


@settings(max_examples=60)
@given(
    kind=st.sampled_from([SimpleRNN, LSTM, GRU]),
    sequences=st.booleans(),
    stacked=st.booleans(),
    steps=st.sampled_from([1, 2, 3, 5, 11]),
    width=st.sampled_from([1, 2, 7, LANES, LANES + 1]),
    units=st.sampled_from([1, 2, 5, max(1, LANES - 1), LANES, COLUMNS + 1]),
    count=st.sampled_from([1, 2, ROWS, ROWS + 1, 31]),
    batch=st.sampled_from([1, 3, ROWS, ROWS + 1]),
    threads=st.integers(1, 3),
    optimizer=st.sampled_from([PLAIN, MOMENTUM]),
    is_bytes=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_sequences(
    kind: type[SimpleRNN] | type[LSTM] | type[GRU], sequences: bool, stacked: bool, steps: int, width: int, units: int,
    count: int, batch: int, threads: int, optimizer: SGD, is_bytes: bool, seed: int,
) -> None:  # fmt: skip
    """One layer, or two of which the first gives all its states."""
    first: list[Layer] = [GRU(3, return_sequences=True)] if stacked else []
    layers: list[Layer] = [Pixels(), *first, kind(units, return_sequences=sequences)]
    net = make([*layers, Flatten()] if sequences else layers, (steps, width), seed)
    check(net, draw((steps, width), count, is_bytes=is_bytes, seed=seed), min(batch, count), threads, optimizer)


def test_partitions_of_a_mini_batch() -> None:
    """None is empty, and where sums are long there are few of them."""
    assert [partitions_of(images, 100) for images in (1, 3, 8, 64)] == [1, 3, 8, 8]
    assert [partitions_of(images, 10**6) for images in (1, 3, 8, 64)] == [1, 3, 4, 4]
    assert [partitions_of(images, 100) for images in (1000, 1024, 2047, 2048, 4096)] == [8, 16, 16, 32, 64]
    assert [partitions_of(images, 10**6) for images in (511, 512, 1024, 10**6)] == [4, 8, 16, 16]  # 2²⁴ numbers


@pytest.mark.parametrize("kind", [SimpleRNN, LSTM, GRU])
@pytest.mark.parametrize("optimizer", [PLAIN, MOMENTUM], ids=["plain", "momentum"])
def test_a_last_mini_batch_of_one_sequence(kind: type[SimpleRNN] | type[LSTM] | type[GRU], optimizer: SGD) -> None:
    """Parts of the mini-batch that have no image add nothing of the mini-batch before."""
    check(make([kind(5)], (3, 4)), draw((3, 4), 17), 16, 2, optimizer)


@pytest.mark.parametrize(("kind", "units"), [(SimpleRNN, 190), (LSTM, 100), (GRU, 110)])
@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_share_the_steps_of_one_sequence(
    kind: type[SimpleRNN] | type[LSTM] | type[GRU], units: int, threads: int
) -> None:
    check(make([kind(units)], (5, 4)), draw((5, 4), 3), 1, threads, PLAIN)


@settings(max_examples=40)
@given(
    shape=st.lists(st.sampled_from([1, 2, 3, 5, LANES, LANES + 1, 31]), min_size=1, max_size=2).map(tuple),
    count=st.sampled_from([1, 5, 17]),
    threads=st.integers(1, 3),
    optimizer=st.sampled_from([PLAIN, MOMENTUM]),
    seed=st.integers(0, 2**32 - 1),
)
def test_layer_norm(shape: tuple[int, ...], count: int, threads: int, optimizer: SGD, seed: int) -> None:
    """Rows of one number are all mean: they normalise to 0; rows of two differ enough that no error is blown up."""
    x = draw(shape, count, seed=seed)
    x[..., 0] += 2
    flat: list[Layer] = [Flatten()] if len(shape) > 1 else []
    check(make([LayerNorm(epsilon=1e-2), *flat], shape, seed), x, min(4, count), threads, optimizer)


class Doubled(Dense):
    """A subclass with a forward pass of its own."""

    def forward(self, x: Array, **options: Any) -> Any:
        y, backward = super().forward(x, **options)
        return 2 * y, lambda dy: backward(2 * dy)


def test_a_subclass_of_a_layer_is_not_lowered_as_its_parent() -> None:
    net = Network([Doubled(3)], input_shape=(4,), seed=1)
    assert not can_lower(net)
    x = np.random.default_rng(1).standard_normal((5, 4)).astype(np.float32)
    np.testing.assert_allclose(net(x), 2 * x @ net.layers[0].parameters["weight"], rtol=1e-5)
