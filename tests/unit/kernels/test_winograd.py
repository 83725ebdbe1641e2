"""Winograd's convolution against NumPy in float64."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

import glassnet as gn
from glassnet.compiler import algorithms
from glassnet.compiler.algorithms import gradient_outputs, winograd_outputs
from glassnet.compiler.costs import KEYS, Cost, key
from glassnet.kernels.conv import minimal_filtering
from glassnet.kernels.conv.direct import panel_width
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.sizes import LANES, WINOGRAD_TILES, gradient_tiles, winograd_floats
from glassnet.nn import Conv2D, conv as nn_conv
from tests.rounding import check_sum

Array = np.ndarray[Any, Any]
KINDS = [(2, 3), (4, 3), (2, 5)]  # m and r of F(m×m, r×r)
KIND = st.sampled_from(KINDS)
SIDE = st.sampled_from([1, 2, 3, 5, 7, 8, 14, 29])
CHANNELS = st.sampled_from([1, 3, max(1, LANES - 1), LANES, LANES + 1, 2 * LANES + 3])
IMAGES = st.integers(1, 3)


def matrices(kind: tuple[int, int]) -> tuple[Array, Array, Array]:
    """G, Bᵀ and Aᵀ."""
    of = minimal_filtering.matrices(*kind)
    g, bt, at = (np.array(matrix, dtype=float) for matrix in (of.g, of.bt, of.at))
    return g, bt, at


def terms(matrix: Array) -> int:
    """Of the longest row: at most so many roundings has a product of the matrix and a vector."""
    return int((matrix != 0).sum(axis=1).max())


def in_panels(u: Array) -> Array:
    """U (t², channels, filters), the filters panel by panel."""
    found, j = [], 0
    while j < u.shape[2]:
        width = panel_width.py_func(u.shape[2] - j)
        found.append(u[:, :, j : j + width].ravel())
        j += width
    return np.concatenate(found)


def framed(rng: np.random.Generator, images: Array, down: int, across: int, kind: tuple[int, int]) -> Array:
    """The images, and behind their last rows and columns random numbers: as many as whole tiles need."""
    outputs, taps = kind
    rows, columns = (-(-size // outputs) * outputs + taps - 1 for size in (down, across))
    x = rng.standard_normal((len(images), rows, columns, images.shape[3])).astype(np.float32)
    x[:, : images.shape[1], : images.shape[2]] = images
    return x


def tiles_of(x: Array, outputs: int, size: int) -> Array:
    """(images, rows, columns, size, size, channels) of tiles that begin every `outputs` pixels."""
    views = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))[:, ::outputs, ::outputs]
    return np.moveaxis(views, 3, 5)


def sizes_of_tiles(x: Array, kind: tuple[int, int]) -> Array:
    """|Bᵀ|·|d|·|B| of each tile."""
    bt = np.abs(matrices(kind)[1])
    return np.einsum("ik,npqklc,jl->npqijc", bt, tiles_of(np.abs(x.astype(float)), kind[0], sum(kind) - 1), bt, optimize=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_matrices_are_exact(kind: tuple[int, int]) -> None:
    """y[i] = Σ d[i + k]·w[k], for each single d and w."""
    outputs, taps = kind
    of = minimal_filtering.matrices(outputs, taps)
    for a in range(outputs + taps - 1):
        for k in range(taps):
            found = [sum(row[t] * of.g[t][k] * of.bt[t][a] for t in range(len(of.g))) for row in of.at]
            assert found == [Fraction(a == i + k) for i in range(outputs)]


@settings(max_examples=80)
@given(KIND, IMAGES, SIDE, SIDE, CHANNELS, CHANNELS, st.integers(0, 2**32 - 1))
@example((4, 3), 1, 28, 28, 32, 32, 0)
@example((4, 3), 3, 7, 7, 64, 128, 0)
@example((2, 3), 3, 9, 14, 16, 16, 0)
@example((2, 5), 2, 12, 12, 20, 40, 0)
def test_convolution(
    kernels: Any, guarded: Any, kind: tuple[int, int], n: int, down: int, across: int, channels: int, filters: int, seed: int
) -> None:
    (outputs, taps), rng = kind, np.random.default_rng(seed)
    g, bt, at = matrices(kind)
    size = outputs + taps - 1
    images = rng.standard_normal((n, down + taps - 1, across + taps - 1, channels)).astype(np.float32)
    x = framed(rng, images, down, across, kind)
    weight = rng.standard_normal((taps, taps, channels, filters)).astype(np.float32)
    bias = rng.standard_normal(filters).astype(np.float32)
    u = np.einsum("ik,klcf,jl->ijcf", g, weight.astype(float), g).astype(np.float32)
    held, biases = guarded(x, fence=np.nan), guarded(bias, fence=np.nan)
    products = guarded(in_panels(u.reshape(size**2, channels, filters)), fence=np.nan)
    zeros = guarded(np.zeros(filters, np.float32), fence=np.nan)
    y = guarded(np.full((n, down, across * filters + 3), -5.5, np.float32))
    room = guarded(np.full(winograd_floats(size**2, WINOGRAD_TILES, channels), np.nan, np.float32))
    kernels["glassnet_winograd"](
        outputs, taps, n, held.at, x[0].size, x[0, 0].size, channels, products.at, filters, biases.at, y.at, y.values[0].size,
        y.values.shape[2], filters, down, across, zeros.at, room.at,
    )  # fmt: skip
    y.check()
    room.check()
    assert (y.values[:, :, across * filters :] == -5.5).all()
    found = y.values[:, :, : across * filters].reshape(n, down, across, filters)
    m = np.einsum("npqabc,abcf->npqabf", sizes_of_tiles(x, kind), np.abs(u), optimize=True)
    sizes = np.einsum("ia,npqabf,jb->npiqjf", np.abs(at), m, np.abs(at), optimize=True)
    rows, columns = m.shape[1] * outputs, m.shape[2] * outputs
    sizes = sizes.reshape(n, rows, columns, filters)[:, :down, :across] + np.abs(bias)
    exact = nn_conv.conv2d(images.astype(float), weight.astype(float), bias.astype(float), (1, 1), (0, 0, 0, 0))
    # U once, the transform of d by rows and columns, the channels, that of m, the bias
    check_sum(found, exact, sizes, 1 + 2 * terms(bt) + channels + 2 * terms(at) + 1)


@settings(max_examples=80)
@given(KIND, IMAGES, SIDE, SIDE, CHANNELS, CHANNELS, st.integers(0, 2**32 - 1))
@example((4, 3), 2, 28, 28, 32, 32, 0)
@example((4, 3), 3, 7, 7, 64, 128, 0)
@example((2, 5), 2, 12, 12, 20, 40, 0)
def test_gradient_of_the_weights(
    kernels: Any, guarded: Any, kind: tuple[int, int], n: int, down: int, across: int, channels: int, filters: int, seed: int
) -> None:
    """Of some images, and then of some more; dy lies in zeros, x in any numbers."""
    (outputs, taps), rng = kind, np.random.default_rng(seed)
    g, bt, at = matrices(kind)
    size = outputs + taps - 1
    images = rng.standard_normal((2, n, down + taps - 1, across + taps - 1, channels)).astype(np.float32)
    dys = rng.standard_normal((2, n, down, across, filters)).astype(np.float32)
    zeros = guarded(np.zeros(filters, np.float32), fence=np.nan)
    products = guarded(np.full((size**2, channels, filters), np.nan, np.float32))
    room = guarded(np.full(winograd_floats(size**2, gradient_tiles(channels, filters), channels), np.nan, np.float32))
    sizes, wanted = np.zeros((taps, taps, channels, filters)), np.zeros((taps, taps, channels, filters))
    for inside, values, mode in zip(images, dys, (SET, ADD), strict=True):
        x = framed(rng, inside, down, across, kind)
        dy = np.zeros((n, *(-(-side // outputs) * outputs for side in (down, across)), filters), np.float32)
        dy[:, :down, :across] = values
        held, spaced = guarded(x, fence=np.nan), guarded(dy, fence=np.nan)
        kernels["glassnet_winograd_gradient"](
            outputs, taps, n, held.at, x[0].size, x[0, 0].size, channels, spaced.at, dy[0].size, dy[0, 0].size, filters,
            products.at, down, across, mode, zeros.at, room.at,
        )  # fmt: skip
        products.check()
        room.check()
        spread = np.einsum("ai,npqabf,bj->npqijf", np.abs(at), tiles_of(np.abs(dy), outputs, outputs), np.abs(at))
        m = np.einsum("npqijc,npqijf->ijcf", sizes_of_tiles(x, kind), spread, optimize=True)
        sizes += np.einsum("ik,ijcf,jl->klcf", np.abs(g), m, np.abs(g), optimize=True)
        none = np.zeros((taps, taps, channels, filters))
        wanted += nn_conv.conv2d_backward(values.astype(float), inside.astype(float), none, (1, 1), (0, 0, 0, 0))[1]
    found = guarded(np.full((taps, taps, channels, filters), np.nan, np.float32))
    kernels["glassnet_gather_weights"](outputs, taps, products.at, channels, filters, found.at)
    found.check()
    tiles = n * -(-down // outputs) * -(-across // outputs)
    # The transforms of d and of dy, all tiles and what was there, the last transform with its rounded factors
    roundings = 2 * terms(bt) + 2 * terms(at.T) + tiles + 1 + 2 * (terms(g.T) + 1)
    check_sum(found.values, wanted, sizes, roundings)


@settings(max_examples=30)
@given(KIND, CHANNELS, CHANNELS, st.integers(0, 2**32 - 1))
def test_transform_of_the_weights(
    kernels: Any, guarded: Any, kind: tuple[int, int], channels: int, filters: int, seed: int
) -> None:
    (outputs, taps), g = kind, matrices(kind)[0]
    weight = np.random.default_rng(seed).standard_normal((taps, taps, channels, filters)).astype(np.float32)
    held, size = guarded(weight, fence=np.nan), (outputs + taps - 1) ** 2 * channels * filters
    u = guarded(np.full(size, np.nan, np.float32))
    cut = channels // 2
    for low, high in ((0, cut), (cut, channels)):
        kernels["glassnet_transform_weights"](outputs, taps, held.at, channels, filters, u.at, low, high)
    u.check()

    def exact(g: Array, weight: Array) -> Array:
        return in_panels(np.einsum("ik,klcf,jl->ijcf", g, weight.astype(float), g).reshape(-1, channels, filters))

    check_sum(u.values, exact(g, weight), exact(np.abs(g), np.abs(weight)), 2 * (terms(g) + 1))


@pytest.mark.parametrize(
    ("conv", "given_shape", "made", "chosen"),
    [
        (Conv2D(32, 3, padding="same"), (28, 28, 32), (28, 28, 32), 4),
        (Conv2D(128, 3, padding="same"), (7, 7, 64), (7, 7, 128), 4),
        (Conv2D(32, 3), (29, 29, 32), (27, 27, 32), 4),
        (Conv2D(64, 3, padding="same"), (2, 2, 64), (2, 2, 64), 2),  # most of a tile of 4 × 4 would lie outside
        (Conv2D(32, 3, padding="same"), (28, 28, 1), (28, 28, 32), 0),  # the transforms cost more than they save
        (Conv2D(32, 5, padding="same"), (28, 28, 32), (28, 28, 32), 2),
        (Conv2D(32, (3, 5), padding="same"), (28, 28, 32), (28, 28, 32), 0),
        (Conv2D(32, 3, strides=2, padding="same"), (28, 28, 32), (14, 14, 32), 0),
    ],
)
def test_where_it_is_chosen(conv: Conv2D, given_shape: tuple[int, ...], made: tuple[int, ...], chosen: int) -> None:
    assert winograd_outputs(conv, given_shape, made) == chosen
    assert gradient_outputs(conv, given_shape, made, 16) == chosen


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strides", [1, 2])
def test_a_network_with_it(kind: tuple[int, int], strides: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward, dx and dW of several images at a time, where the costs leave no other choice."""
    costs = dict.fromkeys(KEYS, Cost(1e9, 0.0, 0.0))
    costs |= {key(direction, *kind): Cost(1.0, 1.0, 1.0) for direction in ("convolve", "gradient")}
    monkeypatch.setattr(algorithms, "costs_of_machine", lambda: (costs, None))
    rng, window = np.random.default_rng(0), {"padding": "same", "initializer": "HeNormal"}
    layers = [
        gn.Conv2D(5, 3, **window), gn.Conv2D(LANES + 3, kind[1], **window), gn.ReLU(),
        gn.Conv2D(6, kind[1], strides=strides, **window), gn.BatchNorm(), gn.Conv2D(7, kind[1]), gn.Flatten(), gn.Dense(3),
    ]  # fmt: skip
    net = gn.Network(layers, loss=gn.SoftmaxCrossEntropy(), input_shape=(12, 11, 4), seed=1)
    images, labels = rng.random((21, 12, 11, 4)).astype(np.float32), rng.integers(0, 3, 21)
    exact = net.astype("float64")
    np.testing.assert_allclose(net(images), exact(images), rtol=0, atol=2e-5)
    for network in (net, exact):
        network.fit((images, labels), epochs=1, batch_size=20, optimizer=gn.SGD(0.1), seed=1)
    np.testing.assert_allclose(net.parameters, exact.parameters, rtol=0, atol=1e-4)
