"""Means of windows, and their gradients, against NumPy in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings, strategies as st

from glassnet.kernels.records import PoolShape
from glassnet.nn import AveragePool2D, pooling
from glassnet.nn.windows import Pair
from tests.rounding import check_sum

Array = np.ndarray[Any, Any]
PAIRS = st.tuples(st.integers(1, 4), st.integers(1, 4))
SIDE = st.sampled_from([1, 2, 3, 4, 5, 7, 13])


@settings(max_examples=80)
@given(st.tuples(SIDE, SIDE, st.sampled_from([1, 3, 16, 17, 33])), PAIRS, PAIRS, st.booleans(), st.integers(0, 2**32 - 1))
def test_average_pool(
    kernels: Any, guarded: Any, shape: tuple[int, int, int], window: Pair, strides: Pair, same: bool, seed: int
) -> None:
    if not same:
        window = min(window[0], shape[0]), min(window[1], shape[1])
    layer = AveragePool2D(window, strides=strides, padding="same" if same else "valid")
    margins, places = layer.margins(shape), layer.places(shape)
    pool = PoolShape.make(
        height=shape[0], width=shape[1], channels=shape[2], window_height=window[0], window_width=window[1],
        stride_y=strides[0], stride_x=strides[1], top=margins[0], left=margins[2], out_height=places[0], out_width=places[1],
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    x = guarded(rng.standard_normal(shape).astype(np.float32), fence=np.nan)
    out = guarded(np.full((*places, shape[2]), np.nan, np.float32))
    kernels["glassnet_average_windows"](pool.ctypes.data, x.at, out.at, 0)
    out.check()

    def exact(x: Array) -> Array:
        return pooling.average_pool(x[None].astype(float), window, strides, margins)[0]

    # The pixels of a window, or the windows at a pixel, of which there are no more; 1 / pixels and the product with it.
    roundings = window[0] * window[1] + 1
    check_sum(out.values, exact(x.values), exact(np.abs(x.values)), roundings)
    dout = guarded(rng.standard_normal(out.values.shape).astype(np.float32), fence=np.nan)
    dx = guarded(np.full(shape, np.nan, np.float32))
    kernels["glassnet_average_windows"](pool.ctypes.data, dx.at, dout.at, 1)
    dx.check()

    def exact_back(dout: Array) -> Array:
        return pooling.average_pool_backward(dout[None].astype(float), (1, *shape), window, strides, margins)[0]

    check_sum(dx.values, exact_back(dout.values), exact_back(np.abs(dout.values)), roundings)
