"""Bringing images to one size and colour: by Pillow, one image at a time; and whole arrays of images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from glassnet.data.dataset import Dataset, Splits
from glassnet.data.options import Color, Fit, ImageOptions
from glassnet.errors import DataError
from glassnet.support.i18n import tr

if TYPE_CHECKING:
    from PIL.Image import Image


def fitted(image: Image, size: tuple[int, int], fit: Fit) -> Image:
    """The image with `size` `(H, W)`: squeezed ("stretch"), or whole on black ("pad"), or its middle ("crop").

    Averages where both sides shrink to a whole fraction (64 to 32), else Lanczos; unchanged where the size is right.
    """
    from PIL import Image as Images

    height, width = size
    if image.size == (width, height):
        return image
    wide, high = image.size
    if fit == "pad":
        scale = min(width / wide, height / high)
        inside = max(1, round(wide * scale)), max(1, round(high * scale))
        canvas = Images.new(image.mode, (width, height))
        canvas.paste(_resized(image, inside), ((width - inside[0]) // 2, (height - inside[1]) // 2))
        return canvas
    if fit == "crop":
        scale = max(width / wide, height / high)
        kept = min(wide, width / scale), min(high, height / scale)
        left, top = (wide - kept[0]) / 2, (high - kept[1]) / 2
        return _resized(image, (width, height), (left, top, left + kept[0], top + kept[1]))
    return _resized(image, (width, height))


def _resized(image: Image, target: tuple[int, int], box: tuple[float, float, float, float] | None = None) -> Image:
    from PIL.Image import Resampling

    left, top, right, bottom = box or (0, 0, *image.size)
    ratios = (right - left) / target[0], (bottom - top) / target[1]
    whole = all(ratio >= 1 and ratio == int(ratio) for ratio in ratios)
    return image.resize(target, Resampling.BOX if whole else Resampling.LANCZOS, box)


def bring(splits: Splits, options: ImageOptions, where: object) -> Splits:
    """Splits whose images all have the size and colour of `options`; the same object where they already have them.

    Raises `DataError` where a size or colour is given and the data are not images of 1 or 3 channels.
    """
    shape = splits.train.shape
    if options.size is None and options.color is None:
        return splits
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise DataError(
            tr("Only images can be resized or converted to a colour."),
            where=where,
            expected=tr("images (H, W, 1) or (H, W, 3)"),
            received=tr("examples of shape {shape}", shape=shape),
            hint=tr("leave size and color out"),
        )
    size = options.size or (shape[0], shape[1])
    color = options.color or ("grey" if shape[2] == 1 else "rgb")
    if (*size, 1 if color == "grey" else 3) == shape:
        return splits

    def brought(part: Dataset) -> Dataset:
        pixels = bring_pixels(part.images, size, color, options.fit)
        return Dataset(pixels, part.labels, part.classes, part.groups, part.names)

    parts = ("train", "validation", "test")
    made: dict[str, Any] = {name: brought(part) for name in parts if (part := getattr(splits, name)) is not None}
    return replace(splits, **made)


def bring_pixels(images: npt.NDArray[Any], size: tuple[int, int], color: Color, fit: Fit) -> npt.NDArray[Any]:
    """Images `(N, H, W, 1 or 3)`, `uint8` or `float32`, as `(N, *size, 1 or 3)` of the same kind."""
    from PIL import Image as Images

    if color == "grey" and images.shape[-1] == 3:
        grey = images.astype(np.float32) @ np.array([[0.299], [0.587], [0.114]], np.float32)  # as ITU-R 601, and Pillow
        images = np.rint(grey).astype(np.uint8) if images.dtype == np.uint8 else grey
    if images.shape[1:3] != size:
        resized = np.empty((len(images), *size, images.shape[-1]), images.dtype)
        for index, pixels in enumerate(images):
            for channel in range(images.shape[-1]):
                image = Images.fromarray(np.ascontiguousarray(pixels[..., channel]))
                resized[index, :, :, channel] = np.asarray(fitted(image, size, fit))
        images = resized
    return np.repeat(images, 3, axis=-1) if color == "rgb" and images.shape[-1] == 1 else images
