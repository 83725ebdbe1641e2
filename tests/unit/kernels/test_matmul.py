"""The two matrix products against NumPy in float64: shapes, bytes and floats, ink and blank paper, threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from glassnet.kernels.matmul import tile
from glassnet.kernels.matmul.gemm import IN_PANELS, IN_ROWS, TRANSPOSED, _depth
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.sizes import (
    COLUMN_DEPTH,
    COLUMNS,
    DEPTH,
    DIRECT,
    DIRECT_WEIGHTS,
    LANES,
    NEAR,
    NEAR_TILES,
    ROWS,
    WIDE,
    WIDE_DEPTH,
    WIDE_STRIP,
    WIDE_TILES,
)
from tests.rounding import check_sum

Array = np.ndarray[Any, Any]
PRIMES = [2, 3, 5, 7, 13, 17, 31, 61, 67]
EDGES = [1, ROWS - 1, ROWS, ROWS + 1, COLUMNS - 1, COLUMNS, COLUMNS + 1, 4 * ROWS, 4 * ROWS + 1]
SIDE = st.one_of(st.sampled_from(PRIMES + EDGES), st.integers(1, 70))
WIDTH = st.one_of(SIDE, st.sampled_from([WIDE, WIDE + 1, WIDE_STRIP + COLUMNS + 1, 2 * WIDE_STRIP - 1]))
LONG = st.one_of(SIDE, st.sampled_from([DEPTH - 1, DEPTH, DEPTH + 1, DEPTH + 37, 2 * DEPTH + 3]))


@dataclass(frozen=True)
class Product:
    """One product: x (m of `images` in an order, from place `first` on; `inner` numbers each) and B of `width` columns."""

    m: int
    inner: int
    width: int
    is_bytes: bool
    ink: float
    first: int
    threads: int
    seed: int

    @property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)


PRODUCTS = st.builds(
    Product,
    m=SIDE,
    inner=LONG,
    width=WIDTH,
    is_bytes=st.booleans(),
    ink=st.sampled_from([0.0, 0.02, 0.2, 1.0]),
    first=st.integers(0, 5),
    threads=st.integers(2, 3),
    seed=st.integers(0, 2**32 - 1),
)
# Blocks of the inner dimension are shorter where B is wide, and images are many: columns walk over m.
SWAPPED = st.builds(lambda p, m: Product(**{**p.__dict__, "m": m, "inner": min(p.inner, 200)}), PRODUCTS, LONG)


def images(case: Product) -> tuple[Array, Array, Array, float]:
    """The source, the order of its rows, the m chosen rows scaled in float64, and the scale."""
    rng, count = case.rng, case.m + case.first + 3
    shown = rng.random((count, case.inner)) < case.ink
    if case.is_bytes:
        source, scale = (rng.integers(1, 256, shown.shape) * shown).astype(np.uint8), 1 / 255
    else:
        source, scale = (rng.standard_normal(shown.shape) * shown).astype(np.float32), 1.0
    order = rng.permutation(count).astype(np.int64)
    chosen = source[order[case.first : case.first + case.m]].astype(np.float64)
    return np.ascontiguousarray(source), order, chosen * np.float64(np.float32(scale)), scale


def in_panels(b: Array) -> Array:
    """B as blocks of columns, so many rows at a time; NaN behind its last column."""
    inner, width = b.shape
    padded = np.pad(b, ((0, 0), (0, -width % COLUMNS)), constant_values=np.nan)
    depth = _depth.py_func(width)
    parts = (padded[k : k + depth].reshape(-1, padded.shape[1] // COLUMNS, COLUMNS) for k in range(0, inner, depth))
    return np.concatenate([part.transpose(1, 0, 2).ravel() for part in parts])


@settings(max_examples=180)
@given(PRODUCTS, st.booleans(), st.sampled_from([IN_ROWS, TRANSPOSED, IN_PANELS]))
@example(Product(10, 784, 30, True, 0.2, 0, 2, 1), True, IN_ROWS)
@example(Product(1, 1, 1, False, 1.0, 0, 3, 1), False, TRANSPOSED)
@example(Product(100, 1500, 256, True, 0.02, 5, 3, 1), True, IN_ROWS)
@example(Product(ROWS * WIDE_TILES, 2 * WIDE_DEPTH + 3, 2 * WIDE_STRIP + 1, False, 1.0, 0, 2, 1), True, IN_ROWS)
@example(Product(ROWS * WIDE_TILES, 2 * WIDE_DEPTH + 3, 2 * WIDE_STRIP + 1, False, 1.0, 0, 3, 1), True, TRANSPOSED)
@example(Product(ROWS * NEAR_TILES, WIDE_DEPTH + 3, NEAR, False, 1.0, 0, 3, 1), True, IN_ROWS)
@example(Product(ROWS * NEAR_TILES, WIDE_DEPTH + 3, NEAR - 1, False, 1.0, 0, 3, 1), True, IN_ROWS)
@example(Product(ROWS * WIDE_TILES, WIDE_DEPTH + 3, NEAR + 1, False, 1.0, 0, 3, 1), True, IN_ROWS)
@example(Product(ROWS * NEAR_TILES, WIDE_DEPTH + 3, WIDE + 1, False, 1.0, 0, 3, 1), True, IN_PANELS)
@example(Product(1, 2 * WIDE_DEPTH + 3, 2 * WIDE_STRIP + 1, True, 0.2, 0, 2, 1), True, IN_PANELS)
def test_rows(kernels: Any, guarded: Any, scratch: Any, case: Product, with_bias: bool, layout: int) -> None:
    source, order, x, scale = images(case)
    rng = case.rng
    factor = rng.standard_normal((case.inner, case.width)).astype(np.float32)
    b = guarded({IN_ROWS: factor, TRANSPOSED: factor.T, IN_PANELS: in_panels(factor)}[layout], fence=np.nan)
    bias = guarded((rng.standard_normal(case.width) * with_bias).astype(np.float32), fence=np.nan)
    results = []
    for threads in (1, case.threads):
        c = guarded(np.full((case.m, case.width), np.nan, dtype=np.float32))
        for thread in range(threads):
            room = scratch()
            kernels["glassnet_multiply_rows"](
                source.ctypes.data, int(case.is_bytes), case.inner, scale, order.ctypes.data, case.first,
                case.m, case.inner, 0, b.at, layout, case.width, bias.at, c.at, SET, room.ctypes.data, thread, threads,
            )  # fmt: skip
        c.check()
        results.append(c.values.copy())
    np.testing.assert_array_equal(results[0], results[1])
    factor = factor.astype(np.float64)
    wanted, sizes = x @ factor, np.abs(x) @ np.abs(factor)
    # scaling; one product and sum a term, in blocks that are added to C; the bias
    check_sum(results[0], wanted + bias.values, sizes + np.abs(bias.values), case.inner + 2)


@settings(max_examples=60)
@given(PRODUCTS, st.sampled_from([SET, ADD]), st.sampled_from([IN_ROWS, TRANSPOSED, IN_PANELS]))
@example(Product(ROWS + 1, DIRECT, COLUMNS, False, 0.2, 3, 2, 1), SET, IN_ROWS)
@example(Product(2 * ROWS + 1, DIRECT_WEIGHTS // (2 * COLUMNS), 2 * COLUMNS, False, 0.2, 3, 2, 1), ADD, TRANSPOSED)
@example(Product(ROWS + 1, DIRECT, COLUMNS - 1, False, 0.2, 3, 2, 1), ADD, TRANSPOSED)
@example(Product(2 * ROWS, LANES, 2 * WIDE_STRIP + 1, False, 1.0, 0, 3, 1), SET, TRANSPOSED)
@example(Product(2 * ROWS, LANES, 2 * WIDE_STRIP + 1, False, 1.0, 0, 3, 1), ADD, IN_PANELS)
@example(Product(1, LANES, COLUMNS, False, 1.0, 2, 3, 1), SET, IN_ROWS)
def test_rows_in_place(kernels: Any, guarded: Any, scratch: Any, case: Product, mode: int, layout: int) -> None:
    """Activations that are read where they lie give the bits that packed ones give."""
    shape = case.first + case.m, case.inner
    x = guarded((case.rng.standard_normal(shape) * (case.rng.random(shape) < case.ink)).astype(np.float32), fence=np.nan)
    factor = case.rng.standard_normal((case.inner, case.width)).astype(np.float32)
    b = guarded({IN_ROWS: factor, TRANSPOSED: factor.T, IN_PANELS: in_panels(factor)}[layout], fence=np.nan)
    bias, order, room = guarded(np.ones(case.width, np.float32), fence=np.nan), np.arange(len(x.values)), scratch()
    results = []
    for in_place in (0, 1):
        c = guarded(np.ones((case.m, case.width), dtype=np.float32))
        for thread in range(case.threads):
            kernels["glassnet_multiply_rows"](
                x.at, 0, case.inner, 1.0, order.ctypes.data, case.first, case.m, case.inner, in_place, b.at, layout,
                case.width, bias.at, c.at, mode, room.ctypes.data, thread, case.threads,
            )  # fmt: skip
        c.check()
        results.append(c.values.copy())
    np.testing.assert_array_equal(results[0], results[1])


@settings(max_examples=60)
@given(PRODUCTS)
@example(Product(3, 784, 512, True, 0.2, 0, 2, 1))
@example(Product(WIDE_TILES * ROWS, 2 * WIDE_DEPTH + 3, 2 * WIDE_STRIP + 1, False, 0.2, 1, 3, 1))
def test_a_row_alone_has_the_bits_it_has_among_others(kernels: Any, guarded: Any, scratch: Any, case: Product) -> None:
    """A matrix-vector product, on one thread and on several, beside the register tile."""
    source, order, _, scale = images(case)
    b = guarded(case.rng.standard_normal((case.inner, case.width)).astype(np.float32), fence=np.nan)
    bias = guarded(case.rng.standard_normal(case.width).astype(np.float32), fence=np.nan)

    def product(first: int, m: int, threads: int) -> Array:
        c = guarded(np.full((m, case.width), np.nan, dtype=np.float32))
        for thread in range(threads):
            room = scratch()
            kernels["glassnet_multiply_rows"](
                source.ctypes.data, int(case.is_bytes), case.inner, scale, order.ctypes.data, first, m, case.inner, 0, b.at,
                IN_ROWS, case.width, bias.at, c.at, SET, room.ctypes.data, thread, threads,
            )  # fmt: skip
        c.check()
        return np.array(c.values)

    together = product(case.first, case.m, 1)
    for row in {0, case.m // 2, case.m - 1}:
        for threads in (1, case.threads):
            np.testing.assert_array_equal(product(case.first + row, 1, threads), together[row : row + 1])


@settings(max_examples=120)
@given(st.one_of(PRODUCTS, SWAPPED), st.sampled_from([SET, ADD]), st.sampled_from([1.0, -0.3, 2.5e-4]))
@example(Product(10, 784, 30, True, 0.2, 0, 2, 1), ADD, -0.3)
@example(Product(1, 1, 1, False, 1.0, 0, 3, 1), SET, 1.0)
@example(Product(1, 4 * ROWS * 3, 5, False, 0.0, 0, 3, 1), SET, 1.0)
@example(Product(1500, 100, 256, True, 0.02, 5, 3, 1), SET, 1.0)
@example(Product(WIDE_DEPTH + 3, ROWS * WIDE_TILES * 3, 2 * WIDE_STRIP + 1, False, 1.0, 0, 3, 1), ADD, -0.3)
@example(Product(tile.LONG, ROWS * WIDE_TILES * 3 + 1, 2 * WIDE_STRIP + 1, False, 1.0, 0, 3, 1), ADD, -0.3)
@example(Product(tile.LONG + 1, ROWS * WIDE_TILES * 3 + 1, 2 * WIDE_STRIP + 1, False, 1.0, 0, 3, 1), ADD, -0.3)
def test_columns(kernels: Any, guarded: Any, scratch: Any, case: Product, mode: int, alpha: float) -> None:
    source, order, x, scale = images(case)
    rng, alpha = case.rng, 1.0 if mode == SET else alpha
    b = guarded(rng.standard_normal((case.m, case.width)).astype(np.float32), fence=np.nan)
    start = rng.standard_normal((case.inner, case.width)).astype(np.float32)
    zeros = guarded(np.zeros(case.width, dtype=np.float32), fence=np.nan)
    results = []
    for threads in (1, case.threads):
        c = guarded(start if mode == ADD else np.full_like(start, np.nan))
        for thread in range(threads):
            room = scratch()
            kernels["glassnet_multiply_columns"](
                source.ctypes.data, int(case.is_bytes), case.inner, scale, order.ctypes.data, case.first,
                case.m, case.inner, b.at, case.width, zeros.at, c.at, 0, mode, alpha, room.ctypes.data, thread, threads,
            )  # fmt: skip
        c.check()
        results.append(c.values.copy())
    np.testing.assert_array_equal(results[0], results[1])
    factor, kept = np.float64(np.float32(alpha)), start if mode == ADD else np.zeros_like(start)
    wanted, sizes = factor * (x.T @ b.values), abs(factor) * (np.abs(x.T) @ np.abs(b.values.astype(np.float64)))
    # scaling, the product with alpha, the sum with what was there; one product and sum a term
    check_sum(results[0], kept + wanted, sizes + np.abs(kept), case.m + 3)


@settings(max_examples=40)
@given(SWAPPED, st.sampled_from([SET, ADD]))
@example(Product(3, DIRECT, WIDE, False, 0.2, 0, 3, 1), ADD)
@example(Product(COLUMN_DEPTH + 1, DIRECT + 1, 10, False, 0.2, 0, 2, 1), SET)
def test_columns_in_place(kernels: Any, guarded: Any, scratch: Any, case: Product, mode: int) -> None:
    """Activations that are read where they lie give the bits that packed ones give."""
    shown, order = case.rng.random((case.m, case.inner)) < case.ink, np.arange(case.m)
    x = guarded((case.rng.standard_normal(shown.shape) * shown).astype(np.float32), fence=np.nan)
    b = guarded(case.rng.standard_normal((case.m, case.width)).astype(np.float32), fence=np.nan)
    zeros, room, results = guarded(np.zeros(case.width, dtype=np.float32)), scratch(), []
    for in_place in (0, 1):
        c = guarded(np.ones((case.inner, case.width), dtype=np.float32))
        for thread in range(case.threads):
            kernels["glassnet_multiply_columns"](
                x.at, 0, case.inner, 1.0, order.ctypes.data, 0, case.m, case.inner, b.at, case.width, zeros.at, c.at,
                in_place, mode, -0.5, room.ctypes.data, thread, case.threads,
            )  # fmt: skip
        c.check()
        results.append(c.values.copy())
    np.testing.assert_array_equal(results[0], results[1])


@pytest.mark.parametrize("is_bytes", [False, True])
def test_what_is_read_beyond_the_source_is_not_used(kernels: Any, guarded: Any, scratch: Any, is_bytes: bool) -> None:
    """The source is a view inside NaNs (or 255s): neither may reach the result."""
    m, inner, width = 5, 67, 9
    rng = np.random.default_rng(1)
    around = np.full((m + 2, inner), 255 if is_bytes else np.nan, dtype=np.uint8 if is_bytes else np.float32)
    source = around[1:-1]
    source[...] = rng.integers(0, 3, source.shape)
    b = guarded(rng.standard_normal((inner, width)).astype(np.float32))
    dy = guarded(rng.standard_normal((m, width)).astype(np.float32))
    zeros, order, room = guarded(np.zeros(width, np.float32)), np.arange(m), scratch()
    y, dw = guarded(np.zeros((m, width), np.float32)), guarded(np.zeros((inner, width), np.float32))
    common = (source.ctypes.data, int(is_bytes), inner, 1.0, order.ctypes.data, 0, m, inner)
    kernels["glassnet_multiply_rows"](*common, 0, b.at, 0, width, zeros.at, y.at, SET, room.ctypes.data, 0, 1)
    kernels["glassnet_multiply_columns"](*common, dy.at, width, zeros.at, dw.at, 0, SET, 1.0, room.ctypes.data, 0, 1)
    x = source.astype(float)
    check_sum(y.values, x @ b.values, np.abs(x) @ np.abs(b.values), inner + 2)
    check_sum(dw.values, x.T @ dy.values, np.abs(x.T) @ np.abs(dy.values), m + 3)
