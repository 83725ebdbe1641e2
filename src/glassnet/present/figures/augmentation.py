"""What augmentation does to images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glassnet.data import Dataset
from glassnet.data.augmentation import Augmentation
from glassnet.errors import InputError
from glassnet.present.figures.base import GREY, sheet
from glassnet.support.i18n import tr

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def augmentation_figure(
    data: Dataset, augmentation: Augmentation, *, seed: int = 0, count: int = 8, views: int = 11, title: str = ""
) -> Figure:
    """A sheet: on the left `count` images of different classes, and beside each what training sees of it, `views` times.

    Raises `InputError` where the data holds no grey or coloured images.
    """
    from matplotlib.figure import Figure

    if len(data.shape) != 3 or data.shape[2] not in (1, 3):
        raise InputError(
            tr("Only images can be drawn."),
            where="augmentation_figure(data)",
            expected=tr("images (H, W, 1) or (H, W, 3)"),
            received=data.shape,
        )
    first = np.unique(data.labels, return_index=True)[1] if data.is_classification else np.arange(len(data))
    chosen = np.sort(first)[:count]
    chosen = np.append(chosen, np.setdiff1d(np.arange(min(len(data), 2 * count)), chosen)[: count - len(chosen)])
    plain = data.images[chosen]
    changed = augmentation(np.repeat(plain, views, axis=0), seed)
    left, right = sheet(plain, 1), sheet(changed, views)
    gap = np.full((len(left), data.shape[1] // 3, 3), 255, dtype=np.uint8)
    whole, start = np.concatenate([left, gap, right], axis=1), left.shape[1] + gap.shape[1]
    inches = 0.55 * (views + 1.5)
    figure = Figure(figsize=(inches, inches * len(whole) / whole.shape[1] + 0.6), layout="constrained")
    axes = figure.subplots()
    axes.imshow(whole, interpolation="nearest")
    for at, name in ((0, tr("before")), (start, tr("after, as training sees them"))):
        axes.annotate(name, (at, 0), (0, 5), textcoords="offset points", fontsize=9, color=GREY, annotation_clip=False)
    axes.set_axis_off()
    if title:
        figure.suptitle(title, fontsize=11)
    return figure
