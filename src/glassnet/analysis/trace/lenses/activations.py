"""Lenses on what acts value by value: activations, scaling, Flatten, Dropout; and on softmax."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import erf, exp, pi, sqrt
from typing import Any

import numpy as np

from glassnet import nn as layers
from glassnet.analysis.trace.document import Index, Number, Parts, Source, Step, Symbol
from glassnet.analysis.trace.lens import Lens, largest, symbol
from glassnet.analysis.trace.notation import at, sum_of_products
from glassnet.analysis.trace.sources import line_of
from glassnet.nn import activations as nn_activations
from glassnet.support.i18n import Message, mark, tr

SLOPE = mark("the slope below zero")
SHARE = mark("the normal distribution's share below x")
DENSITY = mark("the normal distribution's density at x")
SIGMA = mark("the sigmoid of x")


class Pointwise(Lens, ABC):
    """y = f(x) of every value by itself; a subclass says how in words and numbers."""

    forward_equation = backward_equation = ""
    note = backward_note = ""

    def more(self) -> list[Symbol]:
        """Further symbols of the equations."""
        return []

    @abstractmethod
    def value(self, x: Number, index: Index) -> Parts:
        """The right side of the equation forward."""

    @abstractmethod
    def slope(self, dy: Number, x: Number, y: Number, index: Index) -> Parts:
        """The right side of the equation backward."""

    def lines(self) -> tuple[Source, Source]:
        """The lines that compute forward and backward."""
        return line_of(type(self.layer).forward), line_of(type(self.layer).forward)

    @staticmethod
    def _told(note: str) -> Message | None:
        return tr(note) if note else None

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        kind = type(self.layer).__name__
        x, y = self.number("x", inside), self.number("y", out)
        symbols = [symbol("y", "y", "y"), symbol("x", "x", "x", "half"), *self.more()]
        title = tr("{kind}: value {unit}", kind=kind, unit=at(out))
        numbers = [[y, " = ", *self.value(x, inside)]]
        return [
            self.step("forward", title, self.forward_equation, symbols, numbers, self.lines()[:1], note=self._told(self.note))
        ]

    def backward(self, inside: Index, out: Index) -> list[Step]:
        kind = type(self.layer).__name__
        x, y = self.number("x", inside), self.number("y", out)
        dy, dx = self.number("dy", out), self.number("dx", inside)
        symbols = [symbol("dx", "∂C/∂x", "dx"), symbol("dy", "∂C/∂y", "dy"), symbol("y", "y", "y"), symbol("x", "x", "x")]
        title = tr("back through {kind}", kind=kind)
        numbers = [[dx, " = ", *self.slope(dy, x, y, inside)]]
        used = [s for s in (*symbols, *self.more()) if "{" + s.key + "}" in self.backward_equation]
        return [
            self.step(
                "backward",
                title,
                self.backward_equation,
                used,
                numbers,
                self.lines()[1:],
                tag="BP2",
                note=self._told(self.backward_note),
            )
        ]


class SigmoidLens(Pointwise):
    forward_equation, backward_equation = "{y} = σ({x}) = 1 / (1 + e^(−{x}))", "{dx} = {dy}·{y}·(1 − {y})"
    note = mark("Computed by tanh, which is the same and cannot overflow.")
    backward_note = mark("y·(1 − y) is σ′(x): the slope of the sigmoid.")

    def lines(self) -> tuple[Source, Source]:
        return line_of(nn_activations.sigmoid), line_of(nn_activations.sigmoid_backward)

    def value(self, x: Number, index: Index) -> Parts:
        return ["1 / (1 + e^(−(", x, ")))"]

    def slope(self, dy: Number, x: Number, y: Number, index: Index) -> Parts:
        return [dy, "·", y, "·(1 − ", y, ")"]


class TanhLens(Pointwise):
    forward_equation, backward_equation = "{y} = tanh {x}", "{dx} = {dy}·(1 − {y}²)"

    def lines(self) -> tuple[Source, Source]:
        return line_of(layers.Tanh.forward, "y"), line_of(nn_activations.tanh_backward)

    def value(self, x: Number, index: Index) -> Parts:
        return ["tanh(", x, ")"]

    def slope(self, dy: Number, x: Number, y: Number, index: Index) -> Parts:
        return [dy, "·(1 − (", y, ")²)"]


class ReLULens(Pointwise):
    forward_equation, backward_equation = "{y} = max({x}, 0)", "{dx} = {dy}·[{x} > 0]"
    backward_note = mark("[x > 0] is 1 if that is so, else 0.")

    def lines(self) -> tuple[Source, Source]:
        return line_of(nn_activations.leaky_relu), line_of(nn_activations.leaky_relu_backward)

    def value(self, x: Number, index: Index) -> Parts:
        return ["max(", x, ", 0)"]

    def slope(self, dy: Number, x: Number, y: Number, index: Index) -> Parts:
        return [dy, "·[", x, " > 0]"]


class LeakyReLULens(ReLULens):
    forward_equation = "{y} = {x} ({x} > 0),  {s}·{x} ({x} ≤ 0)"
    backward_equation = "{dx} = {dy} ({x} > 0),  {s}·{dy} ({x} ≤ 0)"
    backward_note = ""

    def more(self) -> list[Symbol]:
        return [symbol("s", "s", "slope", meaning=tr(SLOPE))]

    def _slope(self) -> Number:
        return Number(f"{self.name}.slope", float(self.layer.slope), "s")

    def value(self, x: Number, index: Index) -> Parts:
        return [x] if x.value > 0 else [self._slope(), "·", x]

    def slope(self, dy: Number, x: Number, y: Number, index: Index) -> Parts:
        return [dy] if x.value > 0 else [self._slope(), "·", dy]


class GELULens(Pointwise):
    forward_equation, backward_equation = "{y} = {x}·{share}", "{dx} = {dy}·({share} + {x}·{density})"

    def more(self) -> list[Symbol]:
        return [
            symbol("share", "Φ(x)", "share", meaning=tr(SHARE)),
            symbol("density", "φ(x)", "DENSITY", "exp", meaning=tr(DENSITY)),
        ]

    def lines(self) -> tuple[Source, Source]:
        return line_of(layers.GELU.forward), line_of(layers.GELU.forward, "dx")

    def _share(self, x: Number, index: Index) -> Number:
        return Number(f"{self.name}.share[{at(index)}]", 0.5 * (1 + erf(x.value / sqrt(2))), "share")

    def value(self, x: Number, index: Index) -> Parts:
        return [x, "·", self._share(x, index)]

    def slope(self, dy: Number, x: Number, y: Number, index: Index) -> Parts:
        near = Number(f"{self.name}.density[{at(index)}]", exp(-0.5 * x.value**2) / sqrt(2 * pi), "density")
        return [dy, "·(", self._share(x, index), " + ", x, "·", near, ")"]


class SwishLens(Pointwise):
    forward_equation, backward_equation = "{y} = {x}·{s}", "{dx} = {dy}·{s}·(1 + {x}·(1 − {s}))"

    def more(self) -> list[Symbol]:
        return [symbol("s", "σ(x)", "sigmoid", "s", meaning=tr(SIGMA))]

    def lines(self) -> tuple[Source, Source]:
        return line_of(layers.Swish.forward), line_of(layers.Swish.forward, "dx")

    def _sigma(self, index: Index) -> Number:
        value = nn_activations.sigmoid(self.array("x")[index])
        return Number(f"{self.name}.sigma[{at(index)}]", float(value), "s")

    def value(self, x: Number, index: Index) -> Parts:
        return [x, "·", self._sigma(index)]

    def slope(self, dy: Number, x: Number, y: Number, index: Index) -> Parts:
        s = self._sigma(index)
        return [dy, "·", s, "·(1 + ", x, "·(1 − ", s, "))"]


class PixelsLens(Pointwise):
    """Of integer images; of floats it is `SameLens`."""

    forward_equation, backward_equation = "{y} = {x} / 255", "{dx} = {dy} / 255"
    note = mark("Bytes 0…255 become numbers 0…1.")

    def value(self, x: Number, index: Index) -> Parts:
        return [x, " / 255"]

    def slope(self, dy: Number, x: Number, y: Number, index: Index) -> Parts:
        return [dy, " / 255"]

    def lines(self) -> tuple[Source, Source]:
        return (line_of(layers.Pixels.forward, place=0),) * 2


class ScaleLens(Pointwise):
    forward_equation, backward_equation = "{y} = {f}·{x} + {o}", "{dx} = {dy}·{f}"

    def more(self) -> list[Symbol]:
        return [
            symbol("f", "a", "factor", meaning=tr("the layer's factor")),
            symbol("o", "c", "offset", meaning=tr("what is added")),
        ]

    def value(self, x: Number, index: Index) -> Parts:
        factor = Number(f"{self.name}.factor", self.layer.factor, "f")
        return [factor, "·", x, " + ", Number(f"{self.name}.offset", self.layer.offset, "o")]

    def slope(self, dy: Number, x: Number, y: Number, index: Index) -> Parts:
        return [dy, "·", Number(f"{self.name}.factor", self.layer.factor, "f")]


class StandardizeLens(Pointwise):
    forward_equation, backward_equation = "{y} = ({x} − {m}) / {s}", "{dx} = {dy} / {s}"
    note = mark("Mean and deviation of this place over the training images.")

    def more(self) -> list[Symbol]:
        return [
            symbol("m", "μ", "mean", meaning=tr("the mean")),
            symbol("s", "s", "std", meaning=tr("the standard deviation")),
        ]

    def value(self, x: Number, index: Index) -> Parts:
        return ["(", x, " − ", self.number("mean", index, "m"), ") / ", self.number("std", index, "s")]

    def slope(self, dy: Number, x: Number, y: Number, index: Index) -> Parts:
        return [dy, " / ", self.number("std", index, "s")]


class SameLens(Pointwise):
    """What passes values on as they are: Dropout outside training, Pixels of floats, and Flatten."""

    forward_equation, backward_equation = "{y} = {x}", "{dx} = {dy}"

    def value(self, x: Number, index: Index) -> Parts:
        return [x]

    def slope(self, dy: Number, x: Number, y: Number, index: Index) -> Parts:
        return [dy]

    def lines(self) -> tuple[Source, Source]:
        place = 0 if isinstance(self.layer, layers.Dropout) else -1
        return (line_of(type(self.layer).forward, place=place),) * 2


class DropoutLens(SameLens):
    note = mark("Dropout is off here: every value passes.")


class FlattenLens(SameLens):
    note = mark("The same number at another place: an image becomes one row.")

    def down(self, out: Index) -> Index:
        return tuple(int(i) for i in np.unravel_index(out[0], self.array("x").shape))

    def up(self, inside: Index) -> Index:
        return (int(np.ravel_multi_index(inside, self.array("x").shape)),)


class SoftmaxLens(Pointwise):
    """yⱼ = e^xⱼ / Σ eˣ: each output depends on all inputs of its row."""

    forward_equation, backward_equation = "{y} = e^{x} / {total}", "{dx} = {y}·({dy} − {mean})"

    def more(self) -> list[Symbol]:
        return [
            symbol("total", "Σ eˣ", "sum", meaning=tr("the sum over all classes")),
            symbol("mean", "Σ y·∂C/∂y", "dy", "y", meaning=tr("their mean, weighed by y")),
        ]

    def lines(self) -> tuple[Source, Source]:
        return line_of(nn_activations.softmax), line_of(nn_activations.softmax_backward)

    def up(self, inside: Index) -> Index:
        row, j = inside[:-1], inside[-1]
        y, dy = self.array("y")[row], self.array("dy")[row]
        if dy.size == 0:
            return inside
        through = dy * y * (np.eye(len(y))[j] - y[j])
        return (*row, largest(through)[0])

    def value(self, x: Number, index: Index) -> Parts:
        total = float(np.exp(self.array("x")[index[:-1]]).sum())
        return ["e^(", x, ") / ", Number(f"{self.name}.total[{at(index[:-1])}]", total, "total")]

    def slope(self, dy: Number, x: Number, y: Number, index: Index) -> Parts:
        row = index[:-1]
        mean = sum_of_products(
            [
                (self.array("y")[row], lambda i: f"{self.name}.y[{at((*row, i))}]", "mean"),
                (self.array("dy")[row], lambda i: f"{self.name}.dy[{at((*row, i))}]", "mean"),
            ],
            f"{self.name}.mean[{at(row)}]",
        )
        own_y, own_dy = self.number("y", index), self.number("dy", index)
        return [own_y, "·(", own_dy, " − (", *mean, "))"]


POINTWISE: dict[str, Callable[[Any], Lens]] = {
    "Sigmoid": SigmoidLens, "Tanh": TanhLens, "ReLU": ReLULens, "LeakyReLU": LeakyReLULens, "GELU": GELULens,
    "Swish": SwishLens, "Softmax": SoftmaxLens, "Scale": ScaleLens, "Standardize": StandardizeLens,
    "Dropout": DropoutLens, "Flatten": FlattenLens,
}  # fmt: skip
