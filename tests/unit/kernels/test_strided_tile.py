"""The tile's second form does a convolution without unfolding it: groups are the kernel's rows (NHWC, 3×3, padded)."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from numba import float32, int64, void

from glassnet.kernels.codegen.jit import OPTIONS
from glassnet.kernels.matmul.tile import ADD, SET, strided_tile
from glassnet.kernels.sizes import COLUMNS, ROWS

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def convolve() -> Any:
    @numba.njit(void(*[int64] * 9, float32, int64), **OPTIONS)
    def over(x, weight, bias, y, images, height, width, channels, filters, alpha, mode):  # type: ignore[no-untyped-def]
        line = (width + 2) * channels
        for row in range(images * height):
            image, oy = row // height, row % height
            for ox in range(0, width, ROWS):
                for j in range(0, filters, COLUMNS):
                    strided_tile(
                        min(ROWS, width - ox), x + 4 * ((image * (height + 2) + oy) * line + ox * channels),
                        line, channels, 1, 3, 3 * channels, weight + 4 * j, 3 * channels * filters, filters, bias + 4 * j,
                        y + 4 * ((row * width + ox) * filters + j), filters, min(COLUMNS, filters - j), alpha, mode, 0,
                    )  # fmt: skip

    return over


@pytest.mark.parametrize(
    ("images", "height", "width", "channels", "filters"),
    [(1, 1, 1, 1, 1), (2, 5, 7, 3, 4), (1, 3, 2 * ROWS + 1, 1, COLUMNS + 1), (3, 4, ROWS, 13, COLUMNS), (1, 2, 31, 17, 67)],
)
@pytest.mark.parametrize(("mode", "alpha"), [(SET, 1.0), (ADD, -0.5)])
def test_convolution(
    convolve: Any, guarded: Any, images: int, height: int, width: int, channels: int, filters: int, mode: int, alpha: float
) -> None:
    rng = np.random.default_rng(2)
    inside = rng.standard_normal((images, height, width, channels)).astype(np.float32)
    x = guarded(np.pad(inside, ((0, 0), (1, 1), (1, 1), (0, 0))))
    weight = guarded(rng.standard_normal((3, 3, channels, filters)).astype(np.float32), fence=np.nan)
    bias = guarded(rng.standard_normal(filters).astype(np.float32), fence=np.nan)
    start = rng.standard_normal((images, height, width, filters)).astype(np.float32)
    y = guarded(start)
    convolve(x.at, weight.at, bias.at, y.at, images, height, width, channels, filters, alpha, mode)
    y.check()
    windows = np.lib.stride_tricks.sliding_window_view(x.values.astype(np.float64), (3, 3), axis=(1, 2))
    sums = np.einsum("nhwcij,ijcf->nhwf", windows, weight.values.astype(np.float64))
    wanted = bias.values + sums if mode == SET else start + alpha * sums
    np.testing.assert_allclose(y.values, wanted, rtol=1e-5, atol=1e-4)
