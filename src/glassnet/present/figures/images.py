"""Images with titles or side by side, images before and after augmentation, and arrays as colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glassnet.data import Dataset
from glassnet.data.augmentation import Augmentation
from glassnet.errors import InputError
from glassnet.present.figures.base import GREY, INK, WRONG, new_axes, new_figure
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def drawable(shape: tuple[int, ...]) -> bool:
    """Whether an image of this shape is grey or coloured."""
    return len(shape) == 3 and shape[2] in (1, 3)


def check_drawable(shape: tuple[int, ...], where: str) -> None:
    """Raise `InputError` for images of another shape."""
    if not drawable(shape):
        raise InputError(
            tr("Only images can be drawn."), where=where, expected=tr("images (H, W, 1) or (H, W, 3)"), received=shape
        )


def as_colours(image: Array) -> Array:
    """An image (H, W, 1 or 3) as bytes (H, W, 3); floats outside 0…1 are scaled from their minimum to their maximum."""
    if image.dtype != np.uint8:
        values = image.astype(np.float64)
        low, high = float(values.min()), float(values.max())
        if low >= 0 and high <= 1.5:
            low, high = 0.0, max(1.0, high)
        image = np.round((values - low) / (high - low if high > low else 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))


def stretched(image: Array) -> Array:
    """A drawing (H, W, 1) of little contrast, such as pencil on paper, over the whole range; other images as they are."""
    low, high = float(image.min()), float(image.max())
    whole = 255 if image.dtype == np.uint8 else 1
    if image.shape[-1] != 1 or not 0 < high - low < 0.9 * whole:
        return image
    return np.round((image.astype(np.float64) - low) / (high - low) * 255).astype(np.uint8)


def signed_colours(values: Array, limit: float | None = None) -> Array:
    """Numbers (…) as colours (…, 3): blue below 0, white at 0, red above, full at ±`limit` (the largest, if None)."""
    from matplotlib import colormaps

    most = float(np.abs(values).max(initial=0)) if limit is None else limit
    shares = 0.5 + 0.5 * values / (most or 1)
    return np.round(colormaps["RdBu_r"](np.clip(shares, 0, 1))[..., :3] * 255).astype(np.uint8)


def heat(values: Array, image: Array | None = None) -> Array:
    """Numbers (H, W) from 0 or less (black) to their largest (yellow), over a faint `image` if there is one."""
    from matplotlib import colormaps

    shares = values / (float(values.max(initial=0)) or 1)
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
    """Images (H, W, 1 or 3) in rows, each with its title, in red for those that are `wrong`."""
    for shape in [image.shape for image in images] or [np.shape(images)]:
        check_drawable(shape, "images_figure(images)")
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


def augmentation_figure(
    data: Dataset, augmentation: Augmentation, *, seed: int = 0, count: int = 8, views: int = 11, title: str = ""
) -> Figure:
    """`count` images of different classes, each with `views` augmented versions; `InputError` if they can't be drawn."""
    check_drawable(data.shape, "augmentation_figure(data)")
    first = np.unique(data.labels, return_index=True)[1] if data.is_classification else np.arange(len(data))
    chosen = np.sort(first)[:count]
    chosen = np.append(chosen, np.setdiff1d(np.arange(min(len(data), 2 * count)), chosen)[: count - len(chosen)])
    originals = data.images[chosen]
    left, right = _sheet(originals, 1), _sheet(augmentation(np.repeat(originals, views, axis=0), seed), views)
    gap = np.full((len(left), data.shape[1] // 3, 3), 255, dtype=np.uint8)
    whole, start = np.concatenate([left, gap, right], axis=1), left.shape[1] + gap.shape[1]
    inches = 0.55 * (views + 1.5)
    figure, axes = new_axes(inches, inches * len(whole) / whole.shape[1] + 0.6)
    axes.imshow(whole, interpolation="nearest")
    for at, name in ((0, tr("before")), (start, tr("after, as in training"))):
        axes.annotate(name, (at, 0), (0, 5), textcoords="offset points", fontsize=9, color=GREY, annotation_clip=False)
    axes.set_axis_off()
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def _sheet(images: Array, columns: int, gap: int = 2) -> Array:
    """Images (N, H, W, C) in rows as one image, white between them; floats are scaled from their minimum to their maximum."""
    if images.dtype.kind == "f":
        low, high = float(images.min()), float(images.max())
        images = (images - low) / (high - low if high > low else 1) * 255
    count, height, width, channels = images.shape
    rows = count // columns
    whole = np.full((rows, height + gap, columns, width + gap, channels), 255, dtype=np.uint8)
    whole[:, :height, :, :width] = images.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    found = whole.reshape(rows * (height + gap), columns * (width + gap), channels)[:-gap, :-gap]
    return np.broadcast_to(found, (*found.shape[:2], 3))
