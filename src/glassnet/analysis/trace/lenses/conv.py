"""The lens on Conv2D: a patch of the image, a filter, and the sum of their products."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from glassnet.analysis.trace.document import Grid, ImageView, Index, Number, Parts, Step
from glassnet.analysis.trace.lens import largest
from glassnet.analysis.trace.lenses.windows import WindowLens
from glassnet.analysis.trace.notation import FROM_ABOVE, WEIGHTED, Factor, Sign, Values, at, factor_of
from glassnet.analysis.trace.sources import line_of
from glassnet.nn import conv
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr


class ConvolutionLens(WindowLens):
    signs: ClassVar = {
        "y": Sign("z[p, q]", "y", WEIGHTED), "x": Sign("x[p·s + i, q·t + j]", "x windows"), "w": Sign("W[i, j]", "weight"),
        "b": Sign("b", "bias"), "dx": Sign("∂C/∂x", "dpadded dx"), "dy": Sign("∂C/∂z[p, q]", "dy", FROM_ABOVE),
        "dw": Sign("∂C/∂W[i, j]", "dweight"), "db": Sign("∂C/∂b", "sum"),
    }  # fmt: skip

    def down(self, out: Index) -> Index:
        weight = self.array("weight")[..., out[2]]
        seen = np.stack([self.patch(out, channel) for channel in range(weight.shape[2])], axis=-1)
        return self._within(out, *largest(seen * weight))

    def _within(self, out: Index, i: int, j: int, channel: int) -> Index:
        """The pixel at (i, j) of a window, or the nearest inside the image."""
        (r, c), (rows, columns, _) = self.corner(out), self.array("x").shape
        return min(max(r + i, 0), rows - 1), min(max(c + j, 0), columns - 1), channel

    def up(self, inside: Index) -> Index:
        ways = self.seen_from(inside)
        if not ways:
            return 0, 0, 0
        through = np.array([self.array("weight")[i, j, inside[2]] * self.array("dy")[p, q] for p, q, i, j in ways])
        way, f = largest(through)
        return *ways[way][:2], f

    def _pixels(self, index: Index) -> Factor:
        """For each output of the filter, the pixel that the weight at `index` multiplies."""
        i, j, channel, _ = index
        return factor_of([self.pixel(out, i, j, channel) for out in np.ndindex(*self.array("y").shape[:2])], "x")

    def feeds(self, key: str, index: Index) -> Index:
        acting: Array = self.array("dy")[..., index[-1]]
        if key == "weight":
            acting = self._pixels(index)[0].reshape(acting.shape) * acting
        return (*largest(acting), index[-1])

    def input_of(self, key: str, index: Index, out: Index) -> Index:
        return self._within(out, *index[:3]) if key == "weight" else self.down(out)

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        (p, q, f), channel, weight = out, inside[2], self.array("weight")[..., out[2]]
        seen = factor_of([self.pixel(out, i, j, channel) for i, j in np.ndindex(*self.layer.window)], "x")
        terms = self.total("channel", (*out, channel), seen, self.along("weight", np.s_[:, :, channel, f], "w"))
        numbers: dict[str, Number | Parts] = {"y": self.number("y", out), "sum": terms}
        equation, written, sources = "{y} = Σ {x}·{w}", "{y} = {sum}", [line_of(conv.conv2d, "y")]
        if weight.shape[2] > 1:
            others = [float((self.patch(out, k) * weight[..., k]).sum()) for k in range(weight.shape[2]) if k != channel]
            numbers["others"] = self.named("channels", (*out, channel), sum(others), "rest")
            numbers["which"] = [tr("other channels")]
            written += " + {others} ({which})"
        if self.layer.use_bias:
            numbers["b"] = self.number("bias", (f,), "b")
            equation, written = equation + " + {b}", written + " + {b}"
            sources.append(line_of(conv.conv2d))
        r, c = self.corner(out)
        mark = index[:2] if key == "weight" and index is not None else (inside[0] - r, inside[1] - c)
        title = tr("Conv2D: filter {filter} at row {row}, column {column}", filter=f, row=p, column=q)
        given = ImageView(tr("the output of filter {filter}", filter=f), "y", self.array("y")[..., f], (p, q, 1, 1))
        return [
            self.step("forward", title, equation, numbers, sources, written,
                      grids=self._grids(out, channel, mark), images=(self.input_image(out, channel), given))
        ]  # fmt: skip

    def _grids(self, out: Index, channel: int, mark: Index) -> tuple[Grid, ...]:
        """Patch, filter, and their products, cell by cell."""
        patch = self.grid(tr("the patch"), out, channel, mark)
        rows, columns = map(range, self.layer.window)
        filters = tuple(tuple(self.number("weight", (i, j, channel, out[2]), "w", ".4g") for j in columns) for i in rows)

        def product(i: int, j: int) -> Number:
            value = patch.cells[i][j].value * filters[i][j].value
            return self.named("product", (*out, i, j, channel), value, "y", ".4g")

        products = tuple(tuple(product(i, j) for j in columns) for i in rows)
        summed = Grid(tr("their products, which are summed"), "y", products, mark)
        return patch, Grid(tr("the filter"), "w", filters, mark), summed

    def backward(self, inside: Index, out: Index) -> list[Step]:
        seen, filters = self.seen_from(inside), self.array("y").shape[2]
        ways = [(p, q, i, j, f) for p, q, i, j in seen for f in range(filters)]
        weights = factor_of([self.number("weight", (i, j, inside[2], f)) for _, _, i, j, f in ways], "w")
        slopes = factor_of([self.number("dy", (p, q, f)) for p, q, _, _, f in ways], "dy")
        numbers: Values = {"dx": self.number("dx", inside), "sum": self.total("dx", inside, weights, slopes)}
        title = tr("back through Conv2D to pixel {place}", place=at(inside))
        note = tr("The pixel lies in {windows} windows, each with {filters} filters.", windows=len(seen), filters=filters)
        sources = [line_of(conv.conv2d_backward, "tap")]
        return [self.step("backward", title, "{dx} = Σ {w}·{dy}", numbers, sources, "{dx} = {sum}", tag="BP2", note=note)]

    def gradient(self, key: str, index: Index, inside: Index, out: Index) -> list[Step]:
        rows, columns, _ = self.array("dy").shape
        factors = [self.along("dy", np.s_[:, :, index[-1]], "dy")]
        if key == "bias":
            title, found, equation, tag = tr("the gradient of the bias"), "db", "{db} = Σ {dy}", "BP3"
            sources = [line_of(conv.conv2d_backward)]
        else:
            factors.insert(0, self._pixels(index))
            title, found, equation, tag = tr("the gradient of the weight"), "dw", "{dw} = Σ {x}·{dy}", "BP4"
            sources = [line_of(conv.conv2d_backward, "dweight")]
        terms = self.total(f"d{key}", index, *factors, must=out[0] * columns + out[1])
        numbers: Values = {found: self.number(f"d{key}", index, found), "sum": terms}
        note = tr(
            "The parameter is used at {count} positions of the image: its gradient is the sum over them.",
            count=rows * columns,
        )
        return [self.step("backward", title, equation, numbers, sources, f"{{{found}}} = {{sum}}", tag=tag, note=note)]
