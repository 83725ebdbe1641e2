"""One compiled step of every optimizer against `Optimizer.step` in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassnet.optimizers import OPTIMIZERS, SGD, Adam, AdamW, Optimizer, RMSprop

RATE = 0.03125
EACH = [
    SGD(RATE),
    SGD(RATE, momentum=0.75),
    SGD(RATE, momentum=0.75, nesterov=True),
    RMSprop(RATE, rho=0.75),
    Adam(RATE),
    Adam(RATE, beta1=0.5, beta2=0.75, epsilon=1e-3),
    AdamW(RATE, weight_decay=0.125),
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
    options = np.array(optimizer.options)
    moved = np.zeros(size)
    for number in range(1, 5):
        gradient = (size_of_g * rng.standard_normal(size)).astype(np.float32)
        g = guarded(gradient)
        kernels["glassnet_update"](
            optimizer.code, size, w.at, g.at, first.at, second.at, RATE, scale, optimizer.decay, options.ctypes.data, number
        )
        before = exact.copy()
        optimizer.step(exact, scale * gradient.astype(np.float64), m, v, RATE, number, optimizer.decay)
        moved += np.abs(exact - before)
        g.check()
        np.testing.assert_array_equal(g.values, gradient)
    for buffer in (w, first, second):
        buffer.check()
    error = np.abs(w.values - exact)
    assert (error <= 1e-6 + 4e-6 * (np.abs(exact) + moved)).all()
