"""Lenses on pooling: which pixel won, or how the mean is made."""

from __future__ import annotations

import numpy as np

from glassnet import nn as layers
from glassnet.analysis.trace.document import Index, Number, Parts, Step
from glassnet.analysis.trace.lens import Lens, largest, symbol
from glassnet.analysis.trace.lenses.windows import WindowLens
from glassnet.analysis.trace.notation import at, sum_of_products
from glassnet.analysis.trace.sources import line_of
from glassnet.nn import pooling as nn_pooling
from glassnet.support.i18n import mark, tr

WON = mark("Only the pixel that won receives the gradient, from each window that it won.")


class MaxPoolLens(WindowLens):
    def winner(self, out: Index) -> Index:
        """The pixel that is the largest of its window, the first of equals."""
        (r, c), (rows, columns), shape = self.corner(out), self.windows.window, self.array("x").shape
        places = [
            (i, j, out[2])
            for i in range(max(r, 0), min(r + rows, shape[0]))
            for j in range(max(c, 0), min(c + columns, shape[1]))
        ]
        return max(places, key=lambda place: float(self.array("x")[place]))

    def down(self, out: Index) -> Index:
        return self.winner(out)

    def up(self, inside: Index) -> Index:
        ways = [(p, q, inside[2]) for p, q, _, _ in self.seen_from(inside)]
        if not ways:  # of a pixel that fills no window, the nearest
            rows, columns, _ = self.array("y").shape
            down, across = self.windows.strides
            return min(inside[0] // down, rows - 1), min(inside[1] // across, columns - 1), inside[2]
        won = [way for way in ways if self.winner(way) == inside]
        dy = self.array("dy")
        return max(won or ways, key=lambda way: abs(float(dy[way])) if dy.size else 0.0)

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        won, (r, c), (rows, columns) = self.winner(out), self.corner(out), self.windows.window
        shape = self.array("x").shape
        cells = [
            self.number("x", (i, j, out[2]))
            for i in range(max(r, 0), min(r + rows, shape[0]))
            for j in range(max(c, 0), min(c + columns, shape[1]))
        ]
        line: Parts = [self.number("y", out), " = max("]
        for number in cells:
            line += [", " if len(line) > 2 else "", number]
        line.append(")")
        mark = won[0] - r, won[1] - c
        note = tr("Pixel {pixel} won.", pixel=at(won))
        if won != inside:
            note += tr(" The path's own pixel {pixel} did not win.", pixel=at(inside))
        title = tr("MaxPool2D: window {window}, channel {channel}", window=at(out[:2]), channel=out[2])
        channel = tr("what comes in, channel {channel}", channel=out[2])
        return [
            self.step(
                "forward",
                title,
                "{y} = max {x}",
                [symbol("y", "y[p, q]", "take_along_axis"), symbol("x", "x[i, j]", "seen", "x")],
                [line],
                [line_of(nn_pooling.max_pool, "place"), line_of(nn_pooling.max_pool)],
                note=note,
                grids=(self.grid(tr("the window"), out, out[2], mark),),
                images=(self.map_of("x", channel, out[2], "x", (r, c, rows, columns)),),
            )
        ]

    def backward(self, inside: Index, out: Index) -> list[Step]:
        ways = [(p, q, inside[2]) for p, q, _, _ in self.seen_from(inside)]
        won = [way for way in ways if self.winner(way) == inside]
        line: Parts = [self.number("dx", inside), " = "]
        for way in won:
            line += [" + " if way != won[0] else "", self.number("dy", way)]
        line += [] if won else ["0"]
        symbols = [symbol("dx", "∂C/∂x[i, j]", "dpadded"), symbol("dy", "∂C/∂y[p, q]", "dy")]
        title = tr("back through MaxPool2D to pixel {place}", place=at(inside))
        equation = "{dx} = Σ {dy}"
        sources = [line_of(nn_pooling.max_pool_backward, "tap")]
        return [self.step("backward", title, equation, symbols, [line], sources, tag="BP2", note=tr(WON))]


class AveragePoolLens(WindowLens):
    def _inside(self, out: Index) -> list[Index]:
        (r, c), (rows, columns), shape = self.corner(out), self.windows.window, self.array("x").shape
        return [
            (i, j, out[2])
            for i in range(max(r, 0), min(r + rows, shape[0]))
            for j in range(max(c, 0), min(c + columns, shape[1]))
        ]

    def down(self, out: Index) -> Index:
        return max(self._inside(out), key=lambda place: abs(float(self.array("x")[place])))

    def up(self, inside: Index) -> Index:
        ways = [(p, q, inside[2]) for p, q, _, _ in self.seen_from(inside)]
        dy = self.array("dy")
        return max(ways, key=lambda way: abs(float(dy[way])) if dy.size else 0.0) if ways else (0, 0, inside[2])

    def _count(self, out: Index) -> Number:
        return Number(f"{self.name}.count[{at(out[:2])}]", len(self._inside(out)), "n", ".0f")

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        (r, c), (rows, columns) = self.corner(out), self.windows.window
        places = self._inside(out)
        values = np.array([self.array("x")[place] for place in places])
        total = sum_of_products([(values, lambda k: f"{self.name}.x[{at(places[k])}]", "x")], f"{self.name}.total[{at(out)}]")
        line: Parts = [self.number("y", out), " = (", *total, ") / ", self._count(out)]
        symbols = [
            symbol("y", "y[p, q]", "total"),
            symbol("x", "x[i, j]", "x", "windows"),
            symbol("n", "n", "_counts", meaning=tr("pixels of the window inside the image")),
        ]
        title = tr("AveragePool2D: window {window}, channel {channel}", window=at(out[:2]), channel=out[2])
        channel = tr("what comes in, channel {channel}", channel=out[2])
        box = (r, c, rows, columns)
        return [
            self.step(
                "forward", title, "{y} = Σ {x} / {n}", symbols, [line], [line_of(nn_pooling.average_pool)],
                grids=(self.grid(tr("the window"), out, out[2], None),),
                images=(self.map_of("x", channel, out[2], "x", box),),
            )
        ]  # fmt: skip

    def backward(self, inside: Index, out: Index) -> list[Step]:
        line: Parts = [self.number("dx", inside), " = "]
        for number, (p, q, _, _) in enumerate(self.seen_from(inside)):
            way = (p, q, inside[2])
            line += [" + " if number else "", self.number("dy", way), " / ", self._count(way)]
        symbols = [
            symbol("dx", "∂C/∂x", "dpadded"),
            symbol("dy", "∂C/∂y", "dy", "share"),
            symbol("n", "n", "_counts", meaning=tr("pixels of the window inside the image")),
        ]
        title = tr("back through AveragePool2D to pixel {place}", place=at(inside))
        sources = [line_of(nn_pooling.average_pool_backward, "share")]
        return [self.step("backward", title, "{dx} = Σ {dy} / {n}", symbols, [line], sources, tag="BP2")]


class GlobalPoolLens(Lens):
    """GlobalAveragePool2D and GlobalMaxPool2D."""

    parts = ("channel",)

    @property
    def _is_max(self) -> bool:
        return isinstance(self.layer, layers.GlobalMaxPool2D)

    def down(self, out: Index) -> Index:
        x = self.array("x")[..., out[0]]
        place = np.unravel_index(int(x.argmax()), x.shape) if self._is_max else largest(x)
        return int(place[0]), int(place[1]), out[0]

    def up(self, inside: Index) -> Index:
        return (inside[2],)

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        channel = out[0]
        x = self.array("x")[..., channel]
        columns = x.shape[1]
        symbols = [symbol("y", "y", "take_along_axis", "mean"), symbol("x", "x[i, j]", "x", "flat")]
        note = None
        if self._is_max:
            won = self.down(out)
            equation, sources = "{y} = max {x}", [line_of(layers.GlobalMaxPool2D.forward, "y")]
            line: Parts = [self.number("y", out), " = ", self.number("x", won)]
            note = tr("Pixel {pixel} is the largest of the channel.", pixel=at(won))
        else:
            equation, sources = "{y} = Σ {x} / {n}", [line_of(layers.GlobalAveragePool2D.forward)]
            symbols.append(symbol("n", "n", meaning=tr("pixels of the channel")))
            total = sum_of_products(
                [(x.ravel(), lambda k: f"{self.name}.x[{at((k // columns, k % columns, channel))}]", "x")],
                f"{self.name}.total[{channel}]",
            )
            line = [self.number("y", out), " = (", *total, ") / ", Number(f"{self.name}.count", x.size, "n", ".0f")]
        kind = type(self.layer).__name__
        title = tr("{kind}: channel {channel}", kind=kind, channel=channel)
        return [self.step("forward", title, equation, symbols, [line], sources, note=note)]

    def backward(self, inside: Index, out: Index) -> list[Step]:
        kind = type(self.layer).__name__
        title = tr("back through {kind} to pixel {place}", kind=kind, place=at(inside))
        symbols = [symbol("dx", "∂C/∂x", "dx"), symbol("dy", "∂C/∂y", "dy")]
        symbols += [symbol("x", "x", "x")] if self._is_max else []
        dx, dy = self.number("dx", inside), self.number("dy", out)
        if self._is_max:
            won = self.down(out) == inside
            sources = [line_of(layers.GlobalMaxPool2D.forward, place=0)]
            equation = "{dx} = {dy}·[{x} = max x]"
            return [self.step("backward", title, equation, symbols, [[dx, " = ", dy if won else "0"]], sources, tag="BP2",
                              note=tr(WON))]  # fmt: skip
        count = Number(f"{self.name}.count", self.array("x").shape[0] * self.array("x").shape[1], "n", ".0f")
        symbols.append(symbol("n", "n", "shape", meaning=tr("pixels of the channel")))
        sources = [line_of(layers.GlobalAveragePool2D.forward, "dx")]
        return [self.step("backward", title, "{dx} = {dy} / {n}", symbols, [[dx, " = ", dy, " / ", count]], sources,
                          tag="BP2")]  # fmt: skip
