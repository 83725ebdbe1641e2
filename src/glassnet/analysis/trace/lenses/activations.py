"""Lenses on layers that act on each value by itself (activations, scaling, Flatten, Dropout), and on softmax."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import erf, exp, pi, sqrt
from typing import Any, ClassVar

import numpy as np

from glassnet import nn as layers
from glassnet.analysis.trace.document import Index, Number, Parts, Step
from glassnet.analysis.trace.lens import Lens, largest
from glassnet.analysis.trace.notation import WEIGHTED, Sign, at
from glassnet.analysis.trace.sources import line_of
from glassnet.nn import activations as nn_activations
from glassnet.support.i18n import Message, mark, tr

ACTIVATION = {  # as Nielsen names them: a = σ(z)
    "y": Sign("a", "y", mark("the activation")),
    "x": Sign("z", "x half", WEIGHTED),
    "dx": Sign("∂C/∂z", "dx", mark("the gradient with respect to the weighted input, for the layer below")),
    "dy": Sign("∂C/∂a", "dy", mark("the gradient with respect to the activation, from the layer above")),
}
SIGNS = {"y": Sign("y", "y"), "x": Sign("x", "x half"), "dx": Sign("∂C/∂x", "dx"), "dy": Sign("∂C/∂y", "dy")}


class Pointwise(Lens):
    """y = f(x) of every value by itself. `equations`, `written` (the same for numbers, where it differs) and `notes`: forward
    and backward."""

    equations = written = notes = ("", "")
    signs = SIGNS
    more: ClassVar[dict[str, Sign]] = {}  # further symbols of the equations
    code: ClassVar[tuple[tuple[Any, ...], ...]] = ()  # what `line_of` takes; by default the layer's forward

    def values(self, index: Index, x: float) -> dict[str, Number | Parts]:
        """The numbers of the further symbols."""
        return {}

    def _step(self, way: int, inside: Index, out: Index, phase: str, title: Message, tag: str = "") -> list[Step]:
        x = self.number("x", inside)
        numbers = {"y": self.number("y", out), "x": x, **self.values(inside, x.value)}
        if way:
            numbers |= {"dy": self.number("dy", out), "dx": self.number("dx", inside)}
        equation, written, note = self.equations[way], self.written[way], self.notes[way] and tr(self.notes[way])
        signs, source = {**self.signs, **self.more}, line_of(*self.code[way] if self.code else (type(self.layer).forward,))
        return [self.step(phase, title, equation, numbers, [source], written, signs, tag=tag, note=note or None)]

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        return self._step(0, inside, out, "forward", tr("{kind}: value {unit}", kind=self.kind, unit=at(out)))

    def backward(self, inside: Index, out: Index) -> list[Step]:
        return self._step(1, inside, out, "backward", tr("back through {kind}", kind=self.kind), "BP2")


class Activation(Pointwise):
    """a = f(z)."""

    signs = ACTIVATION


class SigmoidLens(Activation):
    equations = "{y} = σ({x}) = 1 / (1 + e^(−{x}))", "{dx} = {dy}·{y}·(1 − {y})"
    written = "{y} = 1 / (1 + e^(−({x})))", ""
    notes = (
        mark("Computed with tanh, which is equivalent and cannot overflow."),
        mark("a·(1 − a) is σ′(z): the slope of the sigmoid."),
    )
    code = (nn_activations.sigmoid,), (nn_activations.sigmoid_backward,)


class TanhLens(Activation):
    equations = "{y} = tanh {x}", "{dx} = {dy}·(1 − {y}²)"
    written = "{y} = tanh({x})", "{dx} = {dy}·(1 − ({y})²)"
    code = (layers.Tanh.forward, "y"), (nn_activations.tanh_backward,)


class ReLULens(Activation):
    equations = "{y} = max({x}, 0)", "{dx} = {dy}·[{x} > 0]"
    notes = "", mark("[z > 0] is 1 if z > 0, else 0.")
    code = (nn_activations.leaky_relu,), (nn_activations.leaky_relu_backward,)


class LeakyReLULens(ReLULens):
    equations = "{y} = {x} ({x} > 0),  {s}·{x} ({x} ≤ 0)", "{dx} = {dy} ({x} > 0),  {s}·{dy} ({x} ≤ 0)"
    written = "{y} = {slope}{x}", "{dx} = {slope}{dy}"
    notes = "", ""
    more: ClassVar = {"s": Sign("s", "slope", mark("the slope below zero"))}

    def values(self, index: Index, x: float) -> dict[str, Number | Parts]:
        return {"slope": [] if x > 0 else [self.named("slope", (), self.layer.slope, "s"), "·"]}


class GELULens(Activation):
    equations = "{y} = {x}·{share}", "{dx} = {dy}·({share} + {x}·{density})"
    more: ClassVar = {
        "share": Sign("Φ(z)", "share", mark("the standard normal CDF at z")),
        "density": Sign("φ(z)", "DENSITY exp", mark("the standard normal density at z")),
    }
    code = (layers.GELU.forward,), (layers.GELU.forward, "dx")

    def values(self, index: Index, x: float) -> dict[str, Number | Parts]:
        share, density = 0.5 * (1 + erf(x / sqrt(2))), exp(-0.5 * x**2) / sqrt(2 * pi)
        return {
            "share": self.named("share", index, share, "share"),
            "density": self.named("density", index, density, "density"),
        }


class SwishLens(Activation):
    equations = "{y} = {x}·{s}", "{dx} = {dy}·{s}·(1 + {x}·(1 − {s}))"
    more: ClassVar = {"s": Sign("σ(z)", "sigmoid s", mark("the sigmoid of z"))}
    code = (layers.Swish.forward,), (layers.Swish.forward, "dx")

    def values(self, index: Index, x: float) -> dict[str, Number | Parts]:
        return {"s": self.named("sigma", index, float(nn_activations.sigmoid(self.array("x")[index])), "s")}


class PixelsLens(Pointwise):
    """Of integer images; of floats it is `SameLens`."""

    equations = "{y} = {x} / 255", "{dx} = {dy} / 255"
    notes = mark("Scales bytes 0…255 to 0…1."), ""
    code = ((layers.Pixels.forward, None, 0),) * 2


class ScaleLens(Pointwise):
    equations = "{y} = {f}·{x} + {o}", "{dx} = {dy}·{f}"
    more: ClassVar = {
        "f": Sign("a", "factor", mark("the layer's factor")),
        "o": Sign("c", "offset", mark("the layer's offset")),
    }

    def values(self, index: Index, x: float) -> dict[str, Number | Parts]:
        return {key: self.named(name, (), getattr(self.layer, name), key) for key, name in (("f", "factor"), ("o", "offset"))}


class StandardizeLens(Pointwise):
    equations = "{y} = ({x} − {m}) / {s}", "{dx} = {dy} / {s}"
    notes = mark("Mean and standard deviation of this position over the training images."), ""
    more: ClassVar = {"m": Sign("μ", "mean", mark("the mean")), "s": Sign("s", "std", mark("the standard deviation"))}

    def values(self, index: Index, x: float) -> dict[str, Number | Parts]:
        return {"m": self.number("mean", index, "m"), "s": self.number("std", index, "s")}


class SameLens(Pointwise):
    """The identity: Dropout outside training, Pixels of floats, and Flatten."""

    equations = "{y} = {x}", "{dx} = {dy}"


class DropoutLens(SameLens):
    code = ((layers.Dropout.forward, None, 0),) * 2
    notes = mark("Dropout is off outside training: values are unchanged."), ""


class FlattenLens(SameLens):
    notes = mark("The same number at another index: the input is flattened into one row."), ""

    def down(self, out: Index) -> Index:
        return tuple(int(i) for i in np.unravel_index(out[0], self.array("x").shape))

    def up(self, inside: Index) -> Index:
        return (int(np.ravel_multi_index(inside, self.array("x").shape)),)


class SoftmaxLens(Activation):
    """aⱼ = e^zⱼ / Σ eᶻ: each output depends on all inputs of its row."""

    equations = "{y} = e^{x} / {total}", "{dx} = {y}·({dy} − {mean})"
    written = "{y} = e^({x}) / {total}", "{dx} = {own_y}·({own_dy} − ({mean}))"
    notes = "", ""
    more: ClassVar = {
        "total": Sign("Σ eᶻ", "sum", mark("the sum over all classes")),
        "mean": Sign("Σ a·∂C/∂a", "dy y", mark("the mean of the gradients, weighted by a")),
    }
    code = (nn_activations.softmax,), (nn_activations.softmax_backward,)

    def up(self, inside: Index) -> Index:
        row, j = inside[:-1], inside[-1]
        y, dy = self.array("y")[row], self.array("dy")[row]
        if dy.size == 0:
            return inside
        through = dy * y * (np.eye(len(y))[j] - y[j])
        return (*row, largest(through)[0])

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        (step,) = super().forward(out, out, key, index)
        note = None if inside == out else tr("The path comes from input {input}.", input=at(inside))
        return [replace(step, note=note)]

    def values(self, index: Index, x: float) -> dict[str, Number | Parts]:
        row = index[:-1]
        total = float(np.exp(self.array("x")[row]).sum())
        known: dict[str, Number | Parts] = {"total": self.named("total", row, total, "total")}
        if self.array("dy").size:
            where: tuple[int | slice, ...] = (*row, slice(None))
            mean = self.total("mean", row, self.along("y", where, "mean"), self.along("dy", where, "mean"))
            known |= {"mean": mean, "own_y": self.number("y", index), "own_dy": self.number("dy", index)}
        return known


POINTWISE: dict[str, Callable[[Any], Lens]] = {
    "Sigmoid": SigmoidLens, "Tanh": TanhLens, "ReLU": ReLULens, "LeakyReLU": LeakyReLULens, "GELU": GELULens,
    "Swish": SwishLens, "Softmax": SoftmaxLens, "Scale": ScaleLens, "Standardize": StandardizeLens,
    "Dropout": DropoutLens, "Flatten": FlattenLens,
}  # fmt: skip
