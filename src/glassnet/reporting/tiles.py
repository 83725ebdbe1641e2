"""Many small pictures as one: a sheet that the page holds once and of which each place shows a part."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from math import ceil, sqrt

import numpy as np
from markupsafe import Markup

from glassnet.figures.pictures import as_colours
from glassnet.reference import Array

LARGEST = 96  # pixels of a side: more is neither seen nor carried
PHOTOGRAPH = 40_000  # bytes of PNG above which JPEG is tried


class Sheet:
    """Pictures (H, W, 1 or 3) of one size side by side. `css` shows the sheet, `style(k)` moves it to the k-th picture."""

    def __init__(self, name: str, pictures: Sequence[Array], *, exact: bool = False) -> None:
        from PIL import Image

        self.name = name
        shown = [_fitted(as_colours(picture)) for picture in pictures]
        height, width = shown[0].shape[:2]
        self.columns = ceil(sqrt(len(shown)))
        self.rows = ceil(len(shown) / self.columns)
        whole = np.zeros((self.rows * height, self.columns * width, 3), dtype=np.uint8)
        for place, picture in enumerate(shown):
            row, column = divmod(place, self.columns)
            whole[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
        self.ratio = width / height
        grey = (whole[..., :1] == whole).all()
        image = Image.fromarray(whole[..., 0] if grey else whole)
        buffer = io.BytesIO()
        image.save(buffer, "PNG", optimize=True)
        kind = "png"
        if not exact and buffer.tell() > PHOTOGRAPH and not grey:
            other = io.BytesIO()
            image.save(other, "JPEG", quality=82)
            kind, buffer = ("jpeg", other) if other.tell() < buffer.tell() else (kind, buffer)
        self.url = f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
        self.smooth = kind == "jpeg"

    @property
    def css(self) -> Markup:
        sides = f"background-size:{100 * self.columns}% {100 * self.rows}%;aspect-ratio:{self.ratio:.4g};"
        smooth = "image-rendering:auto;" if self.smooth else ""
        return Markup(f".sheet-{self.name}{{background-image:url({self.url});{sides}{smooth}}}")

    def style(self, place: int) -> str:
        """The position of the k-th picture, for a style attribute."""
        row, column = divmod(place, self.columns)
        across, down = (100 * at / (most - 1) if most > 1 else 0.0 for at, most in ((column, self.columns), (row, self.rows)))
        return f"background-position:{across:.4f}% {down:.4f}%"


def _fitted(picture: Array) -> Array:
    """A picture no larger than is shown."""
    height, width = picture.shape[:2]
    if max(height, width) <= LARGEST:
        return picture
    from PIL import Image

    share = LARGEST / max(height, width)
    size = max(1, round(width * share)), max(1, round(height * share))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))
