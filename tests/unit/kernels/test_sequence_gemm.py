"""Products of recurrent layers: steps by panels of the weights, and sums over many steps; layers wide enough to be cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.kernels.library import library
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.sizes import COLUMN_DEPTH, COLUMNS, LANES, ROWS, SCRATCH_BYTES, TILES, WIDE, aligned_zeros
from glassnet.runtime import CompiledTrainer, StepPlan
from tests.rounding import check_sum
from tests.unit.kernels.test_bfloat16 import in_pairs, rounded

Array = np.ndarray[Any, Any]
RATE = 0.1


def place(values: Array, padding: int = 0) -> Array:
    """The values where kernels may read on, with so many more numbers in each row."""
    held = aligned_zeros(len(values) * (values.shape[1] + padding)).reshape(len(values), -1)
    held[...] = 7.0
    held[:, : values.shape[1]] = values
    return held


def panels(b: Array) -> Array:
    """B in blocks of COLUMNS columns, each with room for LANES rows more."""
    inner, width = b.shape
    held = aligned_zeros(-(-width // COLUMNS) * (inner + LANES) * COLUMNS).reshape(-1, inner + LANES, COLUMNS)
    for j in range(width):
        held[j // COLUMNS, :inner, j % COLUMNS] = b[:, j]
    return held


@pytest.mark.parametrize("mode", [SET, ADD])
@pytest.mark.parametrize(
    ("m", "inner", "width", "pairs"),
    [
        (1, 1, 1, False), (ROWS + 11, 33, COLUMNS + 1, False), (3, COLUMN_DEPTH + 5, 5 * COLUMNS, False),
        (ROWS * TILES + 3, 7, 2, False), (1, 2, 1, True), (ROWS + 11, 34, COLUMNS + 1, True),
        (3, 2 * COLUMN_DEPTH + 6, 5 * COLUMNS, True), (ROWS * TILES + 3, 6, 2, True),
    ],
)  # fmt: skip
def test_a_step_by_panels(m: int, inner: int, width: int, pairs: bool, mode: int) -> None:
    rng = np.random.default_rng(m)
    a, b, c = (rng.standard_normal(shape).astype(np.float32) for shape in ((m, inner), (inner, width), (m, width)))
    held, blocks, found, zeros = place(a, 3), panels(in_pairs(b) if pairs else b), place(c), aligned_zeros(width + COLUMNS)
    if pairs:
        a, b = rounded(a), rounded(b)
    scratch, at = aligned_zeros(SCRATCH_BYTES, np.uint8), [held, blocks, found, zeros]
    given, parts, target, nothing = (array.ctypes.data for array in at)
    library()["glassnet_multiply_panels"](
        given,
        m,
        inner,
        parts,
        width,
        nothing,
        target,
        mode,
        scratch.ctypes.data,
        inner + 3,
        target,
        library().address("glassnet_pair_row") if pairs else 0,
    )
    before = c.astype(np.float64) * mode
    sizes = np.abs(before) + np.abs(a.astype(np.float64)) @ np.abs(b)
    check_sum(found, before + a.astype(np.float64) @ b, sizes, inner + 3)


@pytest.mark.parametrize("mode", [SET, ADD])
@pytest.mark.parametrize(
    ("rows", "inner", "width"), [(1, 1, 1), (COLUMN_DEPTH + 9, ROWS + 1, 40), (300, 5 * ROWS, WIDE + 44), (2, 3, WIDE + 1)]
)
def test_sums_over_steps(rows: int, inner: int, width: int, mode: int) -> None:
    """Columns of A that are zero for a whole tile are left out."""
    rng = np.random.default_rng(rows)
    a, b, c = (rng.standard_normal(shape).astype(np.float32) for shape in ((rows, inner), (rows, width), (inner, width)))
    a[::3] = 0
    held, other, found, zeros = place(a, 2), place(b), place(c), aligned_zeros(width + COLUMNS)
    scratch = aligned_zeros(SCRATCH_BYTES, np.uint8)
    given, factor, target, nothing = (array.ctypes.data for array in (held, other, found, zeros))
    library()["glassnet_sum_products"](
        given, rows, inner, factor, width, nothing, target, mode, scratch.ctypes.data, inner + 2
    )
    before = c.astype(np.float64) * mode
    sizes = np.abs(before) + np.abs(a.astype(np.float64)).T @ np.abs(b)
    check_sum(found, before + a.astype(np.float64).T @ b, sizes, rows + 3)


@pytest.mark.parametrize(
    "layer", [gn.LSTM(90, return_sequences=True), gn.GRU(100), gn.SimpleRNN(290), gn.SimpleRNN(37, activation="relu")]
)
def test_a_step_of_wide_layers_agrees_with_the_reference(layer: Any) -> None:
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (60, 9, 21, 1), dtype=np.uint8)
    labels = np.arange(60) % 3
    layers = [gn.Pixels(), layer, gn.Flatten(), gn.Dense(3)]
    net = gn.Network(layers, loss=gn.SoftmaxCrossEntropy(), input_shape=(9, 21, 1), seed=0)
    start, (cost, gradient) = net.parameters, net.loss_and_gradient(images, labels)
    found = []
    for threads in (1, 3):
        plan = StepPlan(batch_size=60, optimizer=gn.SGD(RATE), threads=threads)
        trainer = CompiledTrainer(net, net.rows(images), labels, plan)
        trainer.begin_epoch(np.arange(60), np.full(1, RATE), rng)
        trainer.run(0, 1, 0, keep_gradient=True)
        net.parameters = start
        assert abs(trainer.losses.mean() - cost) < 1e-6
        found.append(trainer.gradient.copy())
    assert np.linalg.norm(found[0] - gradient) < 2e-6 * np.linalg.norm(gradient)
    assert (found[0] == found[1]).all()
