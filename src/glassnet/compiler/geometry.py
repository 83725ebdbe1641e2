"""The shapes of convolutions and of pooling as the kernels take them, and the sizes of the scratch arrays, in floats."""

from __future__ import annotations

from math import prod
from typing import Any

from glassnet.kernels.records import ConvShape, PoolShape
from glassnet.kernels.sizes import (
    COLUMNS,
    GRADIENT_PIXELS,
    GRADIENT_WEIGHTS,
    ROWS,
    SPAN,
    TAP_FLOATS,
    TILES_ARE_LOW,
    WINOGRAD_TILES,
    gradient_tiles,
    winograd_floats,
)
from glassnet.nn import AveragePool2D, Conv2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from glassnet.nn.layer import Shape


def as_image(shape: Shape) -> tuple[int, int, int]:
    """(rows, columns, channels) of any shape."""
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (prod(shape[:-1]), 1, shape[-1])


def conv_shape(layer: Conv2D, shape: Shape, outputs: int = 0) -> Any:
    """The record of a convolution of images of `shape`; with so many zeros that Winograd's tiles of `outputs` lie in them."""
    height, width, channels = as_image(shape)
    top, bottom, left, right = layer.margins(shape)
    out_height, out_width = layer.positions(shape)
    bottom = max(bottom, tiled(out_height, outputs) + layer.kernel_size[0] - 1 - height - top)
    right = max(right, tiled(out_width, outputs) + layer.kernel_size[1] - 1 - width - left)
    return ConvShape.make(
        height=height, width=width, channels=channels, kernel_height=layer.kernel_size[0], kernel_width=layer.kernel_size[1],
        stride_y=layer.strides[0], stride_x=layer.strides[1], top=top, left=left, padded_height=height + top + bottom,
        padded_width=width + left + right, out_height=out_height, out_width=out_width, filters=layer.filters,
    )[0]  # fmt: skip


def pool_shape(layer: MaxPool2D | GlobalMaxPool2D | AveragePool2D | GlobalAveragePool2D | None, shape: Shape) -> Any:
    """The record of the pooling of images of `shape`, or of none."""
    height, width, channels = as_image(shape)
    window, strides, corner, positions = (0, 0), (1, 1), (0, 0), (height, width)
    if isinstance(layer, (GlobalMaxPool2D, GlobalAveragePool2D)):
        window, strides, positions = (height, width), (height, width), (1, 1)
    elif layer is not None:
        top, _, left, _ = layer.margins(shape)
        window, strides, corner, positions = layer.window, layer.strides, (top, left), layer.positions(shape)
    return PoolShape.make(
        height=height, width=width, channels=channels, window_height=window[0], window_width=window[1], stride_y=strides[0],
        stride_x=strides[1], top=corner[0], left=corner[1], out_height=positions[0], out_width=positions[1],
    )[0]  # fmt: skip


def in_one_row(conv: Any) -> Any:
    """A convolution of 1 × 1 pixels, stride 1, without zeros around x: the same of one long row, whose tiles are full."""
    if any(conv[name] != 1 for name in ("kernel_height", "kernel_width", "stride_y", "stride_x")) or (
        conv["padded_height"] * conv["padded_width"] != conv["height"] * conv["width"]
    ):
        return conv
    found = conv.copy()
    for side in ("", "padded_", "out_"):
        found[f"{side}height"], found[f"{side}width"] = 1, conv["height"] * conv["width"]
    return found


def tiled(pixels: int, outputs: int) -> int:
    """So many pixels in whole tiles of `outputs`; none where that is 0."""
    return -(-pixels // outputs) * outputs if outputs else 0


def padded_dy(conv: Any, convolved: bool, dx_outputs: int, dw_outputs: int) -> dict[str, int]:
    """So many zeros around dy that the rotated kernel meets every pixel of x, if dx is `convolved`; and for whole tiles."""
    convolved = convolved and conv["kernel_height"] * conv["kernel_width"] * conv["stride_y"] * conv["stride_x"] > 1
    found: dict[str, int] = {}
    for side, corner, taps in (("height", "top", "kernel_height"), ("width", "left", "kernel_width")):
        before = conv[taps] - 1 - conv[corner] if convolved else 0
        after_dx = max(conv[side], tiled(conv[side], dx_outputs)) + conv[taps] - 1 if convolved else 0
        after_dw = before + tiled(conv[f"out_{side}"], dw_outputs) if dw_outputs else 0
        found |= {f"dy_{corner}": int(before), f"dy_{side}": int(max(after_dx, after_dw))}
    return found


def padded_x_floats(conv: Any) -> int:
    """x with its padding."""
    return int(conv["padded_height"] * conv["padded_width"] * conv["channels"])


def pairs_floats(conv: Any, dy_floats: int) -> int:
    """The pairs of x and dy, for the gradient of the weights; of dy with its zeros, for that of x."""
    dy = conv["out_height"] * ((conv["out_width"] + 1) // 2) * conv["filters"]
    return int(max(padded_x_floats(conv) + 2 * COLUMNS + dy, dy_floats // 2))


def packs_gradient(weights: int, filters: int) -> bool:
    """Whether the gradient of these weights, without Winograd, is summed from panels."""
    return TILES_ARE_LOW and filters % COLUMNS == 0 and weights >= GRADIENT_WEIGHTS


def panels_floats(conv: Any, together: int) -> int:
    """The panels of dy of so many images, and of taps of x."""
    pixels = max(GRADIENT_PIXELS, int(conv["out_width"]), together * y_floats(conv) // int(conv["filters"]))
    return int(pixels * (conv["filters"] + ROWS) + SPAN)


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
    """Lists of the argmax pixels of `rows` rows of windows: gradients, twice entries of two numbers, offsets."""
    height = min(conv["out_height"], (rows - 1) * pool["stride_y"] + pool["window_height"])
    entries = rows * pool["out_width"] * conv["filters"]
    return int(5 * entries + conv["filters"] + 1 + height * argmax_row + 2)


def winograd_scratch_floats(conv: Any, outputs: int, channels: int) -> int:
    """The transforms and products of a strip of tiles of so many channels; none without `outputs`."""
    return winograd_floats(products_of(conv, outputs), WINOGRAD_TILES, channels) if outputs else 0


def gradient_scratch_floats(conv: Any, outputs: int) -> int:
    """The same for the gradient of the weights."""
    channels, filters = int(conv["channels"]), int(conv["filters"])
    return winograd_floats(products_of(conv, outputs), gradient_tiles(channels, filters), channels) if outputs else 0


def products_of(conv: Any, outputs: int) -> int:
    """Winograd's products of a tile; 0 without `outputs`."""
    return int(outputs + conv["kernel_height"] - 1) ** 2 if outputs else 0


def images_together(shape: Shape, outputs: int, tiles: int, most: int) -> int:
    """How many images of `shape` give so many tiles, at most `most`; one without `outputs`."""
    if not outputs:
        return 1
    return max(1, min(most, tiles // (tiled(shape[0], outputs) * tiled(shape[1], outputs) // outputs**2)))
