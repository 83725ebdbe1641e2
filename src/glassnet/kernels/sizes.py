"""Sizes that kernels and their callers agree on; needs no compiler to import."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import addressof, c_char
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from glassnet.kernels.codegen.host import UNIT

LANES, ROWS, VECTORS, COLUMNS = UNIT.lanes, UNIT.tile_rows, UNIT.tile_vectors, UNIT.tile_columns
HALF = max(1, LANES // 2)
PADDING = COLUMNS  # floats that may be read, never used, past the end of any matrix

GROUPS = -(-ROWS // LANES)  # registers that one column of a panel spans
SPAN = GROUPS * LANES
DEPTH = 1024  # at most so many k in a panel
PANEL = DEPTH * ROWS + 4 * SPAN  # floats of a panel, with room for whole-register writes at its end
INDEX = DEPTH + 4 * SPAN
TILES = 16  # panels that are packed side by side from columns, so that an image's cache lines are fetched once, in a row
COLUMN_DEPTH = 256  # at most so many k in each of them: together they fit the second-level cache
COLUMN_PANEL = COLUMN_DEPTH * ROWS + 4 * SPAN
COLUMN_INDEX = COLUMN_DEPTH + 4 * SPAN

DIRECT = 512  # numbers a row of activations, up to which narrow products read them where they lie
DIRECT_WEIGHTS = 16384  # and of B, by which such rows are multiplied

# The second operand of wide products, B, in panels of COLUMNS columns: a part of it that stays in the second-level cache.
WIDE = 256  # columns, beyond which B is cut
WIDE_DEPTH = 256  # at most so many k in its panels
WIDE_STRIP = 256 // COLUMNS * COLUMNS  # columns in all its panels
PANEL_STRIP = 2 * WIDE_STRIP  # of a B that lies in panels: images are packed anew for each strip, B is not
WIDE_PANEL = (WIDE_DEPTH + LANES) * COLUMNS  # floats of one, with room for whole-register writes at its end
WIDE_SHIFT = (WIDE_DEPTH // COLUMNS).bit_length() - 1  # a row of Bᵀ is as long as 2^shift rows of a panel
WIDE_TILES = 2  # tiles of rows that B has to be read by for packing to pay in products of rows with more than NEAR columns
# With fewer columns, WIDE_DEPTH rows of B stay near the processor: packing pays from NEAR_TILES on where tiles are low or
# rows of B cross the lines of the cache, never elsewhere.
NEAR, NEAR_TILES, TILES_ARE_LOW = 1024, 8, ROWS <= 8

# One thread's scratch, in bytes: panels, then their indexes, a table of row addresses, counters, panels of B.
INDEXES_AT = 4 * max(PANEL, COLUMN_PANEL * TILES)
TABLE_AT = INDEXES_AT + 4 * max(INDEX, COLUMN_INDEX * TILES)
COUNTS_AT = TABLE_AT + 8 * SPAN
WIDE_AT = (COUNTS_AT + 8 * TILES + 127) // 64 * 64

# Products of wide images with few outputs (matmul/skinny_gemm.py).
DOT_OUTPUTS = UNIT.dot_outputs  # outputs of two images whose partial sums fill the registers
DOT_STRETCH = 256  # inputs taken together
SKINNY_WIDTH = 24  # up to so many outputs …
SKINNY_INPUTS = 4096  # … of at least so many inputs
SKINNY_DEPTH = 128  # images taken together in the gradient of the weights
SKINNY_GROUPS = 8  # strips of COLUMNS inputs taken together
SKINNY_X_AT = 4 * COLUMNS * (SKINNY_WIDTH + 2) * SKINNY_GROUPS  # in a thread's scratch, behind the sums
SKINNY_BYTES = SKINNY_X_AT + 4 * COLUMNS * SKINNY_DEPTH * SKINNY_GROUPS + 64

SCRATCH_BYTES = max(WIDE_AT + 4 * WIDE_PANEL * (WIDE_STRIP // COLUMNS), SKINNY_BYTES)

TAP_FLOATS = 32768  # products of dy with the taps of a convolution, made before they are added (conv/direct.py)
SHORT = min(8, LANES)  # floats of the registers that lists are summed in (matmul/gather_accumulate.py)
LIST_ENTRIES = 8192  # of a list of argmax pixels (conv/sparse_conv_grad.py)
WINOGRAD_TILES = max(1, 42 // ROWS) * ROWS  # tiles of images taken together (conv/winograd.py)
GRADIENT_TILES = 48, 128  # fewest and most for the gradient of the weights, so that its sums seldom leave the registers
GRADIENT_PIXELS = 256  # of dy taken together for the gradient of many weights without Winograd
GRADIENT_WEIGHTS = 65536  # from so many on
UPDATE_BLOCK = 8192  # parameters updated, and their squares summed, together: no sum depends on the threads

KEPT_WORDS = 32  # of 64 bits, of the fingerprint of weights (kept.py)

WARP_LANES = 16  # columns of an image that augmentation takes together


def warp_layout(height: int, width: int, channels: int, cells: int) -> tuple[int, int, int, int, int, int, int]:
    """Where augmentation's arrays lie in a thread's scratch, in floats, behind the image in its margin; last, their end.

    The elastic field joined along the rows, the columns' weights and control points, a row's shifts and places, the points.
    """
    wide, controls = (width + WARP_LANES - 1) // WARP_LANES * WARP_LANES, cells + 3
    field = ((height + 3) * (width + 3) * channels + 15) // 16 * 16
    weights = field + 2 * controls * wide
    firsts = weights + 4 * wide
    moves = firsts + wide
    places = moves + 2 * wide
    points = places + wide
    return field, weights, firsts, moves, places, points, points + controls


def gradient_tiles(channels: int, filters: int) -> int:
    """How many tiles are taken together for the gradient of the weights: so that they are as many numbers as its sums."""
    return min(max(channels * filters // (channels + filters), GRADIENT_TILES[0]), GRADIENT_TILES[1])


def winograd_floats(products: int, tiles: int, channels: int) -> int:
    """Floats of the transforms and products of so many tiles, for the filters of a panel."""
    return products * (tiles * (channels + COLUMNS) + 2 * LANES) + 2 * PADDING


# Muon's iteration X ← X·(a + b·XᵀX + c·(XᵀX)²): its slope at zero is as large as it can be (Jordan et al., "Muon", 2024).
MUON_A, MUON_B, MUON_C, MUON_EPSILON = 3.4445, -4.7750, 2.0315, 1e-7


def muon_layout(rows: int, columns: int) -> tuple[int, int, int, int, int]:
    """Where X, Y, A and B lie in Muon's room, in floats, behind the squares of the blocks; last, their end."""
    blocks, wide = (rows * columns + UPDATE_BLOCK - 1) // UPDATE_BLOCK, min(rows, columns)
    size, square = (rows * columns + PADDING + 15) // 16 * 16, (wide * wide + PADDING + 15) // 16 * 16
    x = (4 * blocks + 15) // 16 * 16
    return x, x + size, x + 2 * size, x + 2 * size + square, x + 2 * (size + square)


