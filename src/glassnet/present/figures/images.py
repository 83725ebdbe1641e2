"""Images as they are, with a word to each; and arrays of numbers made visible, by colour or by grey."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glassnet.errors import InputError
from glassnet.present.figures.base import INK, WRONG, new_figure
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def drawable(shape: tuple[int, ...]) -> bool:
    """Whether an image of this shape is grey or coloured."""
    return len(shape) == 3 and shape[2] in (1, 3)


def as_colours(image: Array) -> Array:
    """An image (H, W, 1 or 3) as bytes (H, W, 3): floats in 0…1 as they are, others from their least to their most."""
    if image.dtype != np.uint8:
        values = image.astype(np.float64)
        low, high = min(0.0, float(values.min())), max(1.0, float(values.max()))
        if high > 1.5 or low < 0:
            low, high = float(values.min()), float(values.max())
        image = np.round((values - low) / (high - low if high > low else 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))


def signed_colours(values: Array, limit: float | None = None) -> Array:
    """Numbers (…) as colours (…, 3): blue below 0, white at 0, red above, full at ±`limit` (the largest, if None)."""
    from matplotlib import colormaps

    most = float(np.abs(values).max(initial=0)) if limit is None else limit
    shares = 0.5 + 0.5 * values / (most or 1)
    return np.round(colormaps["RdBu_r"](np.clip(shares, 0, 1))[..., :3] * 255).astype(np.uint8)


def heat(values: Array, image: Array | None = None) -> Array:
    """Numbers (H, W) from 0 (black) to their largest (yellow), below 0 as 0; on top of a faint `image` if there is one."""
    from matplotlib import colormaps

    shares = np.clip(values, 0, None) / (float(values.max(initial=0)) or 1)
    shares = np.where(shares < 0, 0, shares)
    colours = colormaps["inferno"](np.clip(shares, 0, 1))[..., :3] * 255
    if image is not None:
        grey = as_colours(image).mean(axis=2, keepdims=True)
        colours = np.maximum(colours, 0.28 * grey)
    return np.round(colours).astype(np.uint8)


def images_figure(
    images: Sequence[Array] | Array,
    titles: Sequence[str] = (),
    *,
    columns: int = 6,
    wrong: Sequence[bool] = (),
    title: str = "",
) -> Figure:
    """Images (H, W, 1 or 3) in rows, each with its title; those that are `wrong` have theirs in red."""
    if not len(images) or not all(drawable(image.shape) for image in images):
        raise InputError(
            tr("Only images can be drawn."),
            where="images_figure(images)",
            expected=tr("at least one of (H, W, 1) or (H, W, 3)"),
            received=tr("{count} arrays, the first of {shape}", count=len(images), shape=images[0].shape)
            if len(images)
            else tr("{count} arrays", count=0),
        )
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    lines = max((text.count("\n") + 1 for text in titles), default=0)
    figure = new_figure(1.15 * columns, (1.1 + 0.17 * lines) * rows + (0.3 if title else 0))
    places = figure.subplots(rows, columns, squeeze=False).flat
    for number, axes in enumerate(places):
        axes.set_axis_off()
        if number < len(images):
            axes.imshow(as_colours(images[number]), interpolation="nearest")
        if number < len(titles):
            axes.set_title(titles[number], fontsize=8, color=WRONG if number < len(wrong) and wrong[number] else INK)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure
