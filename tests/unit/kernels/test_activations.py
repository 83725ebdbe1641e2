"""Activations, their derivatives, exp and dropout against float64, on values of every size."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import ndtr

from glassnet.kernels import kinds
from glassnet.kernels.activations import erf, exp, log, tanh
from glassnet.kernels.codegen.jit import OPTIONS
from glassnet.nn import GELU, activations
from tests.rounding import PROMISE, TINY, check_within, gamma, sigmoid_error, tanh_error

Array = np.ndarray[Any, Any]
EXTREME = np.array(
    [s * x for x in (0.0, 1e-45, 1e-38, 1e-8, 0.625, 1, 9, 17, 40, 88, 104, 1e4, 1e19, 1e30, 3.4e38) for s in (1, -1)],
    dtype=np.float32,
)
KINDS = {"sigmoid": kinds.SIGMOID, "tanh": kinds.TANH, "relu": kinds.RELU, "leaky": kinds.LEAKY_RELU, "gelu": kinds.GELU}
SLOPE = 0.25
VALUES = hnp.arrays(
    np.float32,
    st.integers(1, 70),
    elements=st.one_of(st.sampled_from(list(map(float, EXTREME))), st.floats(-30, 30, width=32), st.floats(-2, 2, width=32)),
)


def exact(kind: str, x: Array, dy: Array) -> tuple[Array, Array]:
    """y and dx by the reference, in float64."""
    x, dy = x.astype(np.float64), dy.astype(np.float64)
    if kind == "sigmoid":
        y = activations.sigmoid(x)
        return y, activations.sigmoid_backward(dy, y)
    if kind == "tanh":
        y = np.tanh(x)
        return y, activations.tanh_backward(dy, y)
    if kind == "gelu":
        y, backward = GELU().forward(x)
        return y, backward(dy)[0]
    slope = SLOPE if kind == "leaky" else 0.0
    return activations.leaky_relu(x, slope), activations.leaky_relu_backward(dy, x, slope)


def bounds(kind: str, x: Array, dy: Array, y: Array) -> tuple[Array, Array]:
    """How far y and dx may be from exact, in float64: by the error e of the function itself, and by roundings after it."""
    x, dy = x.astype(np.float64), np.abs(dy.astype(np.float64))
    if kind == "sigmoid":  # y·(1 − y) from y + e; a difference, two products
        e = sigmoid_error(y)
        moved = np.abs(1 - 2 * y) * e + e * e
        return e, dy * (moved + gamma(3) * (y * (1 - y) + moved)) + TINY
    if kind == "tanh":  # 1 − y² from y + e; a square, a difference, a product: u·y² + 2u·(1 − y²) at most
        e = tanh_error(y)
        moved = 2 * np.abs(y) * e + e * e
        return e, dy * (moved + gamma(2) * (1 + moved)) + TINY
    if kind == "gelu":
        share, slope = ndtr(x), np.abs(x) * np.exp(-np.minimum(x * x, 2000) / 2) / math.sqrt(2 * math.pi)  # Φ and |x|·φ
        # Φ = (1 + erf)/2; from 4·√2 on, erf is ±1. Then x·√½ to 2u, the sum, and the reference's own error.
        e = np.where(np.abs(x) < 4 * math.sqrt(2), PROMISE / 2, ndtr(-np.abs(x)))
        e += gamma(2) * slope + gamma(2) * share + 2.0**-52
        # Beside Φ: 4u of exp and u·x²/2 of what it is taken of, √(2π), two products; below e⁻⁸⁷ it goes no further.
        e_slope = slope * (gamma(8) + gamma(1) * np.minimum(x * x, 2000) / 2) + 16 * TINY
        return np.abs(x) * e + gamma(1) * np.abs(y) + TINY, dy * (e + e_slope + gamma(3) * (share + slope)) + TINY
    return gamma(1) * np.abs(y) + TINY, gamma(1) * dy + TINY


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(x=VALUES, seed=st.integers(0, 2**32 - 1))
def test_activation_and_derivative(kernels: Any, guarded: Any, kind: str, x: Array, seed: int) -> None:
    dy = np.random.default_rng(seed).uniform(-2, 2, x.size).astype(np.float32)
    source, y, dx, given_dy = guarded(x), guarded(np.full_like(x, np.nan)), guarded(np.full_like(x, np.nan)), guarded(dy)
    kernels["glassnet_activate"](KINDS[kind], x.size, source.at, y.at, SLOPE)
    kernels["glassnet_activate_backward"](KINDS[kind], x.size, source.at, y.at, given_dy.at, dx.at, SLOPE)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        wanted, wanted_dx = exact(kind, x, dy)
    bound, bound_dx = bounds(kind, x, dy, wanted)
    check_within(y.values, wanted, bound)
    check_within(dx.values, wanted_dx, bound_dx)
    for buffer in (source, y, dx, given_dy):
        buffer.check()
    np.testing.assert_array_equal(source.values, x)


@pytest.mark.parametrize("kind", ["relu", "leaky"])
def test_piecewise_activations_are_exact(kernels: Any, guarded: Any, kind: str) -> None:
    x, y = guarded(EXTREME), guarded(EXTREME)
    kernels["glassnet_activate"](KINDS[kind], EXTREME.size, x.at, y.at, SLOPE)
    np.testing.assert_array_equal(y.values, np.where(EXTREME > 0, EXTREME, np.float32(SLOPE * (kind == "leaky")) * EXTREME))


@pytest.mark.parametrize(("kind", "low", "high"), [("sigmoid", 0, 1), ("tanh", -1, 1)])
def test_limits(kernels: Any, guarded: Any, kind: str, low: float, high: float) -> None:
    x, y = guarded(np.array([-1e30, 1e30, -3.4e38, 3.4e38], np.float32)), guarded(np.zeros(4, np.float32))
    kernels["glassnet_activate"](KINDS[kind], 4, x.at, y.at, 0.0)
    np.testing.assert_allclose(y.values, [low, high, low, high], atol=1e-37)
    for dtype in (np.float32, np.float64):
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            values = x.values.astype(dtype)
            np.testing.assert_array_equal(
                activations.sigmoid(values) if kind == "sigmoid" else np.tanh(values), [low, high, low, high]
            )


def _loop(function: Any, dtype: Any = np.float32) -> Any:
    @numba.njit(**OPTIONS)
    def over(x: Array, y: Array) -> None:
        for i in range(x.size):
            y[i] = dtype(function(x[i]))

    return over


def test_exp_is_right_to_two_units_in_the_last_place() -> None:
    x = np.concatenate([np.linspace(-87, 88, 200_001), np.linspace(-1, 1, 100_001)]).astype(np.float32)
    y = np.empty_like(x)
    _loop(exp)(x, y)
    wanted = np.exp(x.astype(np.float64))
    assert (np.abs(y - wanted) / np.spacing(wanted.astype(np.float32)).astype(np.float64)).max() <= 2
    beyond = np.array([-1e30, -200, -0.0, 0.0, 200, 1e30], np.float32)
    y = np.empty_like(beyond)
    _loop(exp)(beyond, y)
    assert np.isfinite(y).all()
    np.testing.assert_allclose(y[:4], [0, 0, 1, 1], atol=2e-38)
    assert (y[4:] > 1e38).all()


def test_log_is_right_to_one_unit_in_the_last_place() -> None:
    x = np.concatenate([np.linspace(0.5, 2, 100_001), np.linspace(1, 1e5, 100_001), np.geomspace(1e-300, 1e300, 100_001)])
    y, wanted = np.empty_like(x), np.log(x.astype(np.longdouble))
    _loop(log, np.float64)(x, y)
    assert (np.abs(y - wanted) <= np.spacing(np.abs(wanted.astype(np.float64)))).all()
    assert y[x == 1].tolist() == [0, 0]
    y = np.empty(1)
    _loop(log, np.float64)(np.full(1, np.nan), y)
    assert np.isnan(y[0])


@pytest.mark.parametrize(("ours", "theirs"), [(tanh, math.tanh), (erf, math.erf)], ids=["tanh", "erf"])
def test_polynomials_are_within_their_promise(ours: Any, theirs: Any) -> None:
    x = np.linspace(-10, 10, 50_001).astype(np.float32)
    y = np.empty_like(x)
    _loop(ours)(x, y)
    assert np.abs(y - np.vectorize(theirs)(x.astype(np.float64))).max() <= PROMISE
