"""One compiled step of every optimizer against `Optimizer.step` in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from glassnet.compiler import OPTIMIZER_KINDS, optimizer_options
from glassnet.nn.optimizers import OPTIMIZERS, SGD, Adam, AdamW, Muon, Optimizer, RMSprop
from tests.rounding import check_within, gamma

RATE = 0.03125
STEPS = 4
EACH = [
    SGD(RATE),
    SGD(RATE, momentum=0.75),
    SGD(RATE, momentum=0.75, nesterov=True),
    RMSprop(RATE, rho=0.75),
    Adam(RATE),
    Adam(RATE, beta1=0.5, beta2=0.75, epsilon=1e-3),
    AdamW(RATE, weight_decay=0.125),
    Muon(RATE, sgd_momentum=0.75),  # of biases and the like
    Muon(RATE, sgd_momentum=0.75, weight_decay=0.125),
]


def test_every_optimizer_is_here() -> None:
    assert {type(optimizer) for optimizer in EACH} == set(OPTIMIZERS.values())


@pytest.mark.parametrize("optimizer", EACH, ids=repr)
@settings(max_examples=40)
@given(
    size=st.one_of(st.integers(1, 70), st.just(8193)),
    scale=st.sampled_from([1.0, 0.25]),
    seed=st.integers(0, 2**32 - 1),
    size_of_g=st.sampled_from([0.0, 1e-12, 1.0, 1e6]),
)
def test_steps(
    kernels: Any, guarded: Any, optimizer: Optimizer, size: int, scale: float, seed: int, size_of_g: float
) -> None:
    rng = np.random.default_rng(seed)
    w = guarded(rng.standard_normal(size).astype(np.float32))
    kept = size if optimizer.moments else 0
    first, second = guarded(np.zeros(kept, np.float32)), guarded(np.zeros(size if optimizer.moments > 1 else 0, np.float32))
    exact, m, v = w.values.astype(np.float64), np.zeros(kept), np.zeros(size)
    kind, options = OPTIMIZER_KINDS[type(optimizer)], optimizer_options(optimizer)
    moved, sizes_of_m, same_v, start = np.zeros(size), np.zeros(kept), np.zeros(size), np.abs(exact)
    for number in range(1, STEPS + 1):
        gradient = (size_of_g * rng.standard_normal(size)).astype(np.float32)
        g = guarded(gradient)
        kernels["glassnet_update"](
            kind, size, w.at, g.at, first.at, second.at, RATE, scale, optimizer.decay, options.ctypes.data, number
        )
        optimizer.step(exact, scale * gradient.astype(np.float64), m, v, RATE, number, optimizer.decay)
        # Along |g| no step's terms cancel: −moved becomes Σ|terms| of all steps.
        optimizer.step(moved, scale * np.abs(gradient.astype(np.float64)), sizes_of_m, same_v, RATE, number)
        g.check()
        np.testing.assert_array_equal(g.values, gradient)
    for buffer in (w, first, second):
        buffer.check()
    # A moment takes β, a product and a sum at each step, and 1 − β with three products of g and g; the step of it: two
    # corrections, ε, a root, a sum, a product, a quotient. w: decay and two more.
    of_moment = 3 * STEPS + 4
    a_step = gamma(of_moment + 7)
    check_within(w.values, exact, gamma(3 * STEPS) * (start - moved) - a_step * moved)
    if optimizer.moments and not isinstance(optimizer, (SGD, Muon)):  # squares: all terms are positive, none cancel
        squares = (first.values, m) if optimizer.moments == 1 else (second.values, v)
        np.testing.assert_allclose(*squares, rtol=gamma(of_moment))
