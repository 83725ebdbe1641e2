"""ONNX operators on images: convolution and pooling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from glassnet.interop.from_onnx_node import Given, Node
from glassnet.interop.from_onnx_values import (
    FIRST,
    Value,
    append,
)
from glassnet.nn import (
    AveragePool2D,
    Conv2D,
    Layer,
    MaxPool2D,
)
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr


def _image(node: Node, value: Value) -> Value:
    if not (len(value.shape) == 3 and value.fits(FIRST)):
        raise node.refused(value.sizes(), tr("an image with its channels first"))
    return value


Found = tuple[tuple[int, int], tuple[int, int]]


def _positions(node: Node, shape: tuple[int, ...], window: tuple[int, ...], strides: tuple[int, ...]) -> Found:
    """For both axes: where the first window begins, before the image, and how many windows there are."""
    auto, pads = node.options.get("auto_pad", b"NOTSET").decode(), node.options.get("pads", [0, 0, 0, 0])
    found = []
    for axis, (size, width, stride) in enumerate(zip(shape, window, strides, strict=False)):
        before, after = pads[axis], pads[axis + 2]
        if auto != "NOTSET":
            total = max((-(-size // stride) - 1) * stride + width - size, 0) if auto.startswith("SAME") else 0
            before = total // 2 if auto == "SAME_UPPER" else total - total // 2
            after = total - before
        rest = size + before + after - width
        count = (-(-rest // stride) if node.options.get("ceil_mode") else rest // stride) + 1
        count -= int((count - 1) * stride >= size + before)  # a window must not begin behind the image
        found.append((before, count))
    return found[0], found[1]


def _fitting(make: Callable[..., Any], shape: tuple[int, ...], found: Found) -> Any:
    """The layer whose windows lie there, by "valid" or "same"; None if both lie elsewhere."""
    for padding in ("valid", "same"):
        layer = make(padding=padding)
        (top, _, left, _), (rows, columns) = layer.margins(shape), (0, 0)
        if padding == "same" or (shape[0] >= layer.window[0] and shape[1] >= layer.window[1]):
            rows, columns = layer.positions(shape)
        if ((top, rows), (left, columns)) == found:
            return layer
    return None


def _pair(node: Node, key: str, default: Any = (1, 1)) -> tuple[int, int]:
    found = tuple(node.options.get(key, default))
    if len(found) != 2:
        raise node.refused(f"{key}={list(found)}", tr("windows with 2 axes"))
    return found[0], found[1]


def conv(node: Node) -> Given:
    value, weight, bias = node.value(), node.weight(1), node.constant(2)
    if node.options.get("group", 1) != 1:
        raise node.refused(f"group={node.options['group']}", "group=1")
    strides = _pair(node, "strides")
    if _pair(node, "dilations") != (1, 1) or weight.ndim != 4:
        raise node.refused(f"dilations={node.options.get('dilations')}", tr("windows with 2 axes, without dilation"))
    value = _image(node, value)
    weight = weight.transpose(2, 3, 1, 0)
    found = _positions(node, value.shape, weight.shape[:2], strides)

    def make(weight: Array) -> Any:
        def of(**padding: str) -> Conv2D:
            return Conv2D(weight.shape[3], weight.shape[:2], strides=strides, use_bias=bias is not None, **padding)

        return _fitting(of, value.shape, found)

    layer = make(weight)
    if layer is None:  # a window with zeros at its sides may lie there
        margins = [(0, 0), (0, 0), (0, 0), (0, 0)]
        for axis, (before, count) in enumerate(found):
            total = (count - 1) * strides[axis] + weight.shape[axis] - value.shape[axis]
            margins[axis] = max(total - 2 * before, 0), max(2 * before - total, 0)
        wide = np.pad(weight, margins)
        shifted = tuple((before + margins[axis][0], count) for axis, (before, count) in enumerate(found))
        found, weight = (shifted[0], shifted[1]), wide
        layer = make(weight)
    if layer is None:
        raise node.refused(f"pads={node.options.get('pads')}", tr('the padding of "valid" or "same"'))
    arrays = {"weight": weight} | ({} if bias is None else {"bias": bias})
    return {0: append(value, layer, str(node), arrays, FIRST)}


def pool(kind: type[MaxPool2D] | type[AveragePool2D]) -> Callable[[Node], Given]:
    def read(node: Node) -> Given:
        value = _image(node, node.value())
        window, strides = _pair(node, "kernel_shape", ()), _pair(node, "strides")
        if _pair(node, "dilations") != (1, 1):
            raise node.refused(f"dilations={node.options['dilations']}", "dilations=[1, 1]")
        found = _positions(node, value.shape, window, strides)
        layer = _fitting(lambda **padding: kind(window, strides, **padding), value.shape, found)
        if layer is None:
            raise node.refused(f"pads={node.options.get('pads')}", tr('the padding of "valid" or "same"'))
        padded = any(node.options.get("pads", ())) or node.options.get("auto_pad", b"")[:4] == b"SAME"
        if kind is AveragePool2D and node.options.get("count_include_pad") and padded and any(layer.margins(value.shape)):
            raise node.refused("count_include_pad=1", "count_include_pad=0")
        return {0: append(value, layer, str(node), axes=FIRST)}

    return read


def global_pool(kind: type[Layer]) -> Callable[[Node], Given]:
    """GlobalAveragePool, and ReduceMean over rows and columns."""

    def read(node: Node) -> Given:
        value = node.value()
        axes, keep = [2, 3], True
        if node.kind.startswith("Reduce"):
            given = node.options.get("axes", node.constant(1))
            axes = [node.axis(int(axis), value) for axis in ([] if given is None else given)]
            keep = bool(node.options.get("keepdims", 1))
        reduced = {axis for at in axes if at < len(value.axes) for axis in value.places(value.axes[at])}
        if len(value.shape) != 3 or reduced != {axis for axis in (1, 2) if value.size(axis) > 1}:
            raise node.refused(f"axes={axes}", tr("rows and columns of an image"))
        groups = [
            () if at in axes else tuple({3: 1, 0: 0}[axis] for axis in group if axis in (0, 3))
            for at, group in enumerate(value.axes)
            if keep or at not in axes
        ]
        return {0: append(value, kind(), str(node), axes=tuple(groups))}

    return read
