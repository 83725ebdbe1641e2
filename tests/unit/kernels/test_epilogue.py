"""What follows a convolution, and the way back: normalise, activate and pool against NumPy in float64.

Values, means, gains and shifts are eighths, so that every sum before the activation is exact, and ties are many.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from glassnet.kernels import kinds
from glassnet.kernels.records import EpilogueShape, PoolShape
from glassnet.kernels.sizes import LANES
from glassnet.nn import MaxPool2D, activations, pooling
from glassnet.nn.windows import Pair
from tests.rounding import check_sum, check_within, sigmoid_error, tanh_error

Array = np.ndarray[Any, Any]
SLOPE = 0.25
KINDS = {
    "none": kinds.NO_ACTIVATION,
    "sigmoid": kinds.SIGMOID,
    "tanh": kinds.TANH,
    "relu": kinds.RELU,
    "leaky": kinds.LEAKY_RELU,
}


@dataclass(frozen=True)
class Epilogue:
    """y (rows, columns, filters) of one image and what follows; `pool`: window, strides, whether it may stick out."""

    shape: tuple[int, int, int]
    kind: str
    pool: tuple[Pair, Pair, bool] | None
    normalised: bool
    seed: int

    @property
    def layer(self) -> MaxPool2D | None:
        if self.pool is None:
            return None
        window, strides, same = self.pool
        if not same:
            window = min(window[0], self.shape[0]), min(window[1], self.shape[1])
        return MaxPool2D(window, strides=strides, padding="same" if same else "valid")

    @property
    def slope(self) -> float:
        return SLOPE if self.kind == "leaky" else 0.0

    @property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def record(self) -> Array:
        layer, (rows, columns, channels) = self.layer, self.shape
        window, strides, corner, positions = (0, 0), (1, 1), (0, 0), (rows, columns)
        if layer is not None:
            top, _, left, _ = layer.margins(self.shape)
            window, strides, corner, positions = layer.window, layer.strides, (top, left), layer.positions(self.shape)
        pool = PoolShape.make(
            height=rows, width=columns, channels=channels, window_height=window[0], window_width=window[1],
            stride_y=strides[0], stride_x=strides[1], top=corner[0], left=corner[1], out_height=positions[0],
            out_width=positions[1],
        )  # fmt: skip
        return EpilogueShape.make(pool=pool[0], activation=KINDS[self.kind], slope=self.slope, argmax_row=window[1])

    @property
    def pooled(self) -> tuple[int, int, int]:
        pool = self.record()[0]["pool"]
        return int(pool["out_height"]), int(pool["out_width"]), self.shape[2]

    def chain(self, y: Array, mean: Array, gain: Array, shift: Array) -> tuple[Array, Array]:
        """σ of what was pooled, and the positions, in float64."""
        z, layer = y.astype(np.float64), self.layer
        if self.normalised:
            z = (z - mean) * gain + shift
        place = np.zeros(self.pooled, np.int64)
        if layer is not None:
            pooled, positions = pooling.max_pool(z[None], layer.window, layer.strides, layer.margins(self.shape))
            z, place = pooled[0], positions[0]
        if self.kind == "sigmoid":
            return activations.sigmoid(z), place
        if self.kind == "tanh":
            return np.tanh(z), place
        return (z if self.kind == "none" else activations.leaky_relu(z, self.slope)), place

    def slopes(self, dout: Array, out: Array) -> Array:
        """dout · σ′, from σ's output, in float64."""
        dout, out = dout.astype(np.float64), out.astype(np.float64)
        if self.kind == "sigmoid":
            return activations.sigmoid_backward(dout, out)
        if self.kind == "tanh":
            return activations.tanh_backward(dout, out)
        return dout if self.kind == "none" else activations.leaky_relu_backward(dout, out, self.slope)

    def sizes(self, dout: Array, out: Array) -> Array:
        """Σ|terms| of these slopes, each of which takes three roundings at most: 1 and y² may cancel in tanh's."""
        if self.kind == "tanh":
            return np.abs(dout.astype(np.float64)) * (1 + out.astype(np.float64) ** 2)
        return np.abs(self.slopes(dout, out))

    @property
    def overlap(self) -> int:
        """How many windows may share a pixel, at most."""
        return self.layer.window[0] * self.layer.window[1] if self.layer else 1

    def spread(self, g: Array, place: Array) -> Array:
        """The gradient of each pixel of y (before normalisation) from those of the windows."""
        layer = self.layer
        if layer is None:
            return g
        margins, shape = layer.margins(self.shape), (1, *self.shape)
        return pooling.max_pool_backward(g[None], place[None], shape, layer.window, layer.strides, margins)[0]


