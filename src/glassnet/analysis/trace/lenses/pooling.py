"""Lenses on pooling: which pixel is the largest, or how the mean is made."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from glassnet import nn as layers
from glassnet.analysis.trace.document import Index, Number, Parts, Source, Step
from glassnet.analysis.trace.lens import Lens, largest
from glassnet.analysis.trace.lenses.windows import WindowLens
from glassnet.analysis.trace.notation import Sign, Values, at, factor_of, joined
from glassnet.analysis.trace.sources import line_of
from glassnet.nn import pooling as nn_pooling
from glassnet.support.i18n import mark, tr

WON = mark("Only the largest pixel of a window receives its gradient.")


class PoolLens(WindowLens):
    def outputs_of(self, inside: Index) -> list[Index]:
        """The outputs that a pixel acts on: those of all windows that hold it."""
        return [(p, q, inside[2]) for p, q, _, _ in self.seen_from(inside)]

    def up(self, inside: Index) -> Index:
        ways = self.outputs_of(inside) or PoolLens.outputs_of(self, inside)
        if not ways:  # of a pixel that is in no window, the nearest
            rows, columns, _ = self.array("y").shape
            down, across = self.layer.strides
            return min(inside[0] // down, rows - 1), min(inside[1] // across, columns - 1), inside[2]
        dy = self.array("dy")
        return max(ways, key=lambda way: abs(float(dy[way])) if dy.size else 0.0)

    def pooled(self, out: Index, equation: str, numbers: dict[str, Number | Parts], sources: list[Source], written: str,
               largest_cell: Index | None = None, **more: Any) -> list[Step]:  # fmt: skip
        """The step forward, with the window as numbers and in the image."""
        channel = out[2]
        title = tr("{kind}: window {window}, channel {channel}", kind=self.kind, window=at(out[:2]), channel=channel)
        grids, images = (self.grid(tr("the window"), out, channel, largest_cell),), (self.input_image(out, channel),)
        numbers["y"] = self.number("y", out)
        return [self.step("forward", title, equation, numbers, sources, written, grids=grids, images=images, **more)]

    def spread(self, inside: Index, equation: str, terms: Parts, function: Any, name: str, **more: Any) -> list[Step]:
        """The step backward."""
        title = tr("back through {kind} to pixel {place}", kind=self.kind, place=at(inside))
        numbers: Values = {"dx": self.number("dx", inside), "sum": terms}
        sources = [line_of(function, name)]
        return [self.step("backward", title, equation, numbers, sources, "{dx} = {sum}", tag="BP2", **more)]


class MaxPoolLens(PoolLens):
    signs: ClassVar = {
        "y": Sign("y[p, q]", "take_along_axis"), "x": Sign("x[i, j]", "seen x"),
        "dx": Sign("∂C/∂x[i, j]", "dpadded"), "dy": Sign("∂C/∂y[p, q]", "dy"),
    }  # fmt: skip

    def down(self, out: Index) -> Index:
        """The pixel that is the largest of its window, the first of equals."""
        return max(self.pixels_of(out), key=lambda place: float(self.array("x")[place]))

    def outputs_of(self, inside: Index) -> list[Index]:
        return [way for way in super().outputs_of(inside) if self.down(way) == inside]

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        won, (r, c) = self.down(out), self.corner(out)
        note = tr("Pixel {pixel} is the largest of the window.", pixel=at(won))
        if won != inside:
            note += tr(" The path's own pixel {pixel} is not.", pixel=at(inside))
        numbers: dict[str, Number | Parts] = {"all": joined(", ", [self.number("x", place) for place in self.pixels_of(out)])}
        sources = [line_of(nn_pooling.max_pool, "place"), line_of(nn_pooling.max_pool)]
        return self.pooled(out, "{y} = max {x}", numbers, sources, "{y} = max({all})", (won[0] - r, won[1] - c), note=note)

    def backward(self, inside: Index, out: Index) -> list[Step]:
        terms = joined(" + ", [self.number("dy", way) for way in self.outputs_of(inside)]) or ["0"]
        return self.spread(inside, "{dx} = Σ {dy}", terms, nn_pooling.max_pool_backward, "tap", note=tr(WON))


class AveragePoolLens(PoolLens):
    signs: ClassVar = {
        "y": Sign("y[p, q]", "total"), "x": Sign("x[i, j]", "x windows"), "dx": Sign("∂C/∂x", "dpadded"),
        "dy": Sign("∂C/∂y", "dy share"), "n": Sign("n", "_counts", mark("pixels of the window inside the image")),
    }  # fmt: skip

    def down(self, out: Index) -> Index:
        return max(self.pixels_of(out), key=lambda place: abs(float(self.array("x")[place])))

    def _count(self, out: Index) -> Number:
        return self.named("count", out[:2], len(self.pixels_of(out)), "n", ".0f")

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        total = self.total("total", out, factor_of([self.number("x", pixel) for pixel in self.pixels_of(out)], "x"))
        numbers: dict[str, Number | Parts] = {"sum": total, "n": self._count(out)}
        return self.pooled(out, "{y} = Σ {x} / {n}", numbers, [line_of(nn_pooling.average_pool)], "{y} = ({sum}) / {n}")

    def backward(self, inside: Index, out: Index) -> list[Step]:
        terms = joined(" + ", [[self.number("dy", way), " / ", self._count(way)] for way in self.outputs_of(inside)])
        return self.spread(inside, "{dx} = Σ {dy} / {n}", terms, nn_pooling.average_pool_backward, "share")


class GlobalPoolLens(Lens):
    """GlobalAveragePool2D and GlobalMaxPool2D."""

    signs: ClassVar = {
        "y": Sign("y", "take_along_axis mean"), "x": Sign("x", "x flat"), "dx": Sign("∂C/∂x", "dx"),
        "dy": Sign("∂C/∂y", "dy"), "n": Sign("n", "shape", mark("pixels of the channel")),
    }  # fmt: skip

    @property
    def _is_max(self) -> bool:
        return isinstance(self.layer, layers.GlobalMaxPool2D)

    def down(self, out: Index) -> Index:
        x = self.array("x")[..., out[0]]
        place = np.unravel_index(int(x.argmax()), x.shape) if self._is_max else largest(x)
        return int(place[0]), int(place[1]), out[0]

    def up(self, inside: Index) -> Index:
        return (inside[2],)

    def _count(self) -> Number:
        return self.named("count", (), self.array("x")[..., 0].size, "n", ".0f")

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        y = self.number("y", out)
        title = tr("{kind}: channel {channel}", kind=self.kind, channel=out[0])
        if self._is_max:
            won = self.down(out)
            maximum, sources = {"y": y, "x": self.number("x", won)}, [line_of(layers.GlobalMaxPool2D.forward, "y")]
            note = tr("Pixel {pixel} is the largest of the channel.", pixel=at(won))
            return [self.step("forward", title, "{y} = max {x}", maximum, sources, "{y} = {x}", note=note)]
        total = self.total("total", out, self.along("x", np.s_[:, :, out[0]], "x"))
        numbers: Values = {"y": y, "sum": total, "n": self._count()}
        sources = [line_of(layers.GlobalAveragePool2D.forward)]
        return [self.step("forward", title, "{y} = Σ {x} / {n}", numbers, sources, "{y} = ({sum}) / {n}")]

    def backward(self, inside: Index, out: Index) -> list[Step]:
        title = tr("back through {kind} to pixel {place}", kind=self.kind, place=at(inside))
        numbers = {"dx": self.number("dx", inside), "dy": self.number("dy", out), "n": self._count()}
        if self._is_max:
            equation, written = "{dx} = {dy}·[{x} = max x]", "{dx} = {dy}" if self.down(out) == inside else "{dx} = 0"
            sources = [line_of(layers.GlobalMaxPool2D.forward, nth=0)]
            return [self.step("backward", title, equation, numbers, sources, written, tag="BP2", note=tr(WON))]
        sources = [line_of(layers.GlobalAveragePool2D.forward, "dx")]
        return [self.step("backward", title, "{dx} = {dy} / {n}", numbers, sources, tag="BP2")]
