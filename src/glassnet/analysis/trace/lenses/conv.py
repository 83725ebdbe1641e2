"""The lens on Conv2D: a patch of the image, a filter, and the sum of their products."""

from __future__ import annotations

import numpy as np

from glassnet.analysis.trace.document import Grid, Index, Number, Parts, Step
from glassnet.analysis.trace.lens import largest, symbol
from glassnet.analysis.trace.lenses.windows import WindowLens
from glassnet.analysis.trace.notation import at, sum_of_products
from glassnet.analysis.trace.sources import line_of
from glassnet.nn import conv
from glassnet.support.i18n import tr


class ConvolutionLens(WindowLens):
    parts = ("row", "column", "filter")

    def down(self, out: Index) -> Index:
        weight = self.array("weight")[..., out[2]]
        seen = np.stack([self.patch(out, channel) for channel in range(weight.shape[2])], axis=-1)
        i, j, channel = largest(seen * weight)
        return self._within(out, i, j, channel)

    def _within(self, out: Index, i: int, j: int, channel: int) -> Index:
        """The pixel at (i, j) of a window, or the nearest inside the image."""
        (r, c), (rows, columns, _) = self.corner(out), self.array("x").shape
        return min(max(r + i, 0), rows - 1), min(max(c + j, 0), columns - 1), channel

    def up(self, inside: Index) -> Index:
        best, found = -1.0, (0, 0, 0)
        for p, q, i, j in self.seen_from(inside):
            through = self.array("weight")[i, j, inside[2]] * self.array("dy")[p, q]
            f = largest(through)[0]
            if abs(through[f]) > best:
                best, found = abs(float(through[f])), (p, q, f)
        return found

    def _acting(self, key: str, index: Index) -> np.ndarray:
        """For each place, what it adds to the gradient of a parameter."""
        dy = self.array("dy")[..., index[-1]]
        if key == "bias":
            return dy
        i, j, channel, _ = index
        places = np.ndindex(*dy.shape)
        pixels = [self.pixel(r + i, c + j, channel).value for r, c in map(self.corner, places)]
        return np.array(pixels).reshape(dy.shape) * dy

    def feeds(self, key: str, index: Index) -> Index:
        return (*largest(self._acting(key, index)), index[-1])

    def belongs(self, key: str, index: Index, out: Index) -> bool:
        return index[-1] == out[2]

    def input_of(self, key: str, index: Index, out: Index) -> Index:
        return self._within(out, *index[:3]) if key == "weight" else self.down(out)

    def strongest(self, out: Index) -> tuple[str, Index]:
        return "weight", (*largest(self.array("dweight")[..., out[2]]), out[2])

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        (p, q, f), channel = out, inside[2]
        weight = self.array("weight")[..., f]
        rows, columns, channels = weight.shape
        r, c = self.corner(out)
        seen = self.patch(out, channel)
        line: Parts = [self.number("y", out), " = "]
        line += sum_of_products(
            [
                (seen.ravel(), lambda k: self.pixel(r + k // columns, c + k % columns, channel).name, "x"),
                (weight[..., channel].ravel(), lambda k: f"{self.name}.weight[{at((k // columns, k % columns, channel, f))}]",
                 "w"),
            ],
            f"{self.name}.channel[{at((p, q, f, channel))}]",
        )  # fmt: skip
        if channels > 1:
            others = sum(
                float((self.patch(out, other) * weight[..., other]).sum()) for other in range(channels) if other != channel
            )
            line += [
                " + ",
                Number(f"{self.name}.channels[{at((p, q, f, channel))}]", others, "rest"),
                " (",
                tr("other channels"),
                ")",
            ]
        equation = "{y} = Σ {x}·{w}"
        symbols = [symbol("y", "y[p, q]", "y"), symbol("x", "x[p·s + i, q·t + j]", "x", "windows"),
                   symbol("w", "W[i, j]", "weight")]  # fmt: skip
        sources = [line_of(conv.conv2d, "y")]
        if self.layer.use_bias:
            line += [" + ", self.number("bias", (f,), "b")]
            equation += " + {b}"
            symbols.append(symbol("b", "b", "bias"))
            sources.append(line_of(conv.conv2d))
        mark = (index[0], index[1]) if key == "weight" and index is not None else self._mark(inside, out)
        title = tr("Conv2D: filter {filter} at row {row}, column {column}", filter=f, row=p, column=q)
        box = (r, c, rows, columns)
        where = tr("what comes in, channel {channel}", channel=channel)
        images = (
            self.map_of("x", where, channel, "x", box),
            self.map_of("y", tr("what comes out, filter {filter}", filter=f), f, "y", (p, q, 1, 1)),
        )
        grids = self._grids(out, channel, mark)
        return [self.step("forward", title, equation, symbols, [line], sources, grids=grids, images=images)]

    def _mark(self, inside: Index, out: Index) -> Index:
        r, c = self.corner(out)
        return inside[0] - r, inside[1] - c

    def _grids(self, out: Index, channel: int, mark: Index) -> tuple[Grid, ...]:
        """Patch, filter, and their products, cell by cell."""
        patch = self.grid(tr("the patch"), out, channel, mark)
        rows, columns = self.windows.window
        f = out[2]
        filters = tuple(
            tuple(self.number("weight", (i, j, channel, f), "w", ".4g") for j in range(columns)) for i in range(rows)
        )
        products = tuple(
            tuple(
                Number(f"{self.name}.product[{at((*out, i, j, channel))}]", patch.cells[i][j].value * filters[i][j].value,
                       "y", ".4g")
                for j in range(columns)
            )
            for i in range(rows)
        )  # fmt: skip
        return (
            patch,
            Grid(tr("the filter"), "w", filters, mark),
            Grid(tr("their products, which are summed"), "y", products, mark),
        )

    def backward(self, inside: Index, out: Index) -> list[Step]:
        channel = inside[2]
        seen = self.seen_from(inside)
        filters = self.array("y").shape[2]
        ways = [(p, q, i, j, f) for p, q, i, j in seen for f in range(filters)]
        weights = np.array([self.array("weight")[i, j, channel, f] for _, _, i, j, f in ways])
        dys = np.array([self.array("dy")[p, q, f] for p, q, _, _, f in ways])

        def weight_name(k: int) -> str:
            _, _, i, j, f = ways[k]
            return f"{self.name}.weight[{at((i, j, channel, f))}]"

        def dy_name(k: int) -> str:
            p, q, _, _, f = ways[k]
            return f"{self.name}.dy[{at((p, q, f))}]"

        line: Parts = [self.number("dx", inside), " = "]
        line += sum_of_products([(weights, weight_name, "w"), (dys, dy_name, "dy")], f"{self.name}.dx[{at(inside)}]")
        symbols = [
            symbol("dx", "∂C/∂x", "dpadded", "dx"),
            symbol("w", "W[i, j]", "weight"),
            symbol("dy", "∂C/∂y", "dy"),
        ]
        title = tr("back through Conv2D to pixel {place}", place=at(inside))
        note = tr("The pixel lies in {windows} windows, each with {filters} filters.", windows=len(seen), filters=filters)
        sources = [line_of(conv.conv2d_backward, "tap")]
        return [self.step("backward", title, "{dx} = Σ {w}·{dy}", symbols, [line], sources, tag="BP2", note=note)]

    def gradient(self, key: str, index: Index, inside: Index, out: Index) -> list[Step]:
        dy = self.array("dy")[..., index[-1]]
        columns = dy.shape[1]
        must = out[0] * columns + out[1]
        count = dy.size

        def dy_name(k: int) -> str:
            return f"{self.name}.dy[{at((k // columns, k % columns, index[-1]))}]"

        symbols = [symbol("dy", "∂C/∂y[p, q]", "dy")]
        if key == "bias":
            line: Parts = [self.number("dbias", index, "db"), " = "]
            line += sum_of_products([(dy.ravel(), dy_name, "dy")], f"{self.name}.dbias[{at(index)}]", must)
            symbols.append(symbol("db", "∂C/∂b", "sum"))
            title, equation, tag = tr("the gradient of the bias"), "{db} = Σ {dy}", "BP3"
            sources = [line_of(conv.conv2d_backward)]
        else:
            i, j, channel, _ = index
            corners = [self.corner(place) for place in np.ndindex(*dy.shape)]
            pixels = np.array([self.pixel(r + i, c + j, channel).value for r, c in corners])

            def pixel_name(k: int) -> str:
                return self.pixel(corners[k][0] + i, corners[k][1] + j, channel).name

            line = [self.number("dweight", index, "dw"), " = "]
            factors = [(pixels, pixel_name, "x"), (dy.ravel(), dy_name, "dy")]
            line += sum_of_products(factors, f"{self.name}.dweight[{at(index)}]", must)
            symbols += [symbol("dw", "∂C/∂W[i, j]", "dweight"), symbol("x", "x[p·s + i, q·t + j]", "windows")]
            title, equation, tag = tr("the gradient of the weight"), "{dw} = Σ {x}·{dy}", "BP4"
            sources = [line_of(conv.conv2d_backward, "dweight")]
        note = tr("The parameter acts at {count} places of the image: the sum runs over all of them.", count=count)
        return [self.step("backward", title, equation, symbols, [line], sources, tag=tag, note=note)]
