"""Stages: a convolution, batch normalisation, activation and pooling that follow one another become instructions together.

Which layers join is decided here: at most one of each kind, in an order in which their result is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from glassnet.compiler.partition import parts_of
from glassnet.compiler.program_builder import Assembler, Back, Places, Value
from glassnet.kernels import opcodes as op
from glassnet.kernels.codegen.host import UNIT
from glassnet.kernels.sizes import COLUMNS, GIVEN, LISTED, PRODUCTS, SHORT, winograd_floats
from glassnet.kernels.stage import ROOMS, STAGE
from glassnet.nn import BatchNorm, Conv2D, GlobalMaxPool2D, Layer, LeakyReLU, MaxPool2D, ReLU, Sigmoid, Tanh
from glassnet.nn.layer import Shape

ENOUGH_PIXELS = 49  # of an image, for the weights' gradient by Winograd's way
ACTIVATIONS: dict[type[Layer], int] = {ReLU: op.RELU, LeakyReLU: op.LEAKY_RELU, Sigmoid: op.SIGMOID, Tanh: op.TANH}


def _joins(layer: Layer) -> bool:
    """Whether it is an activation that rises everywhere, so that its derivative follows from its output."""
    return type(layer) in ACTIVATIONS and getattr(layer, "slope", 0.0) >= 0


def stage_length(layers: Sequence[Layer]) -> int:
    """How many of the first layers make up a stage; 0: the first belongs to none."""
    count = 0
    for kinds in ((Conv2D,), (BatchNorm,)):
        if count < len(layers) and isinstance(layers[count], kinds):
            count += 1
    pooled = activated = False
    while count < len(layers):
        layer = layers[count]
        if isinstance(layer, (MaxPool2D, GlobalMaxPool2D)) and not pooled:
            pooled = True
        elif _joins(layer) and not activated and count:
            activated = True
        else:
            break
        count += 1
    return count


def _pooling(layer: MaxPool2D | GlobalMaxPool2D | None, shape: Shape) -> dict[str, int]:
    """The record's fields of the pooling of images of `shape`."""
    if layer is None:
        return {"pool_height": 0, "pooled_height": shape[0], "pooled_width": shape[1]}
    if isinstance(layer, GlobalMaxPool2D):
        window, strides, corner, places = shape[:2], shape[:2], (0, 0), (1, 1)
    else:
        top, _, left, _ = layer.margins(shape)
        window, strides, corner, places = layer.window, layer.strides, (top, left), layer.places(shape)
    names = ("pool_height", "pool_width", "pool_stride_y", "pool_stride_x")
    return {
        **dict(zip(names, (*window, *strides), strict=True)),
        "pool_top": corner[0],
        "pool_left": corner[1],
        "pooled_height": places[0],
        "pooled_width": places[1],
    }


def _convolution(layer: Conv2D, x: Value, places: Places) -> dict[str, Any]:
    height, width, channels = x.shape
    top, bottom, left, right = layer.margins(x.shape)
    return {
        "height": height, "width": width, "channels": channels,
        "kernel_height": layer.kernel_size[0], "kernel_width": layer.kernel_size[1],
        "stride_y": layer.strides[0], "stride_x": layer.strides[1],
        "top": top, "left": left, "padded_height": height + top + bottom, "padded_width": width + left + right,
        "x": x.at, "scale": x.scale, "weight": places["weight"], "bias": places.get("bias", -1),
    }  # fmt: skip


def _as_image(shape: Shape) -> tuple[int, int, int]:
    """(rows, columns, channels) of any shape."""
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (prod(shape[:-1]), 1, shape[-1])


