"""The lens on Dense: a sum of all inputs times their weights."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from glassnet.analysis.trace.document import ImageView, Index, Number, Parts, Step
from glassnet.analysis.trace.lens import Lens, largest
from glassnet.analysis.trace.notation import ALL_UP_TO, FROM_ABOVE, WEIGHTED, Sign, Values
from glassnet.analysis.trace.sources import line_of
from glassnet.nn import Dense
from glassnet.support.i18n import Message, tr


class DenseLens(Lens):
    signs: ClassVar = {
        "y": Sign("zⱼ", "y", WEIGHTED), "x": Sign("xᵢ", "x"), "w": Sign("wᵢⱼ", "weight"), "b": Sign("bⱼ", "bias"),
        "dx": Sign("∂C/∂xᵢ", "dx"), "dw": Sign("∂C/∂wᵢⱼ", "dweight"), "db": Sign("∂C/∂bⱼ", "dbias"),
        "dy": Sign("∂C/∂zⱼ", "dy", FROM_ABOVE),
    }  # fmt: skip
    shape: tuple[int, ...] | None = None  # of the image, if the inputs are a flattened one

    def down(self, out: Index) -> Index:
        return largest(self.array("x") * self.array("weight")[:, out[0]])

    def up(self, inside: Index) -> Index:
        return largest(self.array("weight")[inside[0]] * self.array("dy"))

    def feeds(self, key: str, index: Index) -> Index:
        return (index[-1],)

    def input_of(self, key: str, index: Index, out: Index) -> Index:
        return (index[0],) if key == "weight" else self.down(out)

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        i, j = inside[0], out[0]
        terms = self.total("y", out, self.along("x", np.s_[:,], "x"), self.along("weight", np.s_[:, j], "w"), must=i)
        numbers: dict[str, Number | Parts] = {"y": self.number("y", out), "sum": terms}
        equation, written, sources = "{y} = Σᵢ {x}·{w}", "{y} = {sum}", [line_of(Dense.forward, "y", 0)]
        if self.layer.use_bias:
            numbers["b"] = self.number("bias", out, "b")
            equation, written = equation + " + {b}", written + " + {b}"
            sources.append(line_of(Dense.forward, "y"))
        title = tr("Dense: unit {unit} of {units}", unit=j, units=len(self.array("y")))
        images, note = self._images(i, j), self._note(i)
        return [self.step("forward", title, equation, numbers, sources, written, images=images, note=note)]

    def _note(self, i: int) -> Message | None:
        """The input of the path, and, of a long sum, that not all terms are written."""
        terms = len(self.array("x"))
        if terms <= ALL_UP_TO:
            return None if terms == 1 else tr("The path comes from input {input}.", input=i)
        return tr("The path comes from input {input}; only the largest terms are written out.", input=i)

    def _images(self, i: int, j: int) -> tuple[ImageView, ...]:
        """The inputs and their weights as images, where the inputs are an image."""
        if self.shape is None or len(self.shape) != 3 or self.shape[2] != 1 or min(self.shape[:2]) < 3:
            return ()
        size = self.shape[:2]
        box = (*divmod(i, size[1]), 1, 1)
        return (
            ImageView(tr("the inputs xᵢ"), "x", self.array("x").reshape(size), box),
            ImageView(tr("the weights of unit {unit}", unit=j), "w", self.array("weight")[:, j].reshape(size), box),
        )

    def backward(self, inside: Index, out: Index) -> list[Step]:
        i = inside[0]
        factors = self.along("weight", np.s_[i, :], "w"), self.along("dy", np.s_[:,], "dy")
        numbers: Values = {"dx": self.number("dx", inside), "sum": self.total("dx", inside, *factors, must=out[0])}
        title, sources = tr("back through Dense to input {input}", input=i), [line_of(Dense.forward, "dx")]
        return [self.step("backward", title, "{dx} = Σⱼ {w}·{dy}", numbers, sources, "{dx} = {sum}", tag="BP2")]

    def gradient(self, key: str, index: Index, inside: Index, out: Index) -> list[Step]:
        dy = self.number("dy", index[-1:])
        if key == "bias":
            title, sources = tr("the gradient of the bias"), [line_of(Dense.forward, "gradients")]
            numbers = {"db": self.number("dbias", index, "db"), "dy": dy}
            return [self.step("backward", title, "{db} = {dy}", numbers, sources, tag="BP3")]
        title, sources = tr("the gradient of the weight"), [line_of(Dense.forward, "gradients", 0)]
        numbers = {"dw": self.number("dweight", index, "dw"), "x": self.number("x", index[:1]), "dy": dy}
        return [self.step("backward", title, "{dw} = {x}·{dy}", numbers, sources, tag="BP4")]
