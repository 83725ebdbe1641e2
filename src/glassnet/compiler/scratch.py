"""The arrays of a convolution in each thread's scratch memory, in floats."""

from __future__ import annotations

from typing import Any

from glassnet.kernels.sizes import COLUMNS, TAP_FLOATS, winograd_floats


def padded_x_floats(conv: Any) -> int:
    """x with its zeros, and a row behind that Winograd's way may read."""
    behind = (conv["padded_width"] + 2) * conv["channels"]
    return int(conv["padded_height"] * conv["padded_width"] * conv["channels"] + behind)


def y_floats(conv: Any) -> int:
    """One image of y, or of dy without zeros around it."""
    return int(conv["out_height"] * conv["out_width"] * conv["filters"])


def row_floats(pool: Any) -> int:
    """One row of y, or of what was pooled."""
    return int(max(pool["width"], pool["out_width"]) * pool["channels"])


def taps_floats(conv: Any) -> int:
    """Zeros, and what some rows of dy give to all taps."""
    taps = conv["kernel_height"] * conv["kernel_width"] * conv["channels"]
    return int(taps + COLUMNS + max(TAP_FLOATS, conv["out_width"] * taps))


def list_floats(conv: Any, pool: Any, argmax_row: int, rows: int) -> int:
    """Lists of the argmax pixels of so many rows of windows: gradients, twice entries of two numbers, beginnings."""
    height = min(conv["out_height"], (rows - 1) * pool["stride_y"] + pool["window_height"])
    entries = rows * pool["out_width"] * conv["filters"]
    return int(5 * entries + conv["filters"] + 1 + height * argmax_row + 2)


def winograd_scratch_floats(conv: Any) -> int:
    """The transforms and products of a strip of squares, in either direction."""
    widths = (int(conv["out_width"]), int(conv["width"]))
    return max(winograd_floats(width, int(conv["channels"]), int(conv["filters"])) for width in widths)