def lower_stage(layers: Sequence[Layer], places: Sequence[Places], x: Value, out: Assembler) -> tuple[Value, Back]:
    """Emit a stage forward; its output, and the function that emits it backward."""
    kinds = {type(layer): (layer, place) for layer, place in zip(layers, places, strict=True)}
    conv = next((layer for layer in layers if isinstance(layer, Conv2D)), None)
    norm = next((layer for layer in layers if isinstance(layer, BatchNorm)), None)
    pool = next((layer for layer in layers if isinstance(layer, (MaxPool2D, GlobalMaxPool2D))), None)
    sigma = next((layer for layer in layers if type(layer) in ACTIVATIONS), None)
    fields: dict[str, Any] = {"activation": -1 if sigma is None else ACTIVATIONS[type(sigma)]}
    fields["slope"] = getattr(sigma, "slope", 0.0)
    if conv is None:
        x = out.loaded(x)
        shape = _as_image(x.shape)
        fields |= {
            "kernel_height": 0,
            "height": shape[0],
            "width": shape[1],
            "channels": shape[2],
            "stride_y": 1,
            "stride_x": 1,
        }
        fields |= {"kernel_width": 0, "x": x.at, "y": x.at}
        fields["scatters"] = 0
    else:
        fields |= _convolution(conv, x, kinds[Conv2D][1])
        shape = (*conv.places(x.shape), conv.filters)
        fields["scatters"] = int(scatters(conv, x.shape, shape[:2]))
    size, filters = prod(shape), shape[2]
    fields |= {"out_height": shape[0], "out_width": shape[1], "filters": filters, **_pooling(pool, shape)}
    fields |= {"chosen_line": fields.get("pool_width", 0), "list_rows": 0, "product_gradients": 0}
    if conv is not None and norm is None and pool is not None and conv.strides == (1, 1) and lists(fields):
        fields |= {"chosen_line": fields["padded_width"], "list_rows": list_rows(fields), "scatters": 0}
    pooled = (fields["pooled_height"], fields["pooled_width"], filters)
    if isinstance(pool, GlobalMaxPool2D):
        y = Value(0, (filters,))
    else:
        y = Value(0, pooled if conv is not None or pool is not None else x.shape)
    y = Value(out.rows(y.width), y.shape)
    fields |= {"out": y.at, "chosen": out.rows(y.width) if pool is not None else -1}
    if conv is not None and multiplies_less(conv, x.shape, shape):
        fields["products"] = out.room(PRODUCTS * x.shape[2] * filters)
        many = shape[0] * shape[1] >= ENOUGH_PIXELS  # sums of few squares an image would wait for the memory
        fields["product_gradients"] = int(many and not fields["list_rows"])
    learns = norm is not None and out.training
    if norm is not None:
        fields |= {**_normalisation(norm, kinds[BatchNorm][1], learns, filters, out)}
        if learns and conv is not None:
            fields["y"] = out.rows(size)
    at, record = out.record(STAGE, **fields)
    _give_rooms(record, conv is not None, out)
    if "products" in fields:
        out.emit(op.STAGE_PRODUCTS, a=at)
    if learns:
        operations = (op.STAGE_FORWARD, op.STAGE_JOIN, op.STAGE_FINISH)
    else:
        operations = (
            *((op.STAGE_RUNNING,) if norm is not None else ()),
            op.STAGE_FORWARD if conv is not None else op.STAGE_FINISH,
        )
    for operation in operations:
        out.emit(operation, a=at)

    def back(dy: int, wanted: bool) -> int:
        record["dout"] = dy
        if norm is not None:
            record["sums"], record["coefficients"] = out.rows(2 * filters), out.room(5 * filters)
            out.emit(op.STAGE_SUMS, a=at)
            out.emit(op.STAGE_GRADIENTS, a=at)
        dx = dy
        if wanted:
            record["dx"] = dx = out.rows(x.width)
        if conv is not None:
            weights = prod(conv.kernel_size) * x.shape[2] * filters
            partial = PRODUCTS * x.shape[2] * filters if record["product_gradients"] else weights
            parts = parts_of(out.capacity, weights)
            record["parts"], record["partial"] = parts, out.room(parts * (partial + filters))
            if wanted:  # before the weights change
                record["transposed"] = turned = out.room(weights)
                if record["scatters"] or record["list_rows"]:
                    out.emit(
                        op.DENSE_TRANSPOSE, 0, turned, weights // filters, filters, a=fields["weight"], b=weights // filters
                    )
                else:
                    _look_back(record, conv)
                    out.emit(op.STAGE_TURN, a=at)
                    if multiplies_less(conv, shape, x.shape):
                        record["products_back"] = out.room(PRODUCTS * x.shape[2] * filters)
                        out.emit(op.STAGE_PRODUCTS_BACK, a=at)
            _give_rooms(record, True, out)
            out.emit(op.STAGE_BACK, a=at)
            out.emit(op.STAGE_WEIGHTS, a=at)
        elif wanted:
            record["parts"] = parts_of(out.capacity, 0)
            out.emit(op.STAGE_BACK, a=at)
        return dx

    return y, back


def _normalisation(layer: BatchNorm, places: Places, learns: bool, filters: int, out: Assembler) -> dict[str, Any]:
    return {
        "gamma": places["gamma"], "beta": places["beta"],
        "running_mean": places["mean"], "running_variance": places["variance"],
        "statistics": out.rows(3 * filters) if learns else -1,
        "momentum": layer.momentum, "epsilon": layer.epsilon,
        **{name: out.room(filters) for name in ("mean", "rest", "inverse", "gain", "shift")},
    }  # fmt: skip


