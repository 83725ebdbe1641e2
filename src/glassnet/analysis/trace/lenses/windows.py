"""What lenses on sliding windows share: where each window lies, and which windows a pixel is in."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassnet.analysis.trace.document import Grid, ImageView, Index, Number
from glassnet.analysis.trace.lens import Lens
from glassnet.analysis.trace.notation import at
from glassnet.nn.windows import Windows
from glassnet.support.arrays import Array
from glassnet.support.i18n import Message


class WindowLens(Lens):
    parts = ("row", "column", "channel")

    @property
    def windows(self) -> Windows:
        layer: Any = self.layer
        assert isinstance(layer, Windows)
        return layer

    def corner(self, out: Index) -> tuple[int, int]:
        """Row and column of the image where the window of an output begins; negative in the padding."""
        top, _, left, _ = self.windows.margins(self.array("x").shape)
        down, across = self.windows.strides
        return out[0] * down - top, out[1] * across - left

    def pixel(self, row: int, column: int, channel: int, key: str = "x") -> Number:
        """A pixel of the input; outside the image, the padding's zero."""
        rows, columns, _ = self.array("x").shape
        if 0 <= row < rows and 0 <= column < columns:
            return self.number("x", (row, column, channel), key)
        return Number(f"{self.name}.padding", 0.0, key)

    def patch(self, out: Index, channel: int) -> Array:
        """The values that a window sees of one channel, zeros outside."""
        r, c = self.corner(out)
        rows, columns = self.windows.window
        return np.array([[self.pixel(r + i, c + j, channel).value for j in range(columns)] for i in range(rows)])

    def seen_from(self, inside: Index) -> list[tuple[int, int, int, int]]:
        """The windows (p, q) that hold a pixel, each with the pixel's place (i, j) in it."""
        rows, columns = self.windows.window
        found = []
        for p in range(self.array("y").shape[0]):
            r = inside[0] - self.corner((p, 0))[0]
            for q in range(self.array("y").shape[1]) if 0 <= r < rows else ():
                c = inside[1] - self.corner((0, q))[1]
                if 0 <= c < columns:
                    found.append((p, q, r, c))
        return found

    def grid(self, title: Message, out: Index, channel: int, mark: Index | None) -> Grid:
        """The window of one channel, cell by cell."""
        r, c = self.corner(out)
        rows, columns = self.windows.window
        cells = tuple(tuple(self._short(self.pixel(r + i, c + j, channel)) for j in range(columns)) for i in range(rows))
        return Grid(title, "x", cells, mark)

    def map_of(self, what: str, title: Message, channel: int, key: str, box: tuple[int, int, int, int]) -> ImageView:
        """One channel of x or y as an image."""
        return ImageView(title, key, self.array(what)[..., channel], box)

    def _short(self, number: Number) -> Number:
        return Number(number.name, number.value, number.symbol, ".4g")

    def place(self, out: Index) -> str:
        return at(out[:2])
