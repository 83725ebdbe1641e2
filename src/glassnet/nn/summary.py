"""A network as a table, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

from glassnet.nn import Layer, Nested
from glassnet.nn.layer import Shape
from glassnet.support import terminal
from glassnet.support.i18n import mark, tr

COLUMNS = (mark("layer"), mark("output"), mark("parameters"), mark("operations"), mark("bytes"))


class Table(str):
    """A text that a prompt shows as it is printed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def rows(layers: Sequence[Layer], shapes: Sequence[Shape], item: int) -> list[tuple[str, ...]]:
    """Number, layer, output shape, parameters, operations and bytes: of the input, each layer, and the total.

    `shapes`: of one image, before each layer and after all. `item`: bytes of one number.
    """
    found: list[tuple[str, ...]] = [("", tr("input"), _spell(shapes[0]), "", "", "")]
    for i, layer in enumerate(layers):
        found += _rows(str(i + 1), "", layer, shapes[i], shapes[i + 1], item)
    size = sum(array.size for layer in layers for array in layer.parameters.values())
    operations = sum(layer.operations(shape) for layer, shape in zip(layers, shapes, strict=False))
    return [*found, ("", tr("total"), "", *(f"{n:,}" for n in (size, operations, size * item)))]


def table(layers: Sequence[Layer], shapes: Sequence[Shape], item: int) -> str:
    """The rows as lines of text, with a heading."""
    lines = terminal.table([("", *map(tr, COLUMNS)), *rows(layers, shapes, item)], left=3)
    rule = "─" * max(map(terminal.columns, lines))
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _rows(number: str, indent: str, layer: Layer, before: Shape, after: Shape, item: int) -> list[tuple[str, ...]]:
    """The lines of a layer in the summary, and of those inside it, each marked with its branch."""
    count = sum(array.size for array in layer.parameters.values())
    numbers = (f"{n:,}" for n in (count, layer.operations(before), count * item))
    found = [(number, indent + (type(layer).__name__ if layer.branches else repr(layer)), _spell(after), *numbers)]
    if isinstance(layer, Nested):
        for place, (branch, shapes) in enumerate(zip(layer.branches, layer.branch_shapes, strict=True)):
            for inside, first, last in zip(branch, shapes, shapes[1:], strict=False):
                found += _rows("", f"{' ' * len(indent)}  {place}: ", inside, first, last, item)
    return found


def _spell(shape: Shape) -> str:
    return " × ".join(map(str, shape)) if shape else "1"
