"""How each kind of operation is written in ONNX: one function a kind, from the values that it reads to the one it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod, sqrt
from typing import Any

import numpy as np

from glassnet.interop.onnx_graph import Graph, Value
from glassnet.interop.operations import Array32, Operation
from glassnet.support.arrays import Array

NEAR = 16.0  # a center so near to 0, in units of the scale, becomes part of the offset: the rounding is below 1e-6

Values = list[Value]


def _number(value: float) -> Array32:
    return np.array(value, dtype=np.float32)


def _placed(array: Array, value: Value) -> Array32:
    """An array that broadcasts over the last axes of a value's shape, in the order in which its tensor has them."""
    if array.size == 1:
        return _number(array.item())
    if value.first:
        array = array.reshape((1,) * (3 - array.ndim) + array.shape).transpose(2, 0, 1)
    elif value.folded is not None:
        array = array.reshape(value.folded).transpose(2, 0, 1).ravel()
    return array.astype(np.float32)


def _affine(graph: Graph, operation: Operation, values: Values) -> Value:
    (value,) = values
    center, scale, offset = (
        operation.arrays.get(key, np.array(neutral)).astype(np.float64)
        for key, neutral in (("center", 0.0), ("scale", 1.0), ("offset", 0.0))
    )
    if np.abs(center * scale).max() <= NEAR:
        center, offset = np.array(0.0), offset - center * scale
    name = value.name
    for kind, array, neutral in (("Sub", center, 0), ("Mul", scale, 1), ("Add", offset, 0)):
        if (array != neutral).any():
            name = graph.node(kind, kind, name, _placed(array, value))
    return replace(value, name=name)


def _flatten(graph: Graph, operation: Operation, values: Values) -> Value:
    (value,) = values
    if len(value.shape) == 1:
        return value
    folded = value.shape if value.first and value.shape[2] > 1 and prod(value.shape[:2]) > 1 else None
    return Value(graph.reshape(value.name, *operation.shape), operation.shape, folded=folded)


def _dense(graph: Graph, operation: Operation, values: Values) -> Value:
    (value,) = values
    weight = operation.arrays["weight"]
    if value.folded is not None:  # a row for each number that comes, in the order in which they come
        weight = weight.reshape(*value.folded, -1).transpose(2, 0, 1, 3).reshape(weight.shape)
    bias = [operation.arrays["bias"]] if "bias" in operation.arrays else []
    return Value(graph.node("Gemm", "Gemm", value.name, weight, *bias), operation.shape)


def _windows(kind: str) -> Callable[[Graph, Operation, Values], Value]:
    def write(graph: Graph, operation: Operation, values: Values) -> Value:
        top, bottom, left, right = operation.settings["margins"]
        arrays = []
        if kind == "Conv":
            arrays = [operation.arrays["weight"].transpose(3, 2, 0, 1)]
            arrays += [operation.arrays["bias"]] if "bias" in operation.arrays else []
        name = graph.node(
            kind,
            kind,
            graph.first(values[0]).name,
            *arrays,
            kernel_shape=operation.settings["window"],
            strides=operation.settings["strides"],
            pads=[top, left, bottom, right],
        )
        return Value(name, operation.shape, first=True)

    return write


def _global(kind: str) -> Callable[[Graph, Operation, Values], Value]:
    def write(graph: Graph, operation: Operation, values: Values) -> Value:
        name = graph.node(kind, kind, graph.first(values[0]).name)
        return Value(graph.reshape(name, *operation.shape), operation.shape)

    return write


def _layer_norm(graph: Graph, operation: Operation, values: Values) -> Value:
    arrays = operation.arrays["gamma"], operation.arrays["beta"]
    name = graph.last(values[0]).name
    name = graph.node("LayerNormalization", "LayerNormalization", name, *arrays, epsilon=operation.settings["epsilon"])
    return Value(name, operation.shape)


def _plain(kind: str) -> Callable[[Graph, Operation, Values], Value]:
    return lambda graph, operation, values: replace(values[0], name=graph.node(kind, kind, values[0].name))


def _relu(graph: Graph, operation: Operation, values: Values) -> Value:
    slope = operation.settings["slope"]
    if not slope:
        return _plain("Relu")(graph, operation, values)
    return replace(values[0], name=graph.node("LeakyRelu", "LeakyRelu", values[0].name, alpha=slope))


def _sigmoid(graph: Graph, operation: Operation, values: Values) -> Value:
    from onnx import TensorProto

    if not graph.exact:
        return _plain("Sigmoid")(graph, operation, values)
    # onnxruntime's float32 sigmoid is 0 below −18, but "share" divides by the sum, which may be as small
    name = graph.node("Cast", "Cast", graph.last(values[0]).name, to=TensorProto.DOUBLE)
    name = graph.node("Sigmoid", "Sigmoid", name)
    return Value(graph.node("Cast", "Cast", name, to=TensorProto.FLOAT), operation.shape)


