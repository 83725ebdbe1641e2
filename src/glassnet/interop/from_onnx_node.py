"""A node of an ONNX graph with its operands, while it is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from glassnet.errors import InputError
from glassnet.interop.from_onnx_values import (
    Value,
    append,
    last,
)
from glassnet.nn import (
    Flatten,
)
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

Operand = Value | Array | None


Given = dict[int, Value]  # outputs of a node by their number


@dataclass(frozen=True)
class Node:
    """A node with its operands: values that depend on the image, constants, and None where an optional one is absent."""

    kind: str
    name: str
    inputs: list[Operand]
    options: dict[str, Any]
    opset: int
    batch: int  # images in the file's own tensors
    channels_first: bool  # of the network's input

    def refused(self, received: object, expected: object = None) -> InputError:
        what = tr("This ONNX operator can't be imported.")
        return InputError(what, where=str(self), expected=expected, received=received)

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}"

    def value(self, number: int = 0) -> Value:
        """An operand that depends on the image."""
        found = self.inputs[number]
        if not isinstance(found, Value):
            raise self.refused(tr("a constant"), tr("an input that depends on the image"))
        return found

    def constant(self, number: int) -> Array | None:
        """A constant operand; None where it is absent."""
        found = self.inputs[number] if number < len(self.inputs) else None
        if isinstance(found, Value):
            raise self.refused(tr("an input that depends on the image"), tr("a constant"))
        return found

    def weight(self, number: int) -> Array:
        found = self.constant(number)
        if found is None:
            raise self.refused(tr("no weights"))
        return found

    def number(self, key: str, default: float) -> float:
        """A float among the options, as the short decimal that was meant: files hold it in float32."""
        return float(str(np.float32(self.options.get(key, default))))

    def axis(self, number: int, value: Value) -> int:
        return number + len(value.axes) if number < 0 else number


def flat(node: Node, value: Value) -> Value:
    """The value as one axis a image, behind a Flatten where it was not flat."""
    groups = [group for group in value.axes if value.places(group)] if value.shape else []
    if value.axes[:1] != ((0,),) or len(groups) > 2 or (len(value.axes) > 2 and prod(value.sizes()) > max(value.sizes())):
        raise node.refused(tr("a tensor with {count} axes", count=len(value.axes)), tr("one axis for each image"))
    if len(value.shape) == 1:
        return Value(value.step, last(1), value.order)
    axes = [axis for group in value.axes for axis in group if axis]
    axes += sorted({*range(1, len(value.shape) + 1)} - {*axes})
    order = np.arange(prod(value.shape)).reshape(value.shape).transpose([axis - 1 for axis in axes]).ravel()
    made = append(value, Flatten(), str(node), axes=last(1))
    return made if (order == np.arange(len(order))).all() else replace(made, order=order)
