"""The kernels of a convolution, each on its own: a mini-batch forward, back to the images, and back to the weights.

As in a network, a kernel reads what has just been written into a frame of zeros, and its results go to each image's place.
Where a network would take Winograd's way, that is timed beside the direct one; the operations are those of the direct one.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from glassnet.compiler.algorithms import gradient_outputs, prefers_scatter, winograd_outputs
from glassnet.compiler.geometry import conv_shape, padded_dy
from glassnet.kernels.codegen.jit import OPTIONS
from glassnet.kernels.conv.direct import convolve, convolve_weights, scatter_taps
from glassnet.kernels.conv.winograd import gather_weights, transform_weights, winograd, winograd_gradient
from glassnet.kernels.library import library
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.records import Block
from glassnet.kernels.sizes import COLUMNS, TAP_FLOATS, WINOGRAD_TILES, aligned_zeros, gradient_tiles, winograd_floats
from glassnet.nn import Conv2D

Array = np.ndarray[Any, Any]
BATCH = 64
LEAST = 5  # passes over the mini-batch, however long they take


@dataclass(frozen=True)
class Window:
    """A convolution of square images with stride 1."""

    side: int
    channels: int
    filters: int
    size: int = 3
    padding: str = "same"

    def __str__(self) -> str:
        return f"{self.size}×{self.size} {self.channels}→{self.filters} at {self.side}×{self.side}"

    @property
    def places(self) -> int:
        """How many windows lie side by side."""
        return self.side if self.padding == "same" else self.side - self.size + 1

    @property
    def flops(self) -> float:
        """Of one pass over the mini-batch in any of the three directions; products with the frame's zeros are counted."""
        return 2.0 * BATCH * self.places**2 * self.size**2 * self.channels * self.filters


WINDOWS = (
    Window(28, 32, 32),
    Window(14, 32, 64),
    Window(14, 64, 64),
    Window(7, 64, 128),
    Window(28, 1, 32),
    Window(12, 20, 40, size=5, padding="valid"),
)


def _many_forward(n, x, line, row, height, count, w, filters, bias, y, y_line, down, across, apart):
    for i in range(n):
        convolve(x, line, row, 1, height, count, w, filters, bias, y + 4 * i * apart, y_line, down, across)


def _many_weights(n, x, line, row, height, count, dy, dy_line, filters, dw, down, across, zeros):
    for i in range(n):
        mode = SET if i == 0 else ADD
        convolve_weights(x, line, row, 1, height, count, dy, dy_line, filters, filters, dw, down, across, mode, zeros)


def _many_scattered(n, block, dy, wt, dx, room, apart):
    for i in range(n):
        scatter_taps(block, dy, wt, dx + 4 * i * apart, room, 0, 0, 0)


def _by_winograd(n, m, taps, w, x, line, channels, u, filters, zeros, y, y_line, down, across, room, apart):
    transform_weights(m, taps, w, channels, filters, u, 0, channels)
    winograd(m, taps, n, x, 0, line, channels, u, filters, zeros, y, apart, y_line, filters, down, across, zeros, room)


def _weights_by_winograd(n, m, taps, x, line, channels, dy, dy_line, filters, du, down, across, zeros, room, dw):
    winograd_gradient(m, taps, n, x, 0, line, channels, dy, 0, dy_line, filters, du, down, across, SET, zeros, room)
    gather_weights(m, taps, du, channels, filters, dw)


@functools.cache
def _loops() -> tuple[Any, ...]:
    """The five, compiled, for a process that knows the addresses of the kernels."""
    library()["glassnet_fused_block"]
    compiled = numba.njit(**OPTIONS)
    loops = (_many_forward, _many_weights, _many_scattered, _by_winograd, _weights_by_winograd)
    return tuple(map(compiled, loops))


