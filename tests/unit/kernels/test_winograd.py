"""Winograd's convolution against NumPy in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from glassnet.compiler.algorithms import prefers_winograd
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.sizes import LANES, PRODUCTS, winograd_floats
from glassnet.nn import Conv2D, conv as nn_conv
from glassnet.nn.windows import windows
from tests.rounding import check_sum

Array = np.ndarray[Any, Any]
# G and the absolute values of Bᵀ and Aᵀ of Lavin and Gray's F(2×2, 3×3)
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
B_SIZES = np.array([[1, 0, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1]])
A_SIZES = np.array([[1, 1, 1, 0], [0, 1, 1, 1]])
SIDE = st.sampled_from([1, 2, 3, 5, 7, 8, 14, 29])
CHANNELS = st.sampled_from([1, 3, max(1, LANES - 1), LANES, LANES + 1, 2 * LANES + 3])


def exactly(x: Array, weight: Array, bias: Array) -> Array:
    return nn_conv.conv2d(x[None].astype(float), weight.astype(float), bias.astype(float), (1, 1), (0, 0, 0, 0))[0]


def sizes_of_squares(x: Array) -> Array:
    """|Bᵀ|·|d|·|B| of each square of 4 × 4 pixels, (rows, columns, 4, 4, channels)."""
    odd = [(0, size % 2) for size in x.shape[:2]]
    d = windows(np.pad(np.abs(x.astype(float)), (*odd, (0, 0)))[None], (4, 4), (2, 2))[0]
    return np.einsum("ik,pqckl,jl->pqijc", B_SIZES, d, B_SIZES, optimize=True)


@settings(max_examples=60)
@given(SIDE, SIDE, CHANNELS, CHANNELS, st.integers(0, 2**32 - 1))
@example(28, 28, 32, 32, 0)
@example(7, 7, 64, 128, 0)
def test_convolution(kernels: Any, guarded: Any, down: int, across: int, channels: int, filters: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((down + 2, across + 2, channels)).astype(np.float32)
    weight = rng.standard_normal((3, 3, channels, filters)).astype(np.float32)
    bias = rng.standard_normal(filters).astype(np.float32)
    u = np.einsum("ik,klcf,jl->ijcf", G, weight.astype(float), G).astype(np.float32).reshape(PRODUCTS, channels, filters)
    behind = np.full(((across + 3) * channels + 1,), np.nan, np.float32)  # what is read there must not show
    held = guarded(np.concatenate([x.ravel(), behind]), fence=np.nan)
    products, biases = guarded(u, fence=np.nan), guarded(bias, fence=np.nan)
    zeros = guarded(np.zeros(filters, np.float32), fence=np.nan)
    y = guarded(np.full((down, across * filters + 3), -5.5, np.float32))
    room = guarded(np.full(winograd_floats(across, channels, filters), np.nan, np.float32))
    kernels["glassnet_winograd"](
        held.at, (across + 2) * channels, channels, products.at, filters, biases.at, y.at, y.values.shape[1], down, across,
        zeros.at, room.at,
    )  # fmt: skip
    y.check()
    room.check()
    assert (y.values[:, across * filters :] == -5.5).all()
    found = y.values[:, : across * filters].reshape(down, across, filters)
    m = np.einsum("pqabc,abcf->pqabf", sizes_of_squares(x), np.abs(u.reshape(4, 4, channels, filters)), optimize=True)
    sizes = np.einsum("ia,pqabf,jb->piqjf", A_SIZES, m, A_SIZES, optimize=True)
    sizes = sizes.reshape(2 * m.shape[0], 2 * m.shape[1], filters)[:down, :across] + np.abs(bias)
    # U once, two sums of d, the channels, four sums of m, the bias
    check_sum(found, exactly(x, weight, bias), sizes, 1 + 2 + channels + 4 + 1)


@settings(max_examples=60)
@given(SIDE, SIDE, CHANNELS, CHANNELS, st.integers(0, 2**32 - 1))
@example(28, 28, 32, 32, 0)
@example(7, 7, 64, 128, 0)
def test_gradient_of_the_weights(
    kernels: Any, guarded: Any, down: int, across: int, channels: int, filters: int, seed: int
) -> None:
    """Of two images; what lies behind the first is finite, as in a frame of zeros, and beside dy it is anything."""
    rng = np.random.default_rng(seed)
    images = rng.standard_normal((2, down + 2, across + 2, channels)).astype(np.float32)
    dys = rng.standard_normal((2, down, across, filters)).astype(np.float32)
    behind = np.full(((across + 3) * channels + 1,), 3.25, np.float32)
    zeros = guarded(np.zeros(filters, np.float32), fence=np.nan)
    products = guarded(np.full((4, 4, channels, filters), np.nan, np.float32))
    room = guarded(np.full(winograd_floats(across, channels, filters), np.nan, np.float32))
    for x, dy, mode in zip(images, dys, (SET, ADD), strict=True):
        held = guarded(np.concatenate([x.ravel(), behind]), fence=np.nan)
        gap = np.full((down, 1, filters), np.nan, np.float32)
        spaced = guarded(
            np.concatenate([np.concatenate([dy, gap], axis=1), gap[:1].repeat(across + 1, axis=1)]), fence=np.nan
        )
        kernels["glassnet_winograd_gradient"](
            held.at, (across + 2) * channels, channels, spaced.at, (across + 1) * filters, filters, products.at, down, across,
            mode, zeros.at, room.at,
        )  # fmt: skip
        products.check()
        room.check()
    found = np.einsum("ik,ijcf,jl->klcf", G, products.values.astype(float), G)

    def exact(x: Array, dy: Array) -> Array:
        none = np.zeros((3, 3, channels, filters))
        return nn_conv.conv2d_backward(dy.astype(float), x.astype(float), none, (1, 1), (0, 0, 0, 0))[1]

    m = np.zeros((4, 4, channels, filters))
    for x, dy in zip(images, dys, strict=True):
        pairs = np.pad(np.abs(dy.astype(float)), ((0, down % 2), (0, across % 2), (0, 0)))
        pairs = pairs.reshape((down + 1) // 2, 2, (across + 1) // 2, 2, filters)
        spread = np.einsum("ia,piqjf,jb->pqabf", A_SIZES, pairs, A_SIZES, optimize=True)
        m += np.einsum("pqabc,pqabf->abcf", sizes_of_squares(x), spread, optimize=True)
    sizes = np.einsum("ik,ijcf,jl->klcf", np.abs(G), m, np.abs(G), optimize=True)
    # Two sums of d and of dy each, the squares of an image, and those of the image before
    squares = (down + 1) // 2 * ((across + 1) // 2)
    check_sum(found, exact(images, dys), sizes, 2 + 2 + squares + 1)


@pytest.mark.parametrize(
    ("conv", "given_shape", "made", "chosen"),
    [
        (Conv2D(32, 3, padding="same"), (28, 28, 32), (28, 28, 32), True),
        (Conv2D(128, 3, padding="same"), (7, 7, 64), (7, 7, 128), True),
        (Conv2D(32, 3), (30, 30, 32), (28, 28, 32), True),
        (Conv2D(32, 3), (29, 29, 32), (27, 27, 32), False),  # it would read behind x
        (Conv2D(32, 3, padding="same"), (28, 28, 1), (28, 28, 32), False),  # the transforms cost more than they save
        (Conv2D(32, 5, padding="same"), (28, 28, 32), (28, 28, 32), False),
        (Conv2D(32, 3, strides=2, padding="same"), (28, 28, 32), (14, 14, 32), False),
    ],
)
def test_where_it_is_chosen(conv: Conv2D, given_shape: tuple[int, ...], made: tuple[int, ...], chosen: bool) -> None:
    assert prefers_winograd(conv, given_shape, made) == chosen
