"""Choices: the algorithm of a convolution (direct, Winograd's, scattered or sparse), and how sums over images are split."""

from __future__ import annotations

from math import prod
from typing import Any

from glassnet.kernels.codegen.host import UNIT
from glassnet.kernels.sizes import LIST_ENTRIES, SHORT
from glassnet.nn import Conv2D
from glassnet.nn.layer import Shape

PARTITIONS, FEW_PARTITIONS = 8, 4
MANY_WEIGHTS = 1 << 16
MANY_IMAGES = 64  # of a partition, above which there may be more of them …
MOST_SUMS = 1 << 24  # … as long as their partial sums have no more numbers than these
ENOUGH_IMAGES = 8  # of a partition, for products that take its images together
WITHOUT_SUMS = 64
TILES = {3: (2, 4), 5: (2,)}  # m of F(m×m, r×r), by r


def prefers_scatter(conv: Conv2D, shape: Shape, places: Shape) -> bool:
    """Whether scattering dy · Wᵀ is less work than convolving dy within its zeros: products, and a tenth for adding."""
    taps, lanes = prod(conv.kernel_size), UNIT.lanes
    convolved = prod(shape[:2]) * taps * conv.filters * -(-shape[2] // lanes)
    return 1.1 * prod(places) * conv.filters * -(-taps * shape[2] // lanes) < convolved


def winograd_outputs(conv: Conv2D, given: Shape, made: Shape) -> int:
    """m of Winograd's algorithm F(m×m, r×r) from images of shape `given` to `made`, or 0: direct convolution is less work."""
    return _quickest(conv, given, made, lambda outputs: _work(conv, given, made, outputs))


def gradient_outputs(conv: Conv2D, given: Shape, made: Shape, images: int) -> int:
    """The same for the gradient of the weights, summed over so many images of a partition."""
    return _quickest(conv, given, made, lambda outputs: _gradient_work(conv, given, made, outputs, images))


def _quickest(conv: Conv2D, given: Shape, made: Shape, work: Any) -> int:
    import os
    if os.environ.get("WG"): return int(os.environ["WG"]) if int(os.environ["WG"]) in (0, *TILES.get(conv.kernel_size[0], ())) and conv.strides == (1, 1) and conv.kernel_size[0] == conv.kernel_size[1] else 0
    possible = TILES.get(conv.kernel_size[0], ()) if conv.strides == (1, 1) and len(set(conv.kernel_size)) == 1 else ()
    return min((0, *possible), key=work)


def _work(conv, given, made, outputs):
    wide, out_wide = (-(-shape[2] // UNIT.lanes) for shape in (given, made))
    if not outputs:
        return prod(made[:2]) * prod(conv.kernel_size) * given[2] * out_wide
    t = outputs + conv.kernel_size[0] - 1
    tiles = -(-made[0] // outputs) * -(-made[1] // outputs)
    return tiles * (t*t * given[2] * out_wide + (60 if t == 4 else 250) * wide + (50 if t == 4 else 200) * out_wide) * 1.15


def _gradient_work(conv, given, made, outputs, images):
    wide, out_wide = (-(-shape[2] // UNIT.lanes) for shape in (given, made))
    if not outputs:
        return _work(conv, given, made, 0) * images
    t = outputs + conv.kernel_size[0] - 1
    return images * _work(conv, given, made, outputs) + given[2] * out_wide * (60 if t == 4 else 250)


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
