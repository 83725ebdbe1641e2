"""Convolution of one image, the gradient of its weights, and that of the image, against NumPy in float64."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

import glassnet as gn
from glassnet.compiler import geometry
from glassnet.kernels.conv.direct import BAND
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.records import Block
from glassnet.kernels.sizes import COLUMNS, GRADIENT_PIXELS, HALF, LANES, ROWS, SPAN, TAP_FLOATS
from glassnet.nn import conv
from glassnet.nn.windows import windows
from tests.rounding import check_sum

Array = np.ndarray[Any, Any]
CHANNELS = st.sampled_from([1, 2, 3, 5, 8, LANES, LANES + 1, 31])
EDGES = (HALF, LANES, LANES + HALF, COLUMNS, COLUMNS + LANES, 2 * COLUMNS)
FILTERS = st.one_of(st.sampled_from([max(1, n + d) for n in EDGES for d in (-1, 0, 1)]), st.integers(1, 9))
PLACES = st.one_of(st.sampled_from([1, ROWS - 1, ROWS, ROWS + 1, 2 * ROWS + 1]), st.integers(1, 8))


@dataclass(frozen=True)
class Window:
    """An image in its frame of zeros, the windows over it, and how far apart things lie beyond what they fill."""

    down: int  # places of the window below each other
    across: int
    height: int  # of the window
    width: int
    strides: tuple[int, int]
    beside: tuple[int, int]  # rows and columns of the image that no window meets
    channels: int
    filters: int
    gap: int
    seed: int

    @property
    def image(self) -> tuple[int, int]:
        """Rows and columns."""
        (sy, sx), (by, bx) = self.strides, self.beside
        return (self.down - 1) * sy + self.height + by, (self.across - 1) * sx + self.width + bx

    def arrays(self) -> tuple[Array, Array, Array, Array]:
        """x, W, b and dy, in float32."""
        rng, size = np.random.default_rng(self.seed), (self.height, self.width, self.channels, self.filters)
        shapes = ((*self.image, self.channels), size, (self.filters,), (self.down, self.across, self.filters))
        x, weight, bias, dy = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
        return x, weight, bias, dy


STRIDE = st.integers(1, 3)
WINDOWS = st.builds(
    Window,
    down=st.integers(1, 6),
    across=PLACES,
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    strides=st.tuples(STRIDE, STRIDE),
    beside=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    channels=CHANNELS,
    filters=FILTERS,
    gap=st.sampled_from([0, 1, 5, BAND // 3]),
    seed=st.integers(0, 2**32 - 1),
)
NIELSEN = (Window(24, 24, 5, 5, (1, 1), (0, 0), 1, 20, 0, 1), Window(8, 8, 5, 5, (1, 1), (0, 0), 20, 40, 0, 1))
POINT, LINE = Window(1, 1, 1, 1, (1, 1), (0, 0), 1, 1, 0, 1), Window(1, 67, 1, 3, (1, 1), (0, 0), 2, 33, 3, 1)


def spaced(lines: Array, gap: int, fill: float) -> Array:
    """The lines with `gap` floats of `fill` behind each."""
    flat = lines.reshape(len(lines), -1)
    return np.concatenate([flat, np.full((len(flat), gap), fill, flat.dtype)], axis=1)


def exactly(x: Array, weight: Array, dy: Array, case: Window) -> tuple[Array, Array]:
    """y (without bias) and dW, in float64."""
    down, across = case.down, case.across
    views = windows(x[None].astype(np.float64), weight.shape[:2], case.strides)[0, :down, :across]
    return np.einsum("pqcij,ijcf->pqf", views, weight.astype(np.float64)), np.einsum(
        "pqcij,pqf->ijcf", views, dy.astype(np.float64)
    )


@settings(max_examples=100)
@given(WINDOWS)
@example(NIELSEN[0])
@example(NIELSEN[1])
@example(POINT)
@example(LINE)
def test_forward(kernels: Any, guarded: Any, case: Window) -> None:
    x, weight, bias, dy = case.arrays()
    held = guarded(spaced(x, case.gap, np.nan), fence=np.nan)
    w, b = guarded(weight, fence=np.nan), guarded(bias, fence=np.nan)
    y = guarded(np.full((case.down, case.across * case.filters + case.gap), -5.5, np.float32))
    kernels["glassnet_convolve"](
        held.at, held.values.shape[1], case.strides[1] * case.channels, case.strides[0], case.height,
        case.width * case.channels, w.at, case.filters, b.at, y.at, y.values.shape[1], case.down, case.across,
    )  # fmt: skip
    y.check()
    line = case.across * case.filters
    assert (y.values[:, line:] == -5.5).all()  # what lies behind the lines
    wanted, sizes = exactly(x, weight, dy, case)[0] + bias, exactly(np.abs(x), np.abs(weight), dy, case)[0] + np.abs(bias)
    check_sum(y.values[:, :line].reshape(dy.shape), wanted, sizes, weight[..., 0].size + 1)  # the taps, then the bias


@settings(max_examples=100)
@given(WINDOWS, st.sampled_from([SET, ADD]), st.integers(1, 3))
@example(NIELSEN[0], SET, 1)
@example(NIELSEN[1], ADD, 1)
@example(POINT, SET, 1)
@example(LINE, ADD, 2)
@example(Window(9, 20, 2, 2, (2, 1), (0, 0), 3, 5, BAND // 4, 1), SET, 1)  # several bands of rows
def test_gradient_of_the_weights(kernels: Any, guarded: Any, case: Window, mode: int, apart: int) -> None:
    """`apart`: the pixels of dy lie as far apart as for a stride."""
    x, weight, _, dy = case.arrays()
    held, zeros = guarded(spaced(x, case.gap, np.nan), fence=np.nan), guarded(np.zeros(case.filters, np.float32), np.nan)
    framed = np.full((case.down, case.across, apart, case.filters), np.nan, np.float32)
    framed[:, :, 0] = dy
    given_dy = guarded(spaced(framed, case.gap, np.nan), fence=np.nan)
    start = weight if mode == ADD else np.full_like(weight, np.nan)
    dw = guarded(start)
    kernels["glassnet_convolve_weights"](
        held.at, held.values.shape[1], case.strides[1] * case.channels, case.strides[0], case.height,
        case.width * case.channels, given_dy.at, given_dy.values.shape[1], apart * case.filters, case.filters, dw.at,
        case.down, case.across, mode, zeros.at,
    )  # fmt: skip
    dw.check()
    before = weight if mode == ADD else np.zeros_like(weight)
    wanted, sizes = exactly(x, weight, dy, case)[1], exactly(np.abs(x), weight, np.abs(dy), case)[1]
    check_sum(dw.values, before + wanted, np.abs(before) + sizes, case.down * case.across + 1)  # pixels, then what was there


@settings(max_examples=60)
@given(WINDOWS, st.sampled_from([SET, ADD]), st.integers(1, 2), st.integers(1, 3))
@example(Window(3, GRADIENT_PIXELS // 2, 2, 2, (2, 1), (0, 0), 3, 5, 4, 1), SET, 1, 1)  # two rows at a time
def test_gradient_of_the_weights_from_panels(
    kernels: Any, guarded: Any, case: Window, mode: int, blocks: int, images: int
) -> None:
    """Of some images, with `blocks` times COLUMNS filters."""
    filters = blocks * COLUMNS
    cases = [replace(case, filters=filters, seed=case.seed + number) for number in range(images)]
    drawn = [each.arrays() for each in cases]
    x = guarded(np.concatenate([spaced(x, case.gap, np.nan) for x, *_ in drawn]), fence=np.nan)
    dy = guarded(np.concatenate([spaced(dy, case.gap, np.nan) for *_, dy in drawn]), fence=np.nan)
    weight, pixels = drawn[0][1], images * case.down * case.across
    dw = guarded(weight if mode == ADD else np.full_like(weight, np.nan))
    zeros, panels = (
        guarded(np.zeros(filters, np.float32), np.nan),
        guarded(np.full(pixels * (filters + ROWS) + SPAN, np.nan, np.float32)),
    )
    kernels["glassnet_convolve_weights_packed"](
        images, x.at, x.values.size // images, x.values.shape[1], case.strides[1] * case.channels, case.strides[0],
        case.height, case.width * case.channels, dy.at, dy.values.size // images, dy.values.shape[1], filters, filters, dw.at,
        case.down, case.across, mode, zeros.at, panels.at,
    )  # fmt: skip
    dw.check()
    panels.check()
    before = weight.astype(np.float64) if mode == ADD else np.zeros(weight.shape)
    wanted, sizes = before.copy(), np.abs(before)
    for each, (x_of, w_of, _, dy_of) in zip(cases, drawn, strict=True):
        wanted += exactly(x_of, w_of, dy_of, each)[1]
        sizes += exactly(np.abs(x_of), w_of, np.abs(dy_of), each)[1]
    check_sum(dw.values, wanted, sizes, pixels + 1)


@settings(max_examples=100)
@given(WINDOWS, st.tuples(st.integers(0, 4), st.integers(0, 4)))
@example(NIELSEN[0], (0, 0))
@example(POINT, (0, 0))
@example(LINE, (0, 1))
@example(Window(3, 20, 5, 5, (1, 2), (0, 0), TAP_FLOATS // 20 // 25 + 2, 3, 0, 1), (2, 2))  # a row at a time
def test_scattered_gradient_of_the_image(kernels: Any, guarded: Any, case: Window, corner: tuple[int, int]) -> None:
    """`corner`: rows and columns of zeros above and left, that have no gradient; below and right lie as many at most."""
    fewer = min(case.beside[0], case.strides[0] - 1), min(case.beside[1], case.strides[1] - 1)
    case = replace(case, beside=fewer)  # than another window would take
    _, weight, _, dy = case.arrays()
    rows, columns = case.image
    top, left = min(corner[0], case.height - 1), min(corner[1], case.width - 1)
    bottom, right = min(top, rows - top - 1), min(left, columns - left - 1)
    if bottom < 0 or right < 0:
        top = left = bottom = right = 0
    shape = (rows - top - bottom, columns - left - right, case.channels)
    block = np.zeros(1, Block.dtype)
    fields = {
        "height": shape[0], "width": shape[1], "channels": case.channels, "filters": case.filters,
        "kernel_height": case.height, "kernel_width": case.width, "stride_y": case.strides[0], "stride_x": case.strides[1],
        "top": top, "left": left, "out_height": case.down, "out_width": case.across,
    }  # fmt: skip
    for name, value in fields.items():
        block["conv"][name] = value
    taps = weight[..., 0].size
    turned = guarded(np.ascontiguousarray(weight.reshape(taps, case.filters).T), fence=np.nan)
    room = guarded(np.full(taps + COLUMNS + max(TAP_FLOATS, case.across * taps), np.nan, np.float32))
    room.values[: taps + COLUMNS] = 0
    dx, held = guarded(np.full(shape, np.nan, np.float32)), guarded(dy, fence=np.nan)
    kernels["glassnet_scatter_taps"](block.ctypes.data, held.at, turned.at, dx.at, room.at, 0, 0, 0)
    dx.check()
    room.check()

    def exact(dy: Array, weight: Array) -> Array:
        x, margins = np.zeros((1, *shape)), (top, bottom, left, right)
        return conv.conv2d_backward(dy[None].astype(float), x, weight.astype(float), case.strides, margins)[0][0]

    # a product over the filters; then up to one of each tap is added up
    roundings = case.filters + case.height * case.width
    check_sum(dx.values, exact(dy, weight), exact(np.abs(dy), np.abs(weight)), roundings)


def test_training_by_panels(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network whose gradients are summed from panels, which processors with low tiles have, against NumPy in float64."""
    monkeypatch.setattr(geometry, "TILES_ARE_LOW", True)
    rng, found = np.random.default_rng(0), []
    data = rng.integers(0, 256, (19, 9, 9, 3), dtype=np.uint8), rng.integers(0, 10, 19)
    layers = [
        gn.Pixels(), gn.Conv2D(64, 3, padding="same"), gn.ReLU(), gn.Conv2D(128, 3, strides=2, padding="same"), gn.ReLU(),
        gn.GlobalAveragePool2D(), gn.Dense(10),
    ]  # fmt: skip
    for dtype, threads in (("float32", 1), ("float32", 2), ("float64", 1)):
        net = gn.Network(layers, loss=gn.SoftmaxCrossEntropy(), input_shape=(9, 9, 3), seed=1).astype(dtype)
        net.fit(data, 2, batch_size=8, optimizer=gn.SGD(0.01), threads=threads, progress=False, seed=1)
        found.append(net.parameters)
    assert found[0].tobytes() == found[1].tobytes()
    np.testing.assert_allclose(found[0], found[2], rtol=0, atol=1e-6 * np.abs(found[2]).max())
