"""The lens on Dense: a sum of all inputs times their weights."""

from __future__ import annotations

import numpy as np

from glassnet.analysis.trace.document import ImageView, Index, Number, Parts, Step
from glassnet.analysis.trace.lens import Lens, largest, symbol
from glassnet.analysis.trace.notation import ALL_UP_TO, sum_of_products
from glassnet.analysis.trace.sources import line_of
from glassnet.nn import Dense
from glassnet.support.i18n import Message, tr


class DenseLens(Lens):
    parts = ("unit",)
    shape: tuple[int, ...] | None = None  # of the image that the inputs are, where they are one

    def down(self, out: Index) -> Index:
        return largest(self.array("x") * self.array("weight")[:, out[0]])

    def up(self, inside: Index) -> Index:
        return largest(self.array("weight")[inside[0]] * self.array("dy"))

    def feeds(self, key: str, index: Index) -> Index:
        return (index[-1],)

    def belongs(self, key: str, index: Index, out: Index) -> bool:
        return index[-1] == out[0]

    def input_of(self, key: str, index: Index, out: Index) -> Index:
        return (index[0],) if key == "weight" else self.down(out)

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        i, j = inside[0], out[0]
        x, w = self.array("x"), self.array("weight")[:, j]
        line: Parts = [
            self.number("y", out),
            " = ",
            *sum_of_products(
                [
                    (x, lambda i: f"{self.name}.x[{i}]", "x"),
                    (w, lambda i: f"{self.name}.weight[{i}, {j}]", "w"),
                ],
                f"{self.name}.y[{j}]",
                must=i,
            ),
        ]
        symbols = [symbol("y", "yⱼ", "y"), symbol("x", "xᵢ", "x"), symbol("w", "wᵢⱼ", "weight")]
        equation = "{y} = Σᵢ {x}·{w}"
        if self.layer.use_bias:
            line += [" + ", self.number("bias", (j,), "b")]
            equation += " + {b}"
            symbols.append(symbol("b", "bⱼ", "bias"))
        sources = [line_of(Dense.forward, "y", 0), *([line_of(Dense.forward, "y")] if self.layer.use_bias else [])]
        title = tr("Dense: unit {unit} of {units}", unit=j, units=len(self.array("y")))
        return [
            self.step(
                "forward",
                title,
                equation,
                symbols,
                [line],
                sources,
                images=self._images(i, j),
                note=self._note(i, len(x)),
            )
        ]

    def _note(self, i: int, terms: int) -> Message | None:
        """Where the path comes from, of several inputs; and what is written of many."""
        if terms <= ALL_UP_TO:
            return None if terms == 1 else tr("The path comes from input {input}.", input=i)
        return tr("The path comes from input {input}; of many terms, those that weigh most are written.", input=i)

    def _images(self, i: int, j: int) -> tuple[ImageView, ...]:
        """The inputs and their weights as images, where the inputs are an image."""
        if self.shape is None or len(self.shape) != 3 or self.shape[2] != 1 or min(self.shape[:2]) < 3:
            return ()
        size = self.shape[:2]
        row, column = (int(k) for k in np.unravel_index(i, size))
        box = (row, column, 1, 1)
        return (
            ImageView(tr("the inputs xᵢ"), "x", self.array("x").reshape(size), box),
            ImageView(tr("the weights of unit {unit}", unit=j), "w",
                    self.array("weight")[:, j].reshape(size), box),
        )  # fmt: skip

    def backward(self, inside: Index, out: Index) -> list[Step]:
        i, j = inside[0], out[0]
        line: Parts = [
            self.number("dx", inside),
            " = ",
            *sum_of_products(
                [
                    (self.array("weight")[i], lambda k: f"{self.name}.weight[{i}, {k}]", "w"),
                    (self.array("dy"), lambda k: f"{self.name}.dy[{k}]", "dy"),
                ],
                f"{self.name}.dx[{i}]",
                must=j,
            ),
        ]
        symbols = [symbol("dx", "∂C/∂xᵢ", "dx"), symbol("w", "wᵢⱼ", "weight"), symbol("dy", "∂C/∂yⱼ", "dy")]
        title = tr("back through Dense to input {input}", input=i)
        sources = [line_of(Dense.forward, "dx")]
        return [self.step("backward", title, "{dx} = Σⱼ {w}·{dy}", symbols, [line], sources, tag="BP2")]

    def gradient(self, key: str, index: Index, inside: Index, out: Index) -> list[Step]:
        j = index[-1]
        dy, sources = self.number("dy", (j,), "dy"), [line_of(Dense.forward, "gradients", -1 if key == "bias" else 0)]
        if key == "bias":
            symbols = [symbol("db", "∂C/∂bⱼ", "dbias"), symbol("dy", "∂C/∂yⱼ", "dy")]
            found: Number = self.number("dbias", index, "db")
            title = tr("the gradient of the bias")
            return [self.step("backward", title, "{db} = {dy}", symbols, [[found, " = ", dy]], sources, tag="BP3")]
        symbols = [
            symbol("dw", "∂C/∂wᵢⱼ", "dweight"),
            symbol("x", "xᵢ", "x"),
            symbol("dy", "∂C/∂yⱼ", "dy"),
        ]
        line: Parts = [self.number("dweight", index, "dw"), " = ", self.number("x", (index[0],), "x"), "·", dy]
        title = tr("the gradient of the weight")
        return [self.step("backward", title, "{dw} = {x}·{dy}", symbols, [line], sources, tag="BP4")]
