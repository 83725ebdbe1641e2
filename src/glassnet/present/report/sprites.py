"""CSS sprites: many small images as one that the page embeds once."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from math import ceil, sqrt

import numpy as np
from markupsafe import Markup

from glassnet.present.figures.images import as_colours
from glassnet.support.arrays import Array

LARGEST = 96  # pixels of a side; larger images are scaled down
RIM = 2  # pixels: JPEG halves the resolution of colours
PHOTOGRAPH, MANY = 40_000, 700_000  # bytes of PNG above which JPEG is tried, in colour and in grey


class Sheet:
    """Images (H, W, 1 or 3) of one size side by side. `css` shows the sheet, `style(k)` moves it to the k-th image.

    Each image is padded with its own edge pixels: a browser that scales the sheet mixes neighbouring pixels.
    """

    def __init__(self, name: str, images: Sequence[Array], *, exact: bool = False, largest: int = LARGEST) -> None:
        from PIL import Image

        self.name = name
        shown = [_fitted(as_colours(image), largest) for image in images]
        self.size = shown[0].shape[:2]
        shown = [np.pad(image, ((RIM, RIM), (RIM, RIM), (0, 0)), mode="edge") for image in shown]
        height, width = self.cell = shown[0].shape[:2]
        self.columns = ceil(sqrt(len(shown)))
        self.rows = ceil(len(shown) / self.columns)
        whole = np.zeros((self.rows * height, self.columns * width, 3), dtype=np.uint8)
        for place, image in enumerate(shown):
            row, column = divmod(place, self.columns)
            whole[row * height : (row + 1) * height, column * width : (column + 1) * width] = image
        self.ratio = self.size[1] / self.size[0]
        grey = (whole[..., :1] == whole).all()
        sheet = Image.fromarray(whole[..., 0] if grey else whole)
        buffer = io.BytesIO()
        sheet.save(buffer, "PNG", optimize=True)
        kind = "png"
        if not exact and buffer.tell() > (MANY if grey else PHOTOGRAPH):
            other = io.BytesIO()
            sheet.save(other, "JPEG", quality=70 if grey else 82)
            kind, buffer = ("jpeg", other) if other.tell() < buffer.tell() else (kind, buffer)
        self.url = f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
        self.smooth = kind == "jpeg"

    @property
    def css(self) -> Markup:
        high, wide = (
            100 * count * cell / side
            for count, cell, side in zip((self.rows, self.columns), self.cell, self.size, strict=True)
        )
        sides = f"background-size:{wide:.4f}% {high:.4f}%;aspect-ratio:{self.ratio:.4g};"
        smooth = "image-rendering:auto;" if self.smooth else ""
        return Markup(f".sheet-{self.name}{{background-image:url({self.url});{sides}{smooth}}}")

    def style(self, place: int) -> str:
        """The position of the k-th image, for a style attribute."""
        down, across = (
            100 * (at * cell + RIM) / (most * cell - side)
            for at, most, cell, side in zip(
                divmod(place, self.columns), (self.rows, self.columns), self.cell, self.size, strict=True
            )
        )
        return f"background-position:{across:.4f}% {down:.4f}%"


def _fitted(image: Array, largest: int) -> Array:
    """The image, scaled down if a side is longer than `largest`."""
    height, width = image.shape[:2]
    if max(height, width) <= largest:
        return image
    from PIL import Image

    share = largest / max(height, width)
    size = max(1, round(width * share)), max(1, round(height * share))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