def dot_row(inputs: int) -> int:
    """How far apart the rows of Wᵀ lie, in floats: so that stretches of them fall on different lines of the cache."""
    return inputs + (DOT_STRETCH - inputs) % (4 * DOT_STRETCH)


def panel_floats(rows: int, outputs: int) -> int:
    """Floats of weights in panels that have all inputs, or all pairs of them, as rows."""
    return COLUMNS * -(-outputs // COLUMNS) * rows


def quad_panel(groups: int, taps: int) -> int:
    """Floats of a panel of weights in quads of taps: biases, factors and corrections come first (int8.py)."""
    return COLUMNS * (3 + groups * ((taps + 3) // 4))


def address(array: NDArray[Any]) -> int:
    """Where an array's numbers lie; 0 where it has none."""
    if array.size and array.flags.writeable:
        return addressof(c_char.from_buffer(array.data))  # in half the time
    return array.ctypes.data if array.size else 0


def aligned_zeros(size: int, dtype: DTypeLike = np.float32) -> NDArray[np.generic]:
    """`size` zeros on a cache line's boundary, with `PADDING` more behind them that kernels may read."""
    return _on_a_line(np.zeros, size, dtype)


def aligned_empty(size: int, dtype: DTypeLike = np.float32) -> NDArray[np.generic]:
    """The same with any numbers."""
    return _on_a_line(np.empty, size, dtype)


def _on_a_line(allocate: Callable[..., NDArray[Any]], size: int, dtype: DTypeLike) -> NDArray[np.generic]:
    item = np.dtype(dtype).itemsize
    raw = allocate((size + PADDING) * item + 64, dtype=np.uint8)
    start = -address(raw) % 64
    return raw[start : start + (size + PADDING) * item].view(dtype)[:size]
