"""The lens on Dense: a sum of all inputs times their weights."""

from __future__ import annotations

import numpy as np

from glassnet.analysis.trace.document import ImageView, Index, Number, Parts, Step, Text
from glassnet.analysis.trace.lens import Lens, largest, symbol
from glassnet.analysis.trace.notation import ALL_UP_TO, sum_of_products
from glassnet.analysis.trace.sources import line_of
from glassnet.nn import Dense


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
        title = Text(f"Dense: unit {j} of {len(self.array('y'))}", f"Dense：第 {j} 个单元（共 {len(self.array('y'))} 个）")
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

    def _note(self, i: int, terms: int) -> Text | None:
        """Where the path comes from, of several inputs; and what is written of many."""
        if terms <= ALL_UP_TO:
            return None if terms == 1 else Text(f"The path comes from input {i}.", f"路径来自第 {i} 个输入。")
        return Text(
            f"The path comes from input {i}; of many terms, those that weigh most are written.",
            f"路径来自第 {i} 个输入；项数多时只写出最大的几项。",
        )

    def _images(self, i: int, j: int) -> tuple[ImageView, ...]:
        """The inputs and their weights as images, where the inputs are an image."""
        if self.shape is None or len(self.shape) != 3 or self.shape[2] != 1 or min(self.shape[:2]) < 3:
            return ()
        size = self.shape[:2]
        row, column = (int(k) for k in np.unravel_index(i, size))
        box = (row, column, 1, 1)
        return (
            ImageView(Text("the inputs xᵢ", "输入 xᵢ"), "x", self.array("x").reshape(size), box),
            ImageView(Text(f"the weights of unit {j}", f"第 {j} 个单元的权重"), "w",
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
        title = Text(f"back through Dense to input {i}", f"反向通过 Dense，到第 {i} 个输入")
        sources = [line_of(Dense.forward, "dx")]
        return [self.step("backward", title, "{dx} = Σⱼ {w}·{dy}", symbols, [line], sources, tag="BP2")]

    def gradient(self, key: str, index: Index, inside: Index, out: Index) -> list[Step]:
        j = index[-1]
        dy, sources = self.number("dy", (j,), "dy"), [line_of(Dense.forward, "gradients", -1 if key == "bias" else 0)]
        if key == "bias":
            symbols = [symbol("db", "∂C/∂bⱼ", "dbias"), symbol("dy", "∂C/∂yⱼ", "dy")]
            found: Number = self.number("dbias", index, "db")
            title = Text("the gradient of the bias", "偏置的梯度")
            return [self.step("backward", title, "{db} = {dy}", symbols, [[found, " = ", dy]], sources, tag="BP3")]
        symbols = [
            symbol("dw", "∂C/∂wᵢⱼ", "dweight"),
            symbol("x", "xᵢ", "x"),
            symbol("dy", "∂C/∂yⱼ", "dy"),
        ]
        line: Parts = [self.number("dweight", index, "dw"), " = ", self.number("x", (index[0],), "x"), "·", dy]
        title = Text("the gradient of the weight", "权重的梯度")
        return [self.step("backward", title, "{dw} = {x}·{dy}", symbols, [line], sources, tag="BP4")]