def _gelu(graph: Graph, operation: Operation, values: Values) -> Value:
    x = values[0].name
    if graph.opset >= 20:
        return _plain("Gelu")(graph, operation, values)
    erf = graph.node("Erf", "Erf", graph.node("Div", "Div", x, _number(sqrt(2))))
    twice = graph.node("Mul", "Mul", x, graph.node("Add", "Add", erf, _number(1)))
    return replace(values[0], name=graph.node("Mul", "Mul", twice, _number(0.5)))


def _swish(graph: Graph, operation: Operation, values: Values) -> Value:
    x = values[0].name
    return replace(values[0], name=graph.node("Mul", "Mul", x, graph.node("Sigmoid", "Sigmoid", x)))


def _softmax(graph: Graph, operation: Operation, values: Values) -> Value:
    return Value(graph.node("Softmax", "Softmax", graph.last(values[0]).name, axis=-1), operation.shape)


def _add(graph: Graph, operation: Operation, values: Values) -> Value:
    if all(value.first for value in values):
        return replace(values[0], name=graph.node("Add", "Add", *(value.name for value in values)))
    return Value(graph.node("Add", "Add", *(graph.last(value).name for value in values)), operation.shape)


def _concatenate(graph: Graph, operation: Operation, values: Values) -> Value:
    if all(value.first for value in values):
        return Value(graph.node("Concat", "Concat", *(value.name for value in values), axis=1), operation.shape, first=True)
    return Value(graph.node("Concat", "Concat", *(graph.last(value).name for value in values), axis=-1), operation.shape)


def _gates(array: Array, order: tuple[int, ...]) -> Array:
    """Blocks of columns, one a gate, in another order, transposed."""
    blocks = np.split(array, len(order), axis=-1)
    return np.concatenate([blocks[number] for number in order], axis=-1).T[None]


def _recurrent(kind: str, order: tuple[int, ...]) -> Callable[[Graph, Operation, Values], Value]:
    """`order`: which of our gates come first, second … in ONNX: LSTM i, o, f, g; GRU z, r, n."""

    def write(graph: Graph, operation: Operation, values: Values) -> Value:
        arrays, steps = operation.arrays, operation.settings["steps"]
        units = len(arrays["recurrent_weight"])
        value = graph.last(values[0])
        sequence = value.name if len(value.shape) == 2 else graph.reshape(value.name, steps, prod(value.shape[1:]))
        inner = np.zeros(len(order) * units, dtype=np.float32)  # the bias beside the recurrent weight
        if "recurrent_bias" in arrays:
            inner[2 * units :] = arrays["recurrent_bias"]
        weight, recurrent = (_gates(arrays[key], order) for key in ("weight", "recurrent_weight"))
        bias = np.concatenate([_gates(arrays["bias"], order), _gates(inner, order)], axis=1)
        options: dict[str, Any] | None = {"LSTM": {}, "GRU": {"linear_before_reset": 1}}.get(kind)
        if options is None:
            options = {"activations": [{"tanh": "Tanh", "relu": "Relu"}[operation.settings["activation"]]]}
        all_states = operation.settings["return_sequences"]
        name = graph.node("Transpose", "Transpose", sequence, perm=[1, 0, 2])  # (T, N, D)
        name = graph.node(
            kind, kind, name, weight, recurrent, bias, outputs=1 if all_states else 2, hidden_size=units, **options
        )
        name = graph.node("Squeeze", "Squeeze", name, np.array([1 if all_states else 0]))  # of directions
        if all_states:
            name = graph.node("Transpose", "Transpose", name, perm=[1, 0, 2])
        return Value(name, operation.shape)

    return write


def _share(graph: Graph, operation: Operation, values: Values) -> Value:
    x = graph.last(values[0]).name
    total = graph.node("ReduceSum", "ReduceSum", x, np.array([-1]), keepdims=1)
    some = graph.node("Greater", "Greater", total, _number(0))
    safe = graph.node("Where", "Where", some, total, _number(1))  # divided by in any case
    parts = graph.node("Div", "Div", x, safe)
    return Value(graph.node("Where", "Where", some, parts, _number(1 / operation.shape[-1])), operation.shape)


def _two_classes(graph: Graph, operation: Operation, values: Values) -> Value:
    x = values[0].name
    return Value(graph.node("Concat", "Concat", graph.node("Sub", "Sub", _number(1), x), x, axis=-1), operation.shape)


OPERATORS: dict[str, Callable[[Graph, Operation, Values], Value]] = {
    "affine": _affine,
    "flatten": _flatten,
    "dense": _dense,
    "conv": _windows("Conv"),
    "max_pool": _windows("MaxPool"),
    "average_pool": _windows("AveragePool"),
    "global_max": _global("GlobalMaxPool"),
    "global_average": _global("GlobalAveragePool"),
    "layer_norm": _layer_norm,
    "relu": _relu,
    "sigmoid": _sigmoid,
    "tanh": _plain("Tanh"),
    "gelu": _gelu,
    "swish": _swish,
    "softmax": _softmax,
    "add": _add,
    "concatenate": _concatenate,
    "rnn": _recurrent("RNN", (0,)),
    "lstm": _recurrent("LSTM", (0, 3, 1, 2)),
    "gru": _recurrent("GRU", (1, 0, 2)),
    "share": _share,
    "two_classes": _two_classes,
}
