"""What each ONNX operator that glassnet knows becomes: one function an operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

import numpy as np

from glassnet.interop.from_onnx_arithmetic import arithmetic, concat, marked, where
from glassnet.interop.from_onnx_node import Given, Node, flat
from glassnet.interop.from_onnx_sequences import GATES, gather, recurrent
from glassnet.interop.from_onnx_values import (
    Value,
    append,
    last,
    mark_part,
    reshaped,
)
from glassnet.interop.from_onnx_windows import conv, global_pool, pool
from glassnet.nn import (
    GELU,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    GlobalAveragePool2D,
    GlobalMaxPool2D,
    Layer,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr


def _dense(node: Node, value: Value, weight: Array, bias: Array | None) -> Value:
    value = flat(node, value)
    if weight.ndim != 2:
        raise node.refused(weight.shape, tr("weights with 2 axes"))
    if value.order is not None and len(value.order) == len(weight):
        weight = weight[np.argsort(value.order)]
    arrays = {"weight": weight}
    if bias is not None:
        arrays["bias"] = np.broadcast_to(bias, (1, weight.shape[1]))[0]
    return append(value, Dense(weight.shape[1], use_bias=bias is not None), str(node), arrays, last(1))


def _gemm(node: Node) -> Given:
    weight, bias = node.weight(1), node.constant(2)
    if node.options.get("transA"):
        raise node.refused("transA=1")
    weight = (weight.T if node.options.get("transB") else weight) * node.options.get("alpha", 1.0)
    return {0: _dense(node, node.value(), weight, None if bias is None else bias * node.options.get("beta", 1.0))}


def _matmul(node: Node) -> Given:
    return {0: _dense(node, node.value(), node.weight(1), None)}


def _conv_like(old: Conv2D) -> Conv2D:
    return Conv2D(old.filters, old.kernel_size, strides=old.strides, padding=old.padding)


def _batch_norm(node: Node) -> Given:
    value = node.value()
    rows = [node.weight(number) for number in (1, 2, 3, 4)]
    if node.options.get("training_mode"):
        raise node.refused("training_mode=1", "training_mode=0")
    if len(value.axes) == 2:
        value = flat(node, value)
    if value.places(value.axes[1]) not in ((len(value.shape),), ()):
        raise node.refused(value.sizes(), tr("channels along axis 1"))
    if value.order is not None:
        rows = [row[np.argsort(value.order)] for row in rows]
    momentum = node.number("momentum", 0.9)
    layer = BatchNorm(momentum if 0 <= momentum < 1 else 0.9, node.number("epsilon", 1e-5))
    arrays = dict(zip(("gamma", "beta", "mean", "variance"), rows, strict=True))
    return {0: append(value, layer, str(node), arrays)}


def _layer_norm(node: Node) -> Given:
    value, gamma, beta = node.value(), node.weight(1), node.constant(2)
    axis = node.axis(node.options.get("axis", -1), value)
    if axis != len(value.axes) - 1 or value.places(value.axes[-1]) != (len(value.shape),) or not value.natural():
        raise node.refused(f"axis={axis}", tr("the last axis, the channels"))
    arrays = {"gamma": gamma.ravel(), "beta": np.zeros(gamma.size) if beta is None else beta.ravel()}
    return {0: append(value, LayerNorm(node.number("epsilon", 1e-5)), str(node), arrays)}


def _plain(make: Callable[[Node], Layer]) -> Callable[[Node], Given]:
    return lambda node: {0: append(node.value(), make(node), str(node))}


def _gelu(node: Node) -> Given:
    if node.options.get("approximate", b"none") != b"none":
        raise node.refused("approximate='tanh'", "approximate='none'")
    return {0: append(node.value(), GELU(), str(node))}


def _softmax(node: Node) -> Given:
    value = node.value()
    value = flat(node, value) if len(value.axes) == 2 else value
    axis = node.axis(node.options.get("axis", -1 if node.opset >= 13 else 1), value)
    groups = value.axes[axis:] if node.opset < 13 else value.axes[axis : axis + 1]
    if [at for group in groups for at in value.places(group)] not in ([len(value.shape)], []) or not value.natural():
        raise node.refused(f"axis={axis}", tr("the last axis, the channels"))
    return {0: mark_part(value, "log", str(node)) if node.kind == "LogSoftmax" else append(value, Softmax(), str(node))}


def _same(node: Node) -> Given:
    return {0: node.value()}


def _cast(node: Node) -> Given:
    from onnx import TensorProto

    if node.options["to"] not in (TensorProto.FLOAT, TensorProto.DOUBLE):
        raise node.refused(TensorProto.DataType.Name(node.options["to"]), "FLOAT | DOUBLE")
    return {0: node.value()}


def _transpose(node: Node) -> Given:
    value = node.value()
    perm = node.options.get("perm", range(len(value.axes))[::-1])
    return {0: replace(value, axes=tuple(value.axes[axis] for axis in perm))}


def _reshape(node: Node) -> Given:
    value = node.value()
    sizes = [node.batch if group == (0,) else size for group, size in zip(value.axes, value.sizes(), strict=True)]
    if node.kind == "Flatten":
        axis = node.axis(node.options.get("axis", 1), value)
        dims = [prod(sizes[:axis]), prod(sizes[axis:])]
    else:
        dims = [int(size) for size in node.weight(1)]
        dims = [sizes[at] if size == 0 and at < len(sizes) else size for at, size in enumerate(dims)]
    if dims.count(-1) == 1:
        dims[dims.index(-1)] = prod(sizes) // max(prod(size for size in dims if size != -1), 1)
    found = reshaped(value, dims[1:], node.channels_first) if dims[:1] == [node.batch] else None
    if found is None or prod(found.sizes()) != prod(value.sizes()):
        raise node.refused(f"{sizes} → {dims}", tr("axes joined, as by Flatten"))
    return {0: found}


def _squeeze(node: Node) -> Given:
    value = node.value()
    given = node.options.get("axes", node.constant(1))
    if node.kind == "Unsqueeze":
        wanted = [] if given is None else [int(axis) for axis in given]
        rank = len(value.axes) + len(wanted)
        rest, added = list(value.axes), {axis % rank for axis in wanted}
        return {0: replace(value, axes=tuple(() if at in added else rest.pop(0) for at in range(rank)))}
    sizes = value.sizes()
    axes = [at for at, size in enumerate(sizes) if size == 1] if given is None else [node.axis(int(a), value) for a in given]
    return {0: replace(value, axes=tuple(g for at, g in enumerate(value.axes) if at not in axes or 0 in g))}


OPERATORS: dict[str, Callable[[Node], Given]] = {
    **dict.fromkeys(("Identity", "Dropout"), _same),
    **dict.fromkeys(("Add", "Sum", "Sub", "Mul", "Div"), arithmetic),
    **dict.fromkeys(("Reshape", "Flatten"), _reshape),
    **dict.fromkeys(("Squeeze", "Unsqueeze"), _squeeze),
    **dict.fromkeys(("GlobalAveragePool", "ReduceMean"), global_pool(GlobalAveragePool2D)),
    **dict.fromkeys(("GlobalMaxPool", "ReduceMax"), global_pool(GlobalMaxPool2D)),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    **dict.fromkeys(GATES, recurrent),
    "AveragePool": pool(AveragePool2D),
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Concat": concat,
    "Conv": conv,
    "Erf": marked("erf"),
    "Gather": gather,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "Greater": marked("positive"),
    "LayerNormalization": _layer_norm,
    "LeakyRelu": _plain(lambda node: LeakyReLU(node.number("alpha", 0.01))),
    "MatMul": _matmul,
    "MaxPool": pool(MaxPool2D),
    "ReduceSum": marked("sum"),
    "Relu": _plain(lambda node: ReLU()),
    "Sigmoid": _plain(lambda node: Sigmoid()),
    "Tanh": _plain(lambda node: Tanh()),
    "Transpose": _transpose,
    "Where": where,
}
