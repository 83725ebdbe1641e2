"""Products in int8 against NumPy's integers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

import glassnet as gn
from glassnet.compiler import Range, assemble
from glassnet.kernels import opcodes as op
from glassnet.kernels.codegen import quads
from glassnet.kernels.codegen.simd import Emitter, emitted
from glassnet.kernels.sizes import HALF, LANES
from glassnet.runtime import Executor

Array = np.ndarray[Any, Any]
F = np.float32


@pytest.fixture(autouse=True, scope="module")
def everywhere() -> Iterator[None]:
    """int8 for layers of any size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glassnet.compiler.dense.prefers_int8", lambda *_: True)
        patch.setattr("glassnet.compiler.conv.prefers_quads", lambda *_: True)
        yield


def answers(net: gn.Network, images: Array, found: Range, threads: int) -> Array:
    """The raw outputs of a network whose first layer with weights runs in int8, its inputs in the range `found`."""
    rows, is_bytes = net.rows(images), images.dtype == np.uint8
    place = next(place for place, layer in enumerate(net.layers) if layer.parameters)
    program = assemble(net, len(rows), is_bytes=is_bytes, purpose="raw", ranges={place: found})
    assert op.QUAD_WEIGHTS in program.code[:, 0]
    executor, outputs = Executor(net, program, threads), np.full((len(rows), net.outputs), np.nan, F)
    executor.bind(images=rows, outputs=outputs, classes=np.empty(len(rows), np.int64), order=np.arange(len(rows)))
    executor.set(is_bytes=int(is_bytes), batch_size=len(rows), images_in_order=len(rows))
    executor.run(0, 1)
    executor.close()
    return outputs


def in_bytes(x: Array, found: Range) -> tuple[Array, float, int]:
    """What x is rounded to, as integers; scale and zero."""
    low, high = min(found[0], 0.0), max(found[1], 0.0)
    scale = (high - low) / 255 or 1.0
    zero = round(-low / scale)
    return np.clip(np.rint(x) + zero, 0, 255).astype(np.int64), scale, zero


def weight_bytes(weight: Array) -> tuple[Array, Array]:
    """Weights (…, columns) as integers, and the size of one of them in each column."""
    largest = np.abs(weight).max(axis=tuple(range(weight.ndim - 1)))
    steps = np.divide(F(127), largest, out=np.zeros_like(largest), where=largest > 0)
    return np.rint(weight * steps).astype(np.int64), largest / F(127)


def check(found: Array, sums: Array, scale: float, steps: Array, bias: Array) -> None:
    """These sums, times a factor, plus the bias: the product may be rounded, and the sum is; all else is exact."""
    products = sums * (F(scale) * steps).astype(np.float64)
    errors = np.abs(found - (products + bias).reshape(found.shape))
    assert (errors <= 2.0**-24 * (np.abs(products) + np.abs(products + bias)).reshape(found.shape) * 1.0001).all()


