"""A lens on one layer: where a number goes to, what an output comes from, and the steps with their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from glassnet.analysis.trace.document import Index, Number, Parts, Source, Step, Symbol
from glassnet.analysis.trace.notation import at
from glassnet.analysis.trace.recorder import Record
from glassnet.support.arrays import Array
from glassnet.support.i18n import Message, mark, tr

MEANINGS = {
    "x": mark("what comes in"),
    "y": mark("what comes out"),
    "dy": mark("how the loss changes with the output: what comes back from above"),
    "dx": mark("how the loss changes with the input: what goes on backwards"),
    "w": mark("a weight"),
    "b": mark("the bias"),
    "dw": mark("how the loss changes with the weight"),
    "db": mark("how the loss changes with the bias"),
    "rest": mark("the sum of all terms that are not written"),
}


def symbol(key: str, sign: str, *code: str, meaning: Message | None = None) -> Symbol:
    """A symbol, with the usual meaning of its key if none is given; `code`: its names in the source line."""
    return Symbol(key, sign, meaning or tr(MEANINGS[key]), code)


class Lens:
    """What the microscope knows of one kind of layer. Indices are those of one image.

    `down(out)`: the input that an output owes most to. `up(inside)`: the output through which an input acts most.
    `feeds(key, index)`: the output that a parameter acts on most. `strongest(out)`: of the weights that an output has, the
    one with the largest gradient. `input_of(key, index, out)`: the input that the parameter multiplies for that output.
    `prepare(…)` is told what the path is, before any step is asked for.
    """

    parts: tuple[str, ...] = ()  # names of the outputs' axes, for what is said of wrong ones

    def __init__(self, record: Record) -> None:
        self.record, self.name = record, record.name
        self.layer: Any = record.layer

    def array(self, what: str) -> Array:
        return self.record.array(what)

    def number(self, what: str, index: Index, key: str = "", form: str = ".6g") -> Number:
        """The number at `index` of x, y, dy, dx, a parameter, its gradient (d…) or a statistic."""
        return Number(f"{self.name}.{what}[{at(index)}]", float(self.array(what)[index]), key or what, form)

    def down(self, out: Index) -> Index:
        return out

    def up(self, inside: Index) -> Index:
        return inside

    def feeds(self, key: str, index: Index) -> Index:
        raise TypeError(f"{type(self).__name__} has no weights")

    def belongs(self, key: str, index: Index, out: Index) -> bool:
        """Whether a parameter acts on an output."""
        return True

    def input_of(self, key: str, index: Index, out: Index) -> Index:
        return self.down(out)

    def strongest(self, out: Index) -> tuple[str, Index]:
        """The weight, or where there are none the other parameter, of `out` with the largest gradient."""
        keys = [key for key in self.layer.parameters if key in self.layer.penalised] or list(self.layer.parameters)
        best: tuple[float, str, Index] | None = None
        for key in keys:
            for index in self.of_unit(key, out):
                size = abs(float(self.array(f"d{key}")[index]))
                if best is None or size > best[0]:
                    best = (size, key, index)
        assert best is not None
        return best[1], best[2]

    def of_unit(self, key: str, out: Index) -> list[Index]:
        """The places of a parameter array that act on an output: by default those of its last axis."""
        shape = self.layer.parameters[key].shape
        return [(*index, out[-1]) for index in np.ndindex(*shape[:-1])]

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        """The steps from input to output; `key` and `index`: the traced parameter, if it is this layer's."""
        raise TypeError(f"{type(self).__name__} must define forward")

    def backward(self, inside: Index, out: Index) -> list[Step]:
        """The steps from the gradient by the output to that by the input."""
        raise TypeError(f"{type(self).__name__} must define backward")

    def gradient(self, key: str, index: Index, inside: Index, out: Index) -> list[Step]:
        """The steps from the gradient by the output to that by a parameter."""
        raise TypeError(f"{type(self).__name__} has no weights")

    def step(
        self,
        phase: str,
        title: Message,
        equation: str,
        symbols: Sequence[Symbol],
        numbers: Sequence[Parts],
        sources: Sequence[Source],
        **more: Any,
    ) -> Step:
        return Step(phase, self.name, title, equation, tuple(symbols), tuple(numbers), tuple(sources), **more)


def largest(values: Array) -> Index:
    """The place of the largest absolute value, the first of equals."""
    return tuple(int(i) for i in np.unravel_index(int(np.abs(values).argmax()), values.shape))