def scatters(conv: Conv2D, shape: Shape, places: Shape) -> bool:
    """Whether scattering dy · Wᵀ is less work than convolving dy in its frame: registers of products, a tenth for adding."""
    taps, lanes = prod(conv.kernel_size), UNIT.lanes
    convolved = prod(shape[:2]) * taps * conv.filters * -(-shape[2] // lanes)
    return 1.1 * prod(places) * conv.filters * -(-taps * shape[2] // lanes) < convolved


def multiplies_less(conv: Conv2D, given: Shape, made: Shape) -> bool:
    """Whether Winograd's way from images of shape `given` to `made` is less work than the products of all taps.

    Registers of products are counted, and those of the transforms. Of an odd number of rows it would read one behind x.
    """
    if conv.kernel_size != (3, 3) or conv.strides != (1, 1) or (given[:2] != made[:2] and (made[0] % 2 or made[1] % 2)):
        return False
    wide, out_wide = (-(-shape[2] // UNIT.lanes) for shape in (given, made))
    squares = -(-made[0] // 2) * -(-made[1] // 2)
    return (
        squares * (PRODUCTS * given[2] * out_wide + 60 * (wide + out_wide)) * 1.15 < prod(made[:2]) * 9 * given[2] * out_wide
    )


def lists(fields: dict[str, Any]) -> bool:
    """Whether lists of the pixels that pooling chose are less work than products of all pixels.

    In register operations, measured: of a list 4 an entry and its sums, at least 4; of a pixel 8 to bring back, and products.
    """
    taps = fields["kernel_width"] * fields["channels"]
    sums = fields["kernel_height"] * -(-taps // SHORT) * (0.75 if UNIT.lanes > SHORT else 1.25)
    entries = fields["pooled_height"] * fields["pooled_width"] * fields["filters"]
    registers = fields["out_height"] * fields["out_width"] * -(-fields["filters"] // UNIT.lanes)
    return bool(entries * (4 + max(4, sums)) < registers * (8 + fields["kernel_height"] * taps))


def list_rows(fields: dict[str, Any]) -> int:
    """Rows of windows that are listed together: so many that the lists stay in the cache."""
    return max(1, min(int(fields["pooled_height"]), LISTED // int(fields["pooled_width"] * fields["filters"])))


def list_floats(stage: Any) -> int:
    """The room of the lists: gradients, twice entries of two numbers, and where the lists begin; see picked.py."""
    if stage["list_rows"] <= 0:
        return 0
    rows = min(stage["out_height"], (stage["list_rows"] - 1) * stage["pool_stride_y"] + stage["pool_height"])
    entries = stage["list_rows"] * stage["pooled_width"] * stage["filters"]
    return int(5 * entries + stage["filters"] + 1 + rows * stage["chosen_line"] + 2)


def _look_back(record: Any, conv: Conv2D) -> None:
    """dy's frame: so many zeros around it that the turned kernel meets every pixel of x."""
    height, width = conv.kernel_size
    record["back_top"] = height - 1 - record["top"]
    record["back_left"] = width - 1 - record["left"]
    record["back_height"] = record["height"] + height - 1
    record["back_width"] = record["width"] + width - 1


def _give_rooms(record: Any, convolves: bool, out: Assembler) -> None:
    """Rooms in each thread's scratch: a row of gradients, y, x in its frame, dy in its frame."""
    stage = record[0]
    line = max(stage["out_width"], stage["pooled_width"]) * stage["filters"]
    size = stage["out_height"] * stage["out_width"] * stage["filters"]
    taps = int(stage["kernel_height"] * stage["kernel_width"] * stage["channels"]) if convolves else 0
    given = taps + COLUMNS + max(GIVEN, int(stage["out_width"]) * taps) if stage["scatters"] else 0
    line_behind = (stage["padded_width"] + 2) * stage["channels"]  # which Winograd's way may read
    framed = stage["padded_height"] * stage["padded_width"] * stage["channels"] + line_behind if convolves else 0
    back = stage["back_height"] * stage["back_width"] * stage["filters"] if stage["back_height"] > 0 else size
    listed, winograd = list_floats(stage), 0
    if stage["products"] >= 0 or stage["products_back"] >= 0:
        channels, filters = int(stage["channels"]), int(stage["filters"])
        winograd = max(winograd_floats(int(stage[width]), channels, filters) for width in ("out_width", "width"))
    rooms = out.scratch_rooms(int(line), int(size), int(framed), int(framed if listed else back), given, listed, winograd)
    for name, room in zip(ROOMS, rooms, strict=True):
        record[name] = room
