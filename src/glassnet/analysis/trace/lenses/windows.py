"""What lenses on sliding windows share: where each window lies, and which windows a pixel is in."""

from __future__ import annotations

from itertools import product

import numpy as np

from glassnet.analysis.trace.document import Grid, ImageView, Index, Number
from glassnet.analysis.trace.lens import Lens
from glassnet.support.arrays import Array
from glassnet.support.i18n import Message, tr


class WindowLens(Lens):
    def corner(self, out: Index) -> tuple[int, int]:
        """Row and column of the image where the window of an output begins; negative in the padding."""
        top, _, left, _ = self.layer.margins(self.array("x").shape)
        down, across = self.layer.strides
        return out[0] * down - top, out[1] * across - left

    def pixel(self, out: Index, i: int, j: int, channel: int, form: str = ".6g") -> Number:
        """The pixel at (i, j) of the window of an output; outside the image, the padding's zero."""
        (r, c), (rows, columns, _) = self.corner(out), self.array("x").shape
        if 0 <= r + i < rows and 0 <= c + j < columns:
            return self.number("x", (r + i, c + j, channel), form=form)
        return self.named("padding", (), 0.0, "x", form)

    def patch(self, out: Index, channel: int) -> Array:
        """The values that a window sees of one channel, zeros outside."""
        pixels = [self.pixel(out, i, j, channel).value for i, j in np.ndindex(*self.layer.window)]
        return np.array(pixels).reshape(self.layer.window)

    def pixels_of(self, out: Index) -> list[Index]:
        """The pixels of a window, in the channel of its output, that lie inside the image."""
        sides = zip(self.corner(out), self.layer.window, self.array("x").shape, strict=False)
        rows, columns = (range(max(first, 0), min(first + size, end)) for first, size, end in sides)
        return [(i, j, out[2]) for i, j in product(rows, columns)]

    def seen_from(self, inside: Index) -> list[tuple[int, int, int, int]]:
        """The windows (p, q) that hold a pixel, each with the pixel's position (i, j) in it."""
        (rows, columns), (high, wide) = self.layer.window, self.array("y").shape[:2]
        down = [(p, inside[0] - self.corner((p, 0))[0]) for p in range(high)]
        across = [(q, inside[1] - self.corner((0, q))[1]) for q in range(wide)]
        return [(p, q, i, j) for p, i in down if 0 <= i < rows for q, j in across if 0 <= j < columns]

    def grid(self, title: Message, out: Index, channel: int, mark: Index | None) -> Grid:
        """The window of one channel, cell by cell."""
        rows, columns = map(range, self.layer.window)
        return Grid(title, "x", tuple(tuple(self.pixel(out, i, j, channel, ".4g") for j in columns) for i in rows), mark)

    def input_image(self, out: Index, channel: int) -> ImageView:
        """One channel of the input, with the window of an output."""
        title = tr("the input, channel {channel}", channel=channel)
        return ImageView(title, "x", self.array("x")[..., channel], (*self.corner(out), *self.layer.window))
