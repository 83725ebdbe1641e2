"""A lens on one layer: where a number goes to, what an output comes from, and the steps with their numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from glassnet.analysis.trace.document import Index, Number, Parts, Source, Step
from glassnet.analysis.trace.notation import Factor, Sign, Values, at, make_step, sum_of_products
from glassnet.analysis.trace.recorder import Record
from glassnet.support.arrays import Array
from glassnet.support.i18n import Message


class Lens(ABC):
    """How the trace explains one kind of layer. Indices are those of one image; `signs`: the symbols of its equations."""

    signs: ClassVar[Mapping[str, Sign]] = {}

    def __init__(self, record: Record) -> None:
        self.record, self.name = record, record.name
        self.layer: Any = record.layer

    @property
    def kind(self) -> str:
        return type(self.layer).__name__

    # ---------------------------------------------------------------- the path

    def down(self, out: Index) -> Index:
        """The input with the largest share in an output."""
        return out

    def up(self, inside: Index) -> Index:
        """The output through which an input acts most."""
        return inside

    def feeds(self, key: str, index: Index) -> Index:
        """The output on which a parameter acts most; only of lenses on layers with parameters."""
        raise NotImplementedError  # a test sees to it that each lens on parameters has its own

    def input_of(self, key: str, index: Index, out: Index) -> Index:
        """The input that a parameter multiplies for an output."""
        return self.down(out)

    def columns(self, key: str, out: Index) -> list[int]:
        """The positions in the last axis of a parameter array that act on an output."""
        return [out[-1]]

    @property
    def keys(self) -> list[str]:
        """The layer's weights, or, where it has none, its other parameters."""
        return [key for key in self.layer.parameters if key in self.layer.penalised] or list(self.layer.parameters)

    def strongest(self, out: Index) -> tuple[str, Index]:
        """The weight of an output with the largest gradient."""
        found = []
        for key in self.keys:
            columns = self.columns(key, out)
            gradient = self.array(f"d{key}")[..., columns]
            place = largest(gradient)
            found.append((abs(float(gradient[place])), key, (*place[:-1], columns[place[-1]])))
        return max(found, key=lambda one: one[0])[1:]

    # ---------------------------------------------------------------- the steps

    @abstractmethod
    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        """The steps from input to output; `key` and `index`: the traced parameter, if it is this layer's."""

    @abstractmethod
    def backward(self, inside: Index, out: Index) -> list[Step]:
        """The steps from the gradient with respect to the output to that by the input."""

    def gradient(self, key: str, index: Index, inside: Index, out: Index) -> list[Step]:
        """The steps from the gradient with respect to the output to that by a parameter, if the layer has any."""
        raise NotImplementedError  # a test sees to it that each lens on parameters has its own

    def step(
        self,
        phase: str,
        title: Message,
        equation: str,
        numbers: Values,
        sources: Sequence[Source],
        template: str = "",
        signs: Mapping[str, Sign] | None = None,
        **more: Any,
    ) -> Step:
        return make_step(phase, self.name, title, equation, signs or self.signs, numbers, sources, template, **more)

    # ---------------------------------------------------------------- the numbers

    def array(self, what: str) -> Array:
        """x, y, dy, dx, a parameter, its gradient (d…) or a statistic."""
        return self.record.array(what)

    def number(self, what: str, index: Index, key: str = "", form: str = ".6g") -> Number:
        """One number of an array."""
        return self.named(what, index, self.array(what)[index], key or what, form)

    def numbers(self, index: Index, *names: str) -> dict[str, Number]:
        """The numbers of several arrays at the same index."""
        return {name: self.number(name, index) for name in names}

    def named(self, what: str, index: Index, value: float, key: str, form: str = ".6g") -> Number:
        """A number that is in no array of the layer."""
        return Number(self._name(what, index), float(value), key, form)

    def _name(self, what: str, index: Index) -> str:
        return f"{self.name}.{what}[{at(index)}]" if index else f"{self.name}.{what}"

    def along(self, what: str, where: tuple[int | slice, ...], key: str) -> Factor:
        """The numbers of an array in a row, as a factor of a sum: np.s_[:, 3] is the column 3."""
        values = self.array(what)[where]

        def name(k: int) -> str:
            free = iter(np.unravel_index(k, values.shape))
            index = tuple(int(next(free)) if isinstance(place, slice) else place for place in where)
            return self._name(what, index)

        return values.ravel(), name, key

    def total(self, name: str, index: Index, *factors: Factor, must: int | None = None) -> Parts:
        """A sum of products, written out; `name` and `index` say which."""
        return sum_of_products(factors, self._name(name, index), must)


def largest(values: Array) -> Index:
    """The index of the largest absolute value, the first of equals."""
    return tuple(int(i) for i in np.unravel_index(int(np.abs(values).argmax()), values.shape))