class Convolution:
    """One window's operands, at random, and the calls that are timed; results are those of `BATCH` equal images."""

    def __init__(self, window: Window) -> None:
        self.window = window
        side, places, size, channels, filters = window.side, window.places, window.size, window.channels, window.filters
        layer = Conv2D(filters, size, padding=window.padding)
        top = layer.margins((side, side, channels))[0]
        rng, taps, edge = np.random.default_rng(0), size * size * channels, size - 1 - top
        given, made = (side, side, channels), (places, places, filters)
        self.margins = layer.margins(given)
        self.scatters = prefers_scatter(layer, given, made)
        dx_outputs = 0 if self.scatters else winograd_outputs(layer, made, given)
        dw_outputs = 0 if self.scatters else gradient_outputs(layer, given, made, BATCH)
        self.outputs = winograd_outputs(layer, given, made), dx_outputs, dw_outputs  # of Winograd's algorithms; 0: direct
        shapes = conv_shape(layer, given, self.outputs[0]), conv_shape(layer, given, dw_outputs)
        frame, dy_frame = max(int(shape["padded_height"]) for shape in shapes), padded_dy(shapes[0], True, *self.outputs[1:])
        self.x = self._random(rng, side, channels, top, frame - side - top)
        self.dy = self._random(rng, places, filters, edge, dy_frame["dy_height"] - places - edge)
        self.dense_dy = self._copy(self.dy[edge : edge + places, edge : edge + places])
        self.weight = self._copy(rng.standard_normal((size, size, channels, filters)) / np.sqrt(taps))
        self.turned = self._copy(self.weight[::-1, ::-1].swapaxes(2, 3))
        self.transposed = self._copy(self.weight.reshape(taps, filters).T)
        self.zeros = aligned_zeros(max(channels, filters))
        self.y = aligned_zeros(BATCH * places**2 * filters).reshape(BATCH, places, places, filters)
        self.dx = aligned_zeros(BATCH * side**2 * channels).reshape(BATCH, side, side, channels)
        self.dweight = aligned_zeros(taps * filters).reshape(size, size, channels, filters)
        self._inside = 4 * edge * (self.dy.shape[1] + 1) * filters
        self._room = aligned_zeros(taps + COLUMNS + max(TAP_FLOATS, places * taps))
        self._block = np.zeros(1, Block.dtype)
        self._block["conv"] = conv_shape(layer, (side, side, channels))
        products = max((m + size - 1) ** 2 for m in self.outputs)
        tiles = max(WINOGRAD_TILES, gradient_tiles(channels, filters))
        self._products = aligned_zeros(products * channels * filters)
        self._strip = aligned_zeros(winograd_floats(products, tiles, max(channels, filters)))
        self._forward, self._weights, self._scattered, self._winograd, self._winograd_weights = _loops()

    @staticmethod
    def _copy(values: Array) -> Array:
        held = aligned_zeros(values.size).reshape(values.shape)
        held[...] = values
        return held

    def _random(self, rng: np.random.Generator, side: int, channels: int, before: int, behind: int) -> Array:
        inside = rng.standard_normal((side, side, channels))
        return self._copy(np.pad(inside, ((before, behind), (before, behind), (0, 0))))

    def forward(self) -> None:
        """y = x ∗ W."""
        w, x = self.window, self.x
        self._forward(
            BATCH, x.ctypes.data, x.shape[1] * w.channels, w.channels, w.size, w.size * w.channels, self.weight.ctypes.data,
            w.filters, self.zeros.ctypes.data, self.y.ctypes.data, w.places * w.filters, w.places, w.places, self.y[0].size,
        )  # fmt: skip

    def back_to_data(self) -> None:
        """dx, in whichever of the two ways the network would choose."""
        w, dy = self.window, self.dy
        if self.scatters:
            self._scattered(
                BATCH, self._block.ctypes.data, self.dense_dy.ctypes.data, self.transposed.ctypes.data, self.dx.ctypes.data,
                self._room.ctypes.data, self.dx[0].size,
            )  # fmt: skip
            return
        self._forward(
            BATCH, dy.ctypes.data, dy.shape[1] * w.filters, w.filters, w.size, w.size * w.filters, self.turned.ctypes.data,
            w.channels, self.zeros.ctypes.data, self.dx.ctypes.data, w.side * w.channels, w.side, w.side, self.dx[0].size,
        )  # fmt: skip

    def back_to_weights(self) -> None:
        """dW, summed over the mini-batch; dy in its frame, as beside `back_to_data`."""
        w, x, dy = self.window, self.x, self.dy
        at, line = dy.ctypes.data + self._inside, dy.shape[1] * w.filters
        if self.scatters:
            at, line = self.dense_dy.ctypes.data, w.places * w.filters
        self._weights(
            BATCH, x.ctypes.data, x.shape[1] * w.channels, w.channels, w.size, w.size * w.channels, at, line, w.filters,
            self.dweight.ctypes.data, w.places, w.places, self.zeros.ctypes.data,
        )  # fmt: skip

    def forward_by_winograd(self) -> None:
        w, x = self.window, self.x
        self._winograd(
            BATCH, self.outputs[0], w.size, self.weight.ctypes.data, x.ctypes.data, x.shape[1] * w.channels, w.channels,
            self._products.ctypes.data, w.filters, self.zeros.ctypes.data, self.y.ctypes.data, w.places * w.filters,
            w.places, w.places, self._strip.ctypes.data, self.y[0].size,
        )  # fmt: skip

    def back_to_data_by_winograd(self) -> None:
        w, dy = self.window, self.dy
        self._winograd(
            BATCH, self.outputs[1], w.size, self.turned.ctypes.data, dy.ctypes.data, dy.shape[1] * w.filters, w.filters,
            self._products.ctypes.data, w.channels, self.zeros.ctypes.data, self.dx.ctypes.data, w.side * w.channels,
            w.side, w.side, self._strip.ctypes.data, self.dx[0].size,
        )  # fmt: skip

    def back_to_weights_by_winograd(self) -> None:
        w, x = self.window, self.x
        self._winograd_weights(
            BATCH, self.outputs[2], w.size, x.ctypes.data, x.shape[1] * w.channels, w.channels,
            self.dy.ctypes.data + self._inside, self.dy.shape[1] * w.filters, w.filters, self._products.ctypes.data,
            w.places, w.places, self.zeros.ctypes.data, self._strip.ctypes.data, self.dweight.ctypes.data,
        )  # fmt: skip

    @property
    def directions(self) -> dict[str, Callable[[], None]]:
        found = {"forward": self.forward, "to data": self.back_to_data, "to weights": self.back_to_weights}
        by_winograd = (self.forward_by_winograd, self.back_to_data_by_winograd, self.back_to_weights_by_winograd)
        chosen = zip(list(found), by_winograd, self.outputs, strict=True)
        return found | {f"{name} by Winograd": call for name, call, outputs in chosen if outputs}


def quickest(window: Window, seconds: float) -> dict[str, float]:
    """Of each direction, the seconds of the quickest pass over the mini-batch, of as many as fit into `seconds`."""
    found = {}
    for name, call in Convolution(window).directions.items():
        call()  # compiles the loop, the first time
        taken: list[float] = []
        while len(taken) < LEAST or sum(taken) < seconds:
            began = time.perf_counter()
            call()
            taken.append(time.perf_counter() - began)
        found[name] = min(taken)
    return found
