"""Training on the kernels against float64 NumPy, on networks drawn at random; `python -m benchmarks.agreement` takes more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.agreement import compiled, excesses
from benchmarks.random_networks import Case, draw_case
from glassnet.network import Network
from glassnet.nn import LAYERS, BatchNorm, Dense, LayerNorm, walk
from glassnet.nn.losses import LOSSES, SoftmaxCrossEntropy
from glassnet.nn.optimizers import OPTIMIZERS, SGD
from glassnet.nn.penalties import REGULARIZERS
from glassnet.runtime import use_kernels

SEEDS = range(20_000, 20_060)


@pytest.mark.parametrize("seed", SEEDS)
def test_kernels_are_off_by_what_float32_must_be(seed: int) -> None:
    case = draw_case(seed)
    assert use_kernels(case.network)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        assert excesses(case) == [], str(case)


def test_everything_is_drawn() -> None:
    cases = [draw_case(seed) for seed in range(300)]
    layers = [layer for case in cases for layer in walk(case.network.layers)]
    assert {type(layer).__name__ for layer in layers} == set(LAYERS)
    assert {type(case.network.loss).__name__ for case in cases} == set(LOSSES)
    assert {type(case.optimizer).__name__ for case in cases} == set(OPTIMIZERS) - {"Muon"}  # near a matrix of lower rank
    # its step has no bound on rounding: tests/unit/kernels/test_muon.py compares it on matrices that are given
    assert {type(case.network.regularizer).__name__ for case in cases} >= set(REGULARIZERS)
    assert {case.images.dtype.name for case in cases} == {"uint8", "float32"}
    assert {case.threads for case in cases} == {1, 2, 3}
    assert {(len(case.images) - 1) % case.batch + 1 == 1 for case in cases if case.batch > 1} == {True, False}


def test_a_small_fault_is_found() -> None:
    """A learning rate that is 1e-3 off, in a network that is not ill-conditioned; and a whole layer's parameters."""
    case = hand_made([Dense(8), Dense(3)], 3)
    assert excesses(case) == []
    found = excesses(case, compiled(replace(case, rates=1.001 * case.rates)))
    assert {excess.name for excess in found} >= {"dense1.weight", "dense2.weight", "dense2.bias", "losses"}


def test_normalisation_of_a_last_image_by_itself() -> None:
    """Its values are their own mean: LayerNorm behind it would make a signal of what rounding leaves."""
    assert excesses(hand_made([Dense(8), BatchNorm(), LayerNorm(), Dense(2)], 2)) == []


def hand_made(layers: list[Dense | BatchNorm | LayerNorm], classes: int) -> Case:
    """Nine images in mini-batches of 8: the last one alone."""
    rng = np.random.default_rng(0)
    return Case(
        seed=0,
        network=Network(layers, input_shape=(5,), loss=SoftmaxCrossEntropy(), seed=1),
        images=rng.standard_normal((9, 5)).astype(np.float32),
        labels=np.arange(9) % classes,
        weights=None,
        batch=8,
        optimizer=SGD(0.1),
        rates=np.full(2, 0.1),
        averaging=None,
        keep_gradient=False,
        threads=2,
    )
