"""How each kind of operation is called in C, and the arrays that it is called with."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from glassnet.interop.operations import Array32, Operation
from glassnet.interop.source import constant
from glassnet.nn.layer import Shape

# Those whose result may take the place of what they read.
IN_PLACE = {"affine", "layer_norm", "relu", "sigmoid", "tanh", "gelu", "swish", "softmax", "add", "share"}
SCRATCH = {"rnn": 2, "lstm": 6, "gru": 7}  # numbers for each unit


@dataclass(frozen=True)
class Step:
    """An operation with the variables that it reads and writes, and the shapes of what it reads."""

    operation: Operation
    inputs: list[str]
    shapes: list[Shape]
    y: str

    @property
    def x(self) -> str:
        return self.inputs[0]

    @property
    def name(self) -> str:
        """The layer's name as one in C."""
        return re.sub(r"\W", "_", self.operation.name, flags=re.ASCII)

    @property
    def count(self) -> int:
        return prod(self.operation.shape)

    def array(self, key: str) -> str:
        return f"NETWORK_{self.name}_{key}"

    def arrays(self) -> dict[str, Array32]:
        """What the calls need as arrays: biases that the layer lacks are zeros, and what broadcasts has one size."""
        arrays, kind = self.operation.arrays, self.operation.kind
        if kind in ("dense", "conv"):
            return arrays | ({} if "bias" in arrays else {"bias": np.zeros(arrays["weight"].shape[-1], dtype=np.float32)})
        if kind != "affine":
            return arrays
        if all(constant(self.operation, key) is not None for key in arrays):
            return {}
        shape = np.broadcast_shapes(*(array.shape for array in arrays.values()))
        default = {"center": 0, "scale": 1, "offset": 0}
        return {key: np.broadcast_to(arrays.get(key, np.float32(default[key])), shape) for key in default}


def number(value: float) -> str:
    """The shortest constant that is the same float32."""
    if not np.isfinite(value):
        return "NAN" if np.isnan(value) else "INFINITY" if value > 0 else "-INFINITY"
    return f"{np.float32(value)!s}f"


def _call(function: str, *arguments: str | int) -> str:
    return f"NETWORK_{function}({', '.join(map(str, arguments))});"


def _elementwise(step: Step) -> list[str]:
    return [_call(step.operation.kind, step.x, step.count, step.y)]


def _along_the_last_axis(step: Step) -> list[str]:
    channels = step.operation.shape[-1]
    return [_call(step.operation.kind, step.x, step.count // channels, channels, step.y)]


def _of_channels(step: Step) -> list[str]:
    return [_call(step.operation.kind, step.x, prod(step.shapes[0][:-1]), step.shapes[0][-1], step.y)]


def _affine(step: Step) -> list[str]:
    arrays = step.arrays()
    if not arrays:
        values = {"center": 0.0, "scale": 1.0, "offset": 0.0}
        values |= {key: float(array.flat[0]) for key, array in step.operation.arrays.items()}
        return [_call("scale", step.x, step.count, *map(number, values.values()), step.y)]
    return [_call("affine", step.x, step.count, *map(step.array, arrays), arrays["scale"].size, step.y)]


def _dense(step: Step) -> list[str]:
    inputs, units = step.operation.arrays["weight"].shape
    return [_call("dense", step.x, inputs, step.array("weight"), step.array("bias"), units, step.y)]


def _windows(step: Step) -> str:
    (rows, columns, channels), settings = step.shapes[0], step.operation.settings
    (height, width), (down, across), (top, _, left, _) = settings["window"], settings["strides"], settings["margins"]
    rows_out, columns_out, _ = step.operation.shape
    return (
        f"static const NETWORK_windows {step.name} = {{\n"
        f"    .rows = {rows}, .columns = {columns}, .channels = {channels},\n"
        f"    .window_rows = {height}, .window_columns = {width}, .down = {down}, .across = {across},\n"
        f"    .top = {top}, .left = {left}, .rows_out = {rows_out}, .columns_out = {columns_out}}};"
    )


def _conv(step: Step) -> list[str]:
    filters = step.operation.shape[-1]
    call = _call("conv", step.x, f"&{step.name}", step.array("weight"), step.array("bias"), filters, step.y)
    return [_windows(step), call]


def _pool(step: Step) -> list[str]:
    return [_windows(step), _call(step.operation.kind, step.x, f"&{step.name}", step.y)]


def _layer_norm(step: Step) -> list[str]:
    channels, epsilon = step.operation.shape[-1], number(step.operation.settings["epsilon"])
    parameters = step.array("gamma"), step.array("beta")
    return [_call("layer_norm", step.x, step.count // channels, channels, *parameters, epsilon, step.y)]


def _relu(step: Step) -> list[str]:
    return [_call("relu", step.x, step.count, number(step.operation.settings["slope"]), step.y)]


def _add(step: Step) -> list[str]:
    first, *others = step.inputs
    return [_call("add", step.y if n else first, other, step.count, step.y) for n, other in enumerate(others)]


def _concatenate(step: Step) -> list[str]:
    calls, width, begin = [], step.operation.shape[-1], 0
    for x, shape in zip(step.inputs, step.shapes, strict=True):
        calls.append(_call("concatenate", x, prod(shape[:-1]), shape[-1], step.y, width, begin))
        begin += shape[-1]
    return calls


def _recurrent(step: Step) -> list[str]:
    settings, arrays = step.operation.settings, step.operation.arrays
    relu = [int(settings["activation"] == "relu")] if step.operation.kind == "rnn" else []
    steps, units = settings["steps"], len(arrays["recurrent_weight"])
    sizes = [units, *relu, int(settings["return_sequences"])]
    width = arrays["weight"].shape[0]
    return [_call(step.operation.kind, step.x, steps, width, *map(step.array, arrays), *sizes, "scratch", step.y)]


CALLS: dict[str, Callable[[Step], list[str]]] = {
    "affine": _affine,
    "flatten": lambda step: [],  # the numbers lie in one row as they are
    "dense": _dense,
    "conv": _conv,
    "max_pool": _pool,
    "average_pool": _pool,
    "global_max": _of_channels,
    "global_average": _of_channels,
    "layer_norm": _layer_norm,
    "relu": _relu,
    "sigmoid": _elementwise,
    "tanh": _elementwise,
    "gelu": _elementwise,
    "swish": _elementwise,
    "softmax": _along_the_last_axis,
    "add": _add,
    "concatenate": _concatenate,
    "rnn": _recurrent,
    "lstm": _recurrent,
    "gru": _recurrent,
    "share": _elementwise,
    "two_classes": lambda step: [_call("two_classes", step.x, step.y)],
}
