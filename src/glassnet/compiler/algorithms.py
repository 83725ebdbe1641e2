"""Choices: the algorithm of a convolution (direct, Winograd's, scattered or sparse), and how sums over images are split."""

from __future__ import annotations

from math import prod
from typing import Any

from glassnet.kernels.codegen.host import UNIT
from glassnet.kernels.sizes import LIST_ENTRIES, PRODUCTS, SHORT
from glassnet.nn import Conv2D
from glassnet.nn.layer import Shape

PARTITIONS, FEW_PARTITIONS = 8, 4
MANY_WEIGHTS = 1 << 16
MANY_IMAGES = 64  # of a partition, above which there may be more of them …
MOST_SUMS = 1 << 24  # … as long as their partial sums have no more numbers than these
FEW_IMAGES, FEW_WEIGHTS = 16, 1 << 12  # of a dense layer, below which float32 is as quick as bfloat16
FEW_CHANNELS = 8
ENOUGH_IMAGES = 8  # of a partition, for products that take its images together
WITHOUT_SUMS = 64


def prefers_bfloat16(inputs: int, outputs: int, images: int) -> bool:
    """Whether a dense layer's products are quicker in bfloat16, whose weights are rounded and packed in each: measured."""
    return images >= FEW_IMAGES and inputs * outputs >= FEW_WEIGHTS


def prefers_pairs(channels: int, filters: int) -> bool:
    """Whether direct convolution is quicker in bfloat16; it takes channels, and backward filters, in pairs."""
    return channels % 2 == 0 and filters % 2 == 0 and channels >= FEW_CHANNELS


def prefers_scatter(conv: Conv2D, shape: Shape, places: Shape) -> bool:
    """Whether scattering dy · Wᵀ is less work than convolving dy within its zeros: products, and a tenth for adding."""
    taps, lanes = prod(conv.kernel_size), UNIT.lanes
    convolved = prod(shape[:2]) * taps * conv.filters * -(-shape[2] // lanes)
    return 1.1 * prod(places) * conv.filters * -(-taps * shape[2] // lanes) < convolved


def prefers_winograd(conv: Conv2D, given: Shape, made: Shape) -> bool:
    """Whether Winograd's algorithm from images of shape `given` to `made` is less work than direct convolution.

    Registers of products are counted, and those of the transforms. Of an odd number of rows it would read one behind x.
    """
    if conv.kernel_size != (3, 3) or conv.strides != (1, 1) or (given[:2] != made[:2] and (made[0] % 2 or made[1] % 2)):
        return False
    wide, out_wide = (-(-shape[2] // UNIT.lanes) for shape in (given, made))
    squares = -(-made[0] // 2) * -(-made[1] // 2)
    return (
        squares * (PRODUCTS * given[2] * out_wide + 60 * (wide + out_wide)) * 1.15 < prod(made[:2]) * 9 * given[2] * out_wide
    )


def prefers_sparse(conv: Any, pool: Any) -> bool:
    """Whether lists of the argmax pixels (see sparse_conv_grad.py) are less work than products of all pixels.

    In register operations, measured: of a list 4 an entry and its sums, at least 4; of a pixel 8 for its dy, and products.
    """
    taps = conv["kernel_width"] * conv["channels"]
    sums = conv["kernel_height"] * -(-taps // SHORT) * (0.75 if UNIT.lanes > SHORT else 1.25)
    entries = pool["out_height"] * pool["out_width"] * conv["filters"]
    registers = conv["out_height"] * conv["out_width"] * -(-conv["filters"] // UNIT.lanes)
    return bool(entries * (4 + max(4, sums)) < registers * (8 + conv["kernel_height"] * taps))


def sparse_rows(pool: Any) -> int:
    """Rows of windows whose lists are made together; few enough for the lists to stay in the cache."""
    return int(max(1, min(pool["out_height"], LIST_ENTRIES // (pool["out_width"] * pool["channels"]))))


def partitions_of(images: int, weights: int) -> int:
    """Whatever the threads and ranks, so that results do not depend on them; fewer where the sums are long.

    Large mini-batches have more, in powers of two: as many ranks can share them.
    """
    most = FEW_PARTITIONS if weights > MANY_WEIGHTS else PARTITIONS
    while 2 * most * MANY_IMAGES <= images and 2 * most * weights <= MOST_SUMS:
        most *= 2
    return min(images, most)


def recurrent_partitions(images: int, weights: int, training: bool) -> int:
    """The same of recurrent layers, whose products take a partition's images together; many where there are no sums."""
    most = max(1, images // ENOUGH_IMAGES)
    return min(most, partitions_of(images, weights) if training else WITHOUT_SUMS)