def eighths(rng: np.random.Generator, shape: tuple[int, ...], most: int = 8) -> Array:
    return (rng.integers(-most, most + 1, shape) / 8).astype(np.float32)


SIDE, PAIRS = st.sampled_from([1, 2, 3, 4, 5, 7, 13]), st.tuples(st.integers(1, 4), st.integers(1, 4))
CASES = st.builds(
    Epilogue,
    shape=st.tuples(SIDE, SIDE, st.sampled_from([1, 2, 3, max(1, LANES - 1), LANES, LANES + 1, 20, 2 * LANES + 1])),
    kind=st.sampled_from(list(KINDS)),
    pool=st.one_of(st.none(), st.tuples(PAIRS, PAIRS, st.booleans())),
    normalised=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
NIELSEN = Epilogue((24, 24, 20), "relu", ((2, 2), (2, 2), False), False, 1)
STICKS_OUT = Epilogue((5, 4, 3), "tanh", ((4, 3), (3, 2), True), True, 1)  # windows overlap, and stick out on all sides


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(case=CASES)
@example(case=NIELSEN)
@example(case=STICKS_OUT)
def test_forward(kernels: Any, guarded: Any, kind: str, case: Epilogue) -> None:
    case = replace(case, kind=kind)
    rng, shape = case.rng, case.record()
    y = guarded(eighths(rng, case.shape), fence=np.nan)
    gain = guarded(rng.choice([-2, -1, -0.5, 0.5, 1, 2], case.shape[2]).astype(np.float32), fence=np.nan)
    mean, shift = (guarded(eighths(rng, case.shape[2:]), fence=np.nan) for _ in range(2))
    out, argmax = guarded(np.full(case.pooled, np.nan, np.float32)), guarded(np.full(case.pooled, np.nan, np.float32))
    norm = (mean.at, gain.at, shift.at) if case.normalised else (0, 0, 0)
    place = argmax.at if case.pool else 0
    kernels["glassnet_apply_epilogue"](shape.ctypes.data, y.at, out.at, place, *norm, 0, case.pooled[0])
    out.check()
    argmax.check()
    wanted, positions = case.chain(y.values, mean.values, gain.values, shift.values)
    bounds = {"sigmoid": sigmoid_error(wanted), "tanh": tanh_error(wanted)}
    check_within(out.values, wanted, bounds.get(kind, 0.0))  # sums and products of eighths are exact
    if case.pool:
        np.testing.assert_array_equal(argmax.values.view(np.int32), positions)
    if not case.pool and not case.normalised:  # where the convolution wrote y
        kernels["glassnet_apply_epilogue"](shape.ctypes.data, y.at, y.at, 0, 0, 0, 0, 0, case.shape[0])
        np.testing.assert_array_equal(y.values, out.values)


def begun(case: Epilogue, guarded: Any) -> tuple[Any, Any, Any, Any]:
    """dout, out, argmax and y as forward left them."""
    rng = case.rng
    y, gain, shift = eighths(rng, case.shape), np.ones(case.shape[2]), eighths(rng, case.shape[2:])
    out, place = case.chain(y, 0 * gain, gain, shift)
    dout = rng.standard_normal(case.pooled).astype(np.float32)
    argmax = guarded(place.astype(np.int32).view(np.float32), fence=np.nan)
    return guarded(dout, fence=np.nan), guarded(out.astype(np.float32), fence=np.nan), argmax, guarded(y, fence=np.nan)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(case=CASES, strides=st.tuples(st.integers(1, 3), st.integers(1, 3)))
@example(case=NIELSEN, strides=(1, 1))
@example(case=STICKS_OUT, strides=(2, 3))
def test_back(kernels: Any, guarded: Any, kind: str, case: Epilogue, strides: Pair) -> None:
    """Into dy with zeros around and between its pixels, as a convolution's strides ask."""
    case = replace(case, kind=kind)
    (down, across), shape = strides, case.record()
    dout, out, argmax, y = begun(case, guarded)
    rows, columns, filters = case.shape
    a, b, c, middle, mean = eighths(case.rng, (5, filters)) if case.normalised else np.eye(5)[0][:, None]
    if case.pool:
        middle = 0 * middle  # as the joined gradients have it
    together = np.stack([a, b, c, middle, mean]).astype(np.float32)
    coefficients = guarded(together, fence=np.nan)
    row = guarded(np.full((max(columns, case.pooled[1]), filters), np.nan, np.float32))
    padded = guarded(np.full((rows * down, columns * across + 1, filters), -5.5, np.float32))
    kernels["glassnet_undo_epilogue"](
        shape.ctypes.data, dout.at, out.at, argmax.at if case.pool else 0, y.at, coefficients.at * case.normalised, row.at,
        padded.at, down * (columns * across + 1) * filters, across * filters,
    )  # fmt: skip
    padded.check()
    row.check()
    place = argmax.values.view(np.int32)
    g, sizes = (case.spread(of(dout.values, out.values), place) for of in (case.slopes, case.sizes))
    wanted = a * (g - middle) + b * (y.values - mean) + c
    sizes = np.abs(a) * (sizes + np.abs(middle)) + np.abs(b * (y.values - mean)) + np.abs(c)
    # The slope; less the middle; a times it; the sum of b·(y − mean), which is exact, and c; of the windows at a pixel.
    check_sum(padded.values[::down, : columns * across : across], wanted, sizes, 3 + 1 + 1 + 2 + case.overlap)
    padded.values[::down, : columns * across : across] = -5.5
    assert (padded.values == -5.5).all()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(case=CASES)
@example(case=NIELSEN)
@example(case=STICKS_OUT)
def test_sums_for_the_normalisation(kernels: Any, guarded: Any, kind: str, case: Epilogue) -> None:
    case = replace(case, kind=kind)
    shape, filters = case.record(), case.shape[2]
    dout, out, argmax, y = begun(case, guarded)
    mean = guarded(eighths(case.rng, (filters,)), fence=np.nan)
    inverse = guarded((1 + case.rng.random(filters)).astype(np.float32), fence=np.nan)
    row = guarded(np.full((case.pooled[1], filters), np.nan, np.float32))
    sums = guarded(np.full((2, filters), np.nan, np.float32))
    kernels["glassnet_gradient_sums"](
        shape.ctypes.data, dout.at, out.at, argmax.at if case.pool else 0, y.at, mean.at, inverse.at, row.at, sums.at
    )
    sums.check()
    row.check()
    place = argmax.values.view(np.int32)
    g, sizes = (case.spread(of(dout.values, out.values), place) for of in (case.slopes, case.sizes))
    normal = (y.values.astype(float) - mean.values) * inverse.values
    both = np.stack([g, g * normal]).sum(axis=(1, 2)), np.stack([sizes, sizes * np.abs(normal)]).sum(axis=(1, 2))
    # The slope; y − mean, the product with it, that with 1/√…; the sums of all windows, of which each row has four.
    check_sum(sums.values, *both, 3 + 3 + case.pooled[0] * (case.pooled[1] + 4))
