"""Choices: the algorithm of a convolution (direct, Winograd's, scattered or sparse), and how sums over images are split."""

from __future__ import annotations

from math import ceil, lcm, prod
from typing import Any

from glassnet.compiler.costs import WINOGRAD, Direction, costs_of_machine, key, work
from glassnet.kernels.codegen.host import UNIT
from glassnet.kernels.sizes import COLUMNS, LIST_ENTRIES, NEAR, SHORT, TILES_ARE_LOW
from glassnet.nn import Conv2D
from glassnet.nn.layer import Shape

PARTITIONS, FEW_PARTITIONS = 8, 4
FEW_ROWS = 4  # of tiles, for two threads
MANY_WEIGHTS = 1 << 16
MANY_IMAGES = 64  # of a partition, above which there may be more of them …
MOST_SUMS = 1 << 24  # … as long as their partial sums have no more numbers than these
FEW_IMAGES, FEW_WEIGHTS = 16, 1 << 12  # of a dense layer, below which float32 is as quick as bfloat16 or int8
MOST_INPUTS = 1 << 16  # whose products of bytes add up to an int32
FEW_TAPS, BYTES_SHARE = 5, 0.22  # of a kernel row in int8; the time of direct convolution, as a share of that in float32
FEW_CHANNELS, FEW_UNITS = 8, 16  # of convolutions, of recurrent layers
ENOUGH_IMAGES = 8  # of a partition, for products that take its images together
WITHOUT_SUMS = 64
LISTED, HALF_LISTED = 3.0, 0.6  # products in the time of an operation on lists; with ReLU, whose zeros are left out
FAR_LISTED, NEAR_WEIGHTS = 1.5, 1 << 18  # where the weights do not stay in the second-level cache


def prefers_bfloat16(inputs: int, outputs: int, images: int) -> bool:
    """Whether a dense layer's products are quicker in bfloat16, measured; training rounds and packs weights in each step."""
    return images >= FEW_IMAGES and inputs * outputs >= FEW_WEIGHTS


def prefers_panels(outputs: int) -> bool:
    """Whether a dense layer reads its weights the quickest in panels, beside making these once for many images: measured."""
    return TILES_ARE_LOW or outputs > NEAR


def prefers_recurrent_pairs(units: int) -> bool:
    """Whether a recurrent layer is quicker in bfloat16, whatever the number of images; it takes units in pairs: measured."""
    return units % 2 == 0 and units >= FEW_UNITS


def prefers_int8(inputs: int, outputs: int, images: int) -> bool:
    """Whether a dense layer is quicker in int8, whose inputs are rounded in each product: measured. No sum overflows."""
    return prefers_bfloat16(inputs, outputs, images) and inputs <= MOST_INPUTS


def prefers_pairs(channels: int, filters: int) -> bool:
    """Whether direct convolution is quicker in bfloat16; it takes channels, and backward filters, in pairs."""
    return channels % 2 == 0 and filters % 2 == 0 and channels >= FEW_CHANNELS


def prefers_quads(conv: Conv2D, shape: Shape, made: Shape) -> bool:
    """Whether direct convolution in int8 is quicker than any in float32: it takes BYTES_SHARE of its time, measured."""
    taps = conv.kernel_size[1] * shape[2]
    costs = _costs("convolve", conv, shape, made, 1)
    return taps >= FEW_TAPS and conv.kernel_size[0] * taps <= MOST_INPUTS and costs[0] * BYTES_SHARE < min(costs.values())


def prefers_scatter(conv: Conv2D, shape: Shape, made: Shape) -> bool:
    """Whether scattering dy · Wᵀ is less work than convolving dy within its zeros: products, and a tenth for adding."""
    taps, cost = prod(conv.kernel_size), costs_of_machine()[0][key("convolve", 0, 0)]
    registers = prod(made[:2]) * conv.filters * ceil(taps * shape[2] / UNIT.lanes)
    return 1.1 * cost.of((registers, 0, 0)) < min(_costs("convolve", conv, made, shape, 1).values())


