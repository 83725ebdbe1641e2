"""Measures what the algorithms of a convolution cost on this machine, and fits the model of `compiler/costs.py` to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import nnls

from glassnet.compiler.costs import DIRECTIONS, WINOGRAD, Cost, Direction, key, work
from glassnet.compiler.geometry import images_together, tiled
from glassnet.kernels.library import library
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.sizes import WINOGRAD_TILES, aligned_zeros, gradient_tiles, winograd_floats

SHAPES = ((32, 16, 16), (16, 32, 32), (16, 64, 64), (8, 64, 64), (8, 128, 128), (4, 256, 256), (8, 32, 128), (16, 128, 32))
"""Sides, channels and filters."""
IMAGES = 8
PASSES = 6
ROUNDS = 3
DISTURBED = 0.8  # share of its time that the model gives a measurement
SECONDS = 0.005  # that the passes of a measurement take at least


@dataclass(frozen=True)
class Measured:
    """The quickest pass of an algorithm over `IMAGES` images, and what the model says, in nanoseconds."""

    direction: Direction
    taps: int
    outputs: int
    side: int
    channels: int
    filters: int
    nanoseconds: float

    @property
    def key(self) -> str:
        return key(self.direction, self.outputs, self.taps)

    @property
    def work(self) -> tuple[float, float, float]:
        given, made = (self.side, self.side, self.channels), (self.side, self.side, self.filters)
        return work(self.direction, self.outputs, (self.taps, self.taps), given, made, IMAGES)


def _call(direction: Direction, taps: int, outputs: int, side: int, channels: int, filters: int) -> Callable[[], None]:
    """One pass over the images, with arrays of its own."""
    rng, products, frame = np.random.default_rng(0), (outputs + taps - 1) ** 2, max(side, tiled(side, outputs)) + taps - 1
    kernels = library()
    sizes: dict[str, tuple[int, ...]] = {
        "x": (IMAGES, frame, frame, channels), "dy": (IMAGES, frame, frame, filters), "y": (IMAGES, side, side, filters),
        "w": (products if outputs else taps**2, channels, filters),
    }  # fmt: skip
    gradient = direction == "gradient"
    tiles = gradient_tiles(channels, filters) if gradient else WINOGRAD_TILES
    floats = winograd_floats(products, tiles, channels) if outputs else 1
    arrays: dict[str, Any] = {name: aligned_zeros(int(np.prod(size))).reshape(size) for name, size in sizes.items()}
    for array in arrays.values():
        array[...] = rng.standard_normal(array.shape)
    arrays |= {"dw": aligned_zeros(taps**2 * channels * filters), "scratch": aligned_zeros(floats)}
    zeros = aligned_zeros(max(channels, filters))
    x, dy, w, y, dw, scratch = (arrays[name].ctypes.data for name in ("x", "dy", "w", "y", "dw", "scratch"))
    line, dy_line, size, dy_size, y_size = (
        frame * channels, frame * filters, frame**2 * channels, frame**2 * filters, side**2 * filters
    )  # fmt: skip
    step = images_together((side, side), outputs, tiles, IMAGES)

    def by_winograd() -> None:
        for first in range(0, IMAGES, step):
            images = min(step, IMAGES - first)
            if gradient:
                kernels["glassnet_winograd_gradient"](
                    outputs, taps, images, x + 4 * first * size, size, line, channels, dy + 4 * first * dy_size, dy_size,
                    dy_line, filters, w, side, side, ADD if first else SET, zeros.ctypes.data, scratch,
                )  # fmt: skip
            else:
                kernels["glassnet_winograd"](
                    outputs, taps, images, x + 4 * first * size, size, line, channels, w, filters, zeros.ctypes.data,
                    y + 4 * first * y_size, y_size, side * filters, filters, side, side, zeros.ctypes.data, scratch,
                )  # fmt: skip
        if gradient:
            kernels["glassnet_gather_weights"](outputs, taps, w, channels, filters, dw)

    def directly() -> None:
        for image in range(IMAGES):
            here = x + 4 * image * size
            if gradient:
                kernels["glassnet_convolve_weights"](
                    here, line, channels, 1, taps, taps * channels, dy + 4 * image * dy_size, dy_line, filters, filters, dw,
                    side, side, ADD if image else SET, zeros.ctypes.data,
                )  # fmt: skip
            else:
                kernels["glassnet_convolve"](
                    here, line, channels, 1, taps, taps * channels, w, filters, zeros.ctypes.data, y + 4 * image * y_size,
                    side * filters, side, side,
                )  # fmt: skip

    held = arrays, zeros  # as long as the function

    def call(_held: object = held) -> None:
        (by_winograd if outputs else directly)()

    return call


def measure() -> Iterator[Measured]:
    """Every algorithm on every shape, in turn."""
    for side, channels, filters in SHAPES:
        for direction in DIRECTIONS:
            for taps, kinds in WINOGRAD.items():
                for outputs in (0, *kinds):
                    case = direction, taps, outputs, side, channels, filters
                    call, best, began, passes = _call(*case), float("inf"), time.perf_counter(), 0
                    while passes < PASSES or time.perf_counter() - began < SECONDS:
                        start = time.perf_counter()
                        call()
                        best, passes = min(best, time.perf_counter() - start), passes + 1
                    yield Measured(*case, best * 1e9)


def fit(measured: list[Measured]) -> dict[str, Cost]:
    """The costs of each algorithm that come nearest to the measurements, relative to these.

    Those that took far longer than the rest say, as another process took the core, are left out.
    """
    found = {}
    for name in dict.fromkeys(one.key for one in measured):
        rows = [one for one in measured if one.key == name]
        for _ in range(ROUNDS):
            matrix = np.array([one.work for one in rows]) / np.array([[one.nanoseconds] for one in rows])
            costs = nnls(matrix, np.ones(len(rows)))[0]
            kept = [one for one, share in zip(rows, matrix @ costs, strict=True) if share > DISTURBED]
            rows = kept if len(kept) > len(rows) // 2 else rows
        found[name] = Cost(*map(float, costs))
    return found


def compare(measured: list[Measured]) -> Iterator[tuple[int, int, dict[str, tuple[float, float, float]]]]:
    """Of each of Winograd's algorithms F(m×m, r×r): m, r, and how many times as quick as direct convolution it was.

    By direction: the least, the median and the most over the shapes.
    """

    def case(one: Measured) -> tuple[object, ...]:
        return one.direction, one.taps, one.side, one.channels, one.filters

    direct = {case(one): one.nanoseconds for one in measured if not one.outputs}
    for taps, kinds in WINOGRAD.items():
        for outputs in kinds:
            ratios = {
                direction: [
                    direct[case(one)] / one.nanoseconds for one in measured if one.key == key(direction, outputs, taps)
                ]
                for direction in DIRECTIONS
            }
            yield outputs, taps, {name: (min(of), float(np.median(of)), max(of)) for name, of in ratios.items()}
