"""ONNX operators of arithmetic: with constants, between branches, and the expressions that are layers as a whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np

from glassnet.interop.from_onnx_node import Given, Node
from glassnet.interop.from_onnx_values import (
    Affine,
    Axes,
    Part,
    Value,
    affine,
    append,
    common,
    lowered,
    mark_part,
)
from glassnet.nn import (
    GELU,
    Concatenate,
    Conv2D,
    Dense,
    Layer,
    Residual,
    Sigmoid,
    Swish,
)
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr


def _with_bias(node: Node, value: Value, offset: Array) -> Value | None:
    """A convolution or Dense without a bias that gets one; None for anything else."""
    step = value.step
    if not isinstance(step.layer, (Dense, Conv2D)) or step.layer.use_bias or step.before is None:
        return None
    if offset.ndim > 1 or value.order is not None:
        return None
    old = step.layer
    layer: Layer
    if isinstance(old, Dense):
        layer = Dense(old.units)
    else:
        layer = Conv2D(old.filters, old.kernel_size, strides=old.strides, padding=old.padding)
    arrays = step.arrays | {"bias": np.broadcast_to(offset, step.shape[-1:])}
    return append(replace(value, step=step.before), layer, str(node), arrays, value.axes)


def arithmetic(node: Node) -> Given:
    values = [one for one in node.inputs if isinstance(one, Value)]
    if len(values) > 1:
        return {0: {"Add": _sum, "Sum": _sum, "Mul": _product, "Div": _quotient}.get(node.kind, _lacking)(node, values)}
    value = node.value(0 if isinstance(node.inputs[0], Value) else 1)
    if len(node.inputs) != 2:
        raise node.refused(tr("{count} inputs", count=len(node.inputs)))
    is_first = isinstance(node.inputs[0], Value)
    constant = value.ours(node.weight(1 if is_first else 0))
    if node.kind == "Add":
        return {0: _with_bias(node, value, constant) or affine(value, str(node), offset=constant)}
    if node.kind == "Mul":
        return {0: affine(value, str(node), scale=constant)}
    if node.kind == "Sub":
        if is_first:
            return {0: affine(value, str(node), center=constant)}
        return {0: affine(affine(value, str(node), scale=-1.0), str(node), offset=constant)}
    if not is_first:
        raise node.refused(tr("a constant divided by a value"), tr("a value divided by a constant"))
    return {0: affine(value, str(node), scale=1 / constant)}


def _lacking(node: Node, values: list[Value]) -> Value:
    raise node.refused(tr("{count} inputs that depend on the image", count=len(values)), tr("a constant"))


def _sum(node: Node, values: list[Value]) -> Value:
    value = values[0]
    for other in values[1:]:
        first, second = (np.arange(1) if one.order is None else one.order for one in (value, other))
        if value.axes != other.axes or value.shape != other.shape or not np.array_equal(first, second):
            raise node.refused(f"{value.sizes()} + {other.sizes()}", tr("two values of one shape"))
        if value.step is other.step:
            value = affine(value, str(node), scale=2.0)
        else:
            value = _branched(node, [value, other], _residual, value.axes, value.order)
    return value


def _residual(branches: list[list[Layer]]) -> Residual:
    longest, other = sorted(branches, key=len, reverse=True)
    return Residual(longest, other or None)


def _branched(
    node: Node, values: list[Value], make: Callable[[list[list[Layer]]], Layer], axes: Axes, order: Any = None
) -> Value:
    """The value of a layer made of the branches that lead to several values from the last one that they share."""
    start, ways = common(values)
    lower = [lowered(way, False, lambda name: node.refused(name)) for way in ways]
    inside = [one for branch in lower for one in branch] + [one for way in ways for step in way for one in step.inside]
    made = append(start, make([[layer for layer, _ in branch] for branch in lower]), str(node))
    return Value(replace(made.step, inside=inside), axes, order)


def _product(node: Node, values: list[Value]) -> Value:
    """x·σ(x) is Swish, x·(1 + erf(x/√2)) twice GELU."""
    start, ways = common(values)
    short, long = sorted(ways, key=len)
    kinds = [step.layer for step in long]
    if not short and len(long) == 1 and isinstance(kinds[0], Sigmoid):
        return append(start, Swish(), str(node))
    factor = short[0].layer if len(short) == 1 else Affine(*map(np.array, (0.0, 1.0, 0.0)))
    if len(long) == 3 and len(short) < 2 and kinds[1] == Part("erf") and isinstance(factor, Affine) and factor.is_scale:
        inner, outer = kinds[0], kinds[2]
        if isinstance(inner, Affine) and inner.is_only(sqrt(0.5), 0) and isinstance(outer, Affine) and outer.is_only(1, 1):
            return affine(append(start, GELU(), str(node)), str(node), scale=2 * factor.scale)
    raise node.refused(tr("a product of two values"), "x·σ(x) | x·(1 + erf(x/√2))")


def _quotient(node: Node, values: list[Value]) -> Value:
    start, ways = common(values)
    if ways[0] or [step.layer for step in ways[1]] != [Part("sum")]:
        raise node.refused(tr("a value divided by another"), "x/Σ x")
    return mark_part(start, "share", str(node))


def where(node: Node) -> Given:
    """What guards x/Σ x against a sum of 0."""
    condition = node.inputs[0]
    if not isinstance(condition, Value) or condition.step.layer != Part("positive"):
        raise node.refused(tr("a choice between values"), "x/Σ x")
    return {0: node.value(1)}


def marked(kind: str) -> Callable[[Node], Given]:
    return lambda node: {0: mark_part(node.value(), kind, str(node))}


def concat(node: Node) -> Given:
    values = [node.value(number) for number in range(len(node.inputs))]
    axis, rank = node.axis(node.options["axis"], values[0]), len(values[0].shape)
    if len(values) == 2 and values[0].shape == (1,):
        start, ways = common(values)
        complement = ways[0][0].layer if len(ways[0]) == 1 and not ways[1] else None
        if isinstance(complement, Affine) and complement.is_only(-1, 1):
            return {0: mark_part(start, "two_classes", str(node))}
    joined = values[0].axes[axis] if axis < len(values[0].axes) else ()
    if joined != (rank,) or any(value.axes != values[0].axes or value.order is not None for value in values):
        raise node.refused(f"axis={axis}", tr("the last axis, the channels"))
    return {0: _branched(node, values, Concatenate, values[0].axes)}