def random_network(layers: list[Any], shape: tuple[int, ...], seed: int) -> gn.Network:
    net = gn.Network(layers, input_shape=shape, loss="SoftmaxCrossEntropy", seed=seed)
    net.parameters = np.random.default_rng(seed).standard_normal(len(net.flat)).astype(F)
    return net


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 70), st.integers(1, 300), st.integers(1, 70), st.booleans(), st.floats(-3, 3), st.integers(0, 99))
@example(70, 300, 70, True, 0.0, 1)
@example(1, 1, 1, False, -3.0, 1)
@example(1, 3, 33, True, 3.0, 1)
@example(15, 257, 65, False, 1.5, 1)
def test_dense(images: int, inputs: int, outputs: int, is_bytes: bool, centre: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = random_network([gn.Pixels(), gn.Dense(outputs)], (inputs,), seed)
    weight, bias = (net.layers[1].parameters[name] for name in ("weight", "bias"))
    weight[:, 0] = 0
    if is_bytes:
        x: Array = rng.integers(0, 256, (images, inputs)).astype(np.uint8)
        found = 0.0, 1.0
        bytes_of_x, scale, zero = in_bytes(x.astype(F) * F((1 / 255) / (1 / 255)), found)
        np.testing.assert_array_equal(bytes_of_x, x)  # exact
    else:
        x = (centre + rng.standard_normal((images, inputs))).astype(F)
        x[0, 0] = -1  # all of them above 0 would be pixels beyond 1
        found = centre - 1.5, centre + 1.5  # not all of them: others are clipped
        _, scale, zero = in_bytes(x, found)
        bytes_of_x, scale, zero = in_bytes(x * F(1 / scale), found)
    W, steps = weight_bytes(weight)
    y = answers(net, x, found, 1)
    check(y, (bytes_of_x - zero) @ W, scale, steps, bias)
    np.testing.assert_array_equal(answers(net, x, found, 3), y)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(1, 3), st.integers(5, 13), st.integers(1, 9), st.integers(1, 40), st.sampled_from([1, 2, 3, 5]),
    st.integers(1, 2), st.booleans(), st.booleans(), st.integers(0, 99),
)  # fmt: skip
@example(2, 13, 4, 33, 3, 1, True, False, 1)
@example(2, 7, 3, 5, 1, 1, False, True, 1)
def test_convolutions(
    images: int, size: int, channels: int, filters: int, kernel: int, stride: int, same: bool, is_bytes: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    conv = gn.Conv2D(filters, kernel, strides=stride, padding="same" if same else "valid")
    net = random_network([gn.Pixels(), conv, gn.Flatten()], (size, size, channels), seed)
    weight, bias = (net.layers[1].parameters[name] for name in ("weight", "bias"))
    if is_bytes:
        x: Array = rng.integers(0, 256, (images, size, size, channels)).astype(np.uint8)
        found = 0.0, 1.0
        bytes_of_x, scale, zero = in_bytes(x.astype(F), found)
    else:
        x = rng.standard_normal((images, size, size, channels)).astype(F)
        found = -2.0, 1.0
        _, scale, zero = in_bytes(x, found)
        bytes_of_x, scale, zero = in_bytes(x * F(1 / scale), found)
    W, steps = weight_bytes(weight)
    top, bottom, left, right = net.layers[1].margins((size, size, channels))  # type: ignore[attr-defined]
    padded = np.pad(bytes_of_x - zero, ((0, 0), (top, bottom), (left, right), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(1, 2))[:, ::stride, ::stride]
    y = answers(net, x, found, 1)
    check(y, np.einsum("nijcyx,yxcf->nijf", windows, W), scale, steps, bias)
    np.testing.assert_array_equal(answers(net, x, found, 2), y)


def test_weights_that_are_not_finite_stay_so() -> None:
    net = random_network([gn.Dense(5)], (9,), 1)
    net.layers[0].parameters["weight"][3, 2], net.layers[0].parameters["weight"][8, 4] = np.nan, np.inf
    found = answers(net, np.ones((4, 9), F), (0.0, 1.0), 1)
    np.testing.assert_array_equal(np.isfinite(found), [[True, True, False, True, False]] * 4)


@pytest.mark.parametrize("lanes", [LANES, HALF])
@pytest.mark.parametrize("native", [quads.HAS_INT8, False])
def test_emulated_sums_are_those_of_the_instruction(monkeypatch: pytest.MonkeyPatch, lanes: int, native: bool) -> None:
    monkeypatch.setattr(quads, "HAS_INT8", native)

    @emitted()
    def add(emit, a, b, total):  # type: ignore[no-untyped-def]
        few = Emitter(emit.builder, lanes)
        few.store(quads.add_quads(few, few.load(a), few.load(b), few.load(total)), total)

    @numba.njit
    def run(a, b, total):  # type: ignore[no-untyped-def]
        add(a, b, total)

    rng = np.random.default_rng(1)
    for low, high in ((-127, 128), (-127, -126), (127, 128)):
        a, b = rng.integers(0, 256, (lanes, 4)).astype(np.uint8), rng.integers(low, high, (lanes, 4)).astype(np.int8)
        a[0] = 255
        start = rng.integers(-(1 << 30), 1 << 30, lanes).astype(np.int32)
        total = start.copy()
        run(a.ctypes.data, b.ctypes.data, total.ctypes.data)
        np.testing.assert_array_equal(total, start + (a.astype(np.int32) * b).sum(axis=1))