def winograd_outputs(conv: Conv2D, given: Shape, made: Shape) -> int:
    """m of Winograd's algorithm F(m×m, r×r) from images of shape `given` to `made`; 0: direct convolution is quicker."""
    return _quickest(_costs("convolve", conv, given, made, 1))


def gradient_outputs(conv: Conv2D, given: Shape, made: Shape, images: int) -> int:
    """The same for the gradient of the weights, summed over so many images of a partition."""
    return _quickest(_costs("gradient", conv, given, made, images))


def _quickest(costs: dict[int, float]) -> int:
    return min(costs, key=costs.__getitem__)


def _costs(direction: Direction, conv: Conv2D, given: Shape, made: Shape, images: int) -> dict[int, float]:
    """What each algorithm costs by m, in nanoseconds an image; 0: direct convolution."""
    (taps, wide), costs = conv.kernel_size, costs_of_machine()[0]
    possible = WINOGRAD.get(taps, ()) if wide == taps and conv.strides == (1, 1) else ()
    works = {outputs: work(direction, outputs, conv.kernel_size, given, made, images) for outputs in (0, *possible)}
    return {outputs: costs[key(direction, outputs, taps)].of(of) / images for outputs, of in works.items()}


def _listing(conv: Any, pool: Any) -> tuple[float, int]:
    """Operations on lists of the argmax pixels, 4 an entry and its sums, at least 4; and the registers of dy."""
    taps = conv["kernel_width"] * conv["channels"]
    sums = conv["kernel_height"] * -(-taps // SHORT) * (0.75 if UNIT.lanes > SHORT else 1.25)
    entries = pool["out_height"] * pool["out_width"] * conv["filters"]
    registers = conv["out_height"] * conv["out_width"] * -(-conv["filters"] // UNIT.lanes)
    return float(entries * (4 + max(4, sums))), int(registers)


def prefers_sparse(conv: Any, pool: Any) -> bool:
    """Whether lists of the argmax pixels (see sparse_conv_grad.py) are less work than products of all pixels.

    In register operations, measured: of a pixel 8 for its dy, and products.
    """
    operations, registers = _listing(conv, pool)
    return bool(operations < registers * (8 + conv["kernel_height"] * conv["kernel_width"] * conv["channels"]))


def beats_winograd(layer: Conv2D, conv: Any, pool: Any, given: Shape, made: Shape, zeros: bool, images: int) -> bool:
    """The same beside the products of Winograd's algorithms, if these are possible; `zeros`: half of the entries are 0."""
    dx, dw = _costs("convolve", layer, made, given, 1), _costs("gradient", layer, given, made, images)
    if not _quickest(dx) or not _quickest(dw):
        return True
    operations, registers = _listing(conv, pool)
    weights = conv["kernel_height"] * conv["kernel_width"] * conv["channels"] * conv["filters"]
    operations *= LISTED * (HALF_LISTED if zeros else 1) * (FAR_LISTED if weights > NEAR_WEIGHTS else 1)
    product = costs_of_machine()[0][key("convolve", 0, 0)].products
    return bool(product * (operations - 8 * registers) < dx[_quickest(dx)] + dw[_quickest(dw)])


def sparse_rows(pool: Any) -> int:
    """Rows of windows whose lists are made together; few enough for the lists to stay in the cache."""
    return int(max(1, min(pool["out_height"], LIST_ENTRIES // (pool["out_width"] * pool["channels"]))))


def rows_together(pool: Any, outputs: int) -> int:
    """Of one image that threads share: how many rows of y belong to one thread, whole tiles and whole windows."""
    if pool["top"] or pool["window_height"] > pool["stride_y"]:  # windows overlap, or begin outside
        return int(pool["height"])
    return lcm(max(1, outputs), int(pool["stride_y"]))


def shares_filters(conv: Any, outputs: int) -> bool:
    """Whether the threads share its filters instead: few rows of tiles, and most of what is read are Winograd's weights."""
    return bool(outputs and -(-conv["out_height"] // outputs) < FEW_ROWS and conv["filters"] >= 2 * COLUMNS)


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
