"""Partial sums are joined as the tree that reduce.py describes, bit for bit."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import pytest

from glassnet.kernels.codegen.jit import OPTIONS
from glassnet.kernels.reduce import add_to_tree, sum_parts, tree_sum
from glassnet.kernels.sizes import LANES
from glassnet.network import Network
from glassnet.nn import BatchNorm, Conv2D, Dense, Flatten, Layer, MaxPool2D, ReLU
from glassnet.nn.losses import SoftmaxCrossEntropy
from glassnet.nn.optimizers import SGD
from glassnet.runtime import CompiledTrainer, StepPlan

Array = np.ndarray[Any, Any]
COUNTS = [1, 2, 3, 4, 5, 6, 7, 8, 13, 37, 64, 100]


def tree(parts: list[Any]) -> Any:
    """The definition: left of the cut lies the largest power of two that is less than all."""
    if len(parts) == 1:
        return parts[0]
    cut = 1 << (len(parts) - 1).bit_length() - 1
    return tree(parts[:cut]) + tree(parts[cut:])


def test_the_tree_of_six() -> None:
    assert tree(["a", "b", "c", "d", "e", "f"]) == "abcdef"
    p = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    assert tree(p) == ((p[0] + p[1]) + (p[2] + p[3])) + (p[4] + p[5])


class Alone(NamedTuple):
    """What the sums read of a context: one rank has the whole mini-batch."""

    ranks: int = 1
    cuts: int = 0
    images_in_batch: int = 0
    batch_size: int = 0


@numba.njit(**OPTIONS)
def _sum_parts(ctx: Alone, at: int, apart: int, parts: int, low: int, high: int) -> None:
    sum_parts(ctx, at, apart, parts, low, high)


@numba.njit(**OPTIONS)
def _tree_sum(nodes: Array, values: Array) -> float:
    for i in range(values.size):
        add_to_tree(nodes, i, values[i])
    return tree_sum(nodes, values.size)


@pytest.mark.parametrize("count", COUNTS)
def test_partial_sums_of_arrays(count: int) -> None:
    parts = np.random.default_rng(count).standard_normal((count, 3 * LANES + 5)).astype(np.float32)
    found = parts.copy()
    _sum_parts(Alone(), found.ctypes.data, parts.shape[1], count, 2, parts.shape[1] - 1)
    np.testing.assert_array_equal(found[0, 2:-1], tree(list(parts))[2:-1])
    np.testing.assert_array_equal(found[:, [0, 1, -1]], parts[:, [0, 1, -1]])


@pytest.mark.parametrize("count", COUNTS)
def test_sums_one_by_one(count: int) -> None:
    values, nodes = np.random.default_rng(count).standard_normal(count), np.full(64, np.nan)
    assert _tree_sum(nodes, values) == tree(list(values))


def test_a_tree_is_cut_at_powers_of_two() -> None:
    """What two machines sum by themselves, and then together, is what one sums."""
    values = np.random.default_rng(1).standard_normal(100)
    for cut in (64, 32):
        left, right = values[:cut], values[cut : 2 * cut]
        assert tree(list(left)) + tree(list(right)) == tree(list(values[: 2 * cut]))
    assert tree(list(values[:64])) + tree(list(values[64:])) == tree(list(values))


def gradient(net: Network, x: Array, labels: Array) -> Array:
    """Of the sum of the images' losses, in one mini-batch."""
    n = len(x)
    plan = StepPlan(batch_size=n, optimizer=SGD(), weights=np.full(n, float(n)), threads=1)
    trainer = CompiledTrainer(net, net.rows(x), labels, plan)
    trainer.begin_epoch(np.arange(n), np.zeros(1), np.random.default_rng(1))
    trainer.run(0, 1, 0, keep_gradient=True)
    return trainer.gradient.copy()


@pytest.mark.parametrize("count", [2, 3, 5, 6, 7, 8])
@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ([Conv2D(5, 3), Flatten()], (7, 6, 3)),
        ([Conv2D(20, 5), ReLU(), MaxPool2D(2), Flatten()], (14, 14, 1)),
        ([Conv2D(4, 5, strides=3), Flatten()], (23, 20, 3)),
    ],
    ids=["direct", "sparse", "strides"],
)
def test_gradients_of_a_mini_batch_are_the_tree_over_its_images(layers: list[Layer], shape: Any, count: int) -> None:
    rng = np.random.default_rng(count)
    net = Network([*layers, Dense(3)], input_shape=shape, loss=SoftmaxCrossEntropy(), seed=1)
    x, labels = rng.standard_normal((count, *shape)).astype(np.float32), np.arange(count) % 3
    alone = [gradient(net, x[i : i + 1], labels[i : i + 1]) for i in range(count)]
    found, wanted = gradient(net, x, labels), tree(alone)
    for slot in net.slots:
        if slot.layer == 0:
            np.testing.assert_array_equal(slot.part(found), slot.part(wanted))


@pytest.mark.parametrize("count", [3, 6, 8])
def test_running_mean_is_the_tree_over_the_images(count: int) -> None:
    """Each image of one pixel: its mean is the pixel."""
    x = np.random.default_rng(count).standard_normal((count, 4)).astype(np.float32)
    net = Network([BatchNorm(momentum=0.0), Dense(2)], input_shape=(4,), loss=SoftmaxCrossEntropy(), seed=1)
    gradient(net, x, np.arange(count) % 2)
    wanted = np.array([tree([float(value) for value in column]) for column in x.T]) / count
    np.testing.assert_array_equal(net.layers[0].statistics["mean"], wanted.astype(np.float32))
