"""An ONNX graph while it is written: nodes, constants, and values whose channels lie first or last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from glassnet.nn.layer import Shape


@dataclass(frozen=True)
class Value:
    """A tensor of the graph: `shape` is that of one image in glassnet, channels last.

    `first`: an image whose channels come first in the tensor. `folded`: of a flattened image whose channels come first in
    the tensor, its shape before it was flattened.
    """

    name: str
    shape: Shape
    first: bool = False
    folded: Shape | None = None


class Graph:
    """Nodes and constants, named after the layer that they belong to."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.layer = "input"
        self.exact = False  # whether a sigmoid must be right in its smallest values, too
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._names: dict[str, int] = {}
        self._other: dict[str, Value] = {}  # the same tensor in the other order

    def _unique(self, name: str) -> str:
        count = self._names[name] = self._names.get(name, 0) + 1
        return name if count == 1 else f"{name}_{count}"

    def constant(self, array: Any, name: str = "constant") -> str:
        from onnx import numpy_helper

        made = self._unique(f"{self.layer}.{name}")
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(np.shape(array)), made))
        return made

    def node(self, name: str, kind: str, *inputs: Any, output: str | None = None, outputs: int = 1, **options: Any) -> str:
        """The name of the node's last output; inputs that are arrays become constants."""
        from onnx import helper

        names = [part if isinstance(part, str) else self.constant(part, name) for part in inputs]
        called = self._unique(f"{self.layer}/{name}")
        made = ["" if number < outputs - 1 else output or called for number in range(outputs)]
        self.nodes.append(helper.make_node(kind, names, made, name=called, **options))
        return made[-1]

    def reshape(self, name: str, *sizes: int) -> str:
        return self.node("Reshape", "Reshape", name, np.array([0, *sizes], dtype=np.int64))  # 0: as many images

    def last(self, value: Value) -> Value:
        """The value in glassnet's order."""
        if not value.first and value.folded is None:
            return value
        if value.name not in self._other:
            rows, columns, channels = value.folded or value.shape
            name = self.reshape(value.name, channels, rows, columns) if value.folded else value.name
            name = self.node("Transpose", "Transpose", name, perm=[0, 2, 3, 1])
            self._other[value.name] = Value(self.reshape(name, *value.shape) if value.folded else name, value.shape)
        return self._other[value.name]

    def first(self, value: Value) -> Value:
        """An image with its channels first."""
        if value.first:
            return value
        if value.name not in self._other:
            name = self.node("Transpose", "Transpose", value.name, perm=[0, 3, 1, 2])
            self._other[value.name] = Value(name, value.shape, first=True)
        return self._other[value.name]
