"""More training data from what there is, without chance: Nielsen's expanded MNIST."""

from __future__ import annotations

import numpy as np

from glassnet.data.dataset import Dataset
from glassnet.errors import InputError
from glassnet.support.checks import is_whole
from glassnet.support.i18n import tr

SHIFTS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))  # rows, columns


def expand_by_shifts(dataset: Dataset, pixels: int = 1) -> Dataset:
    """The images, then all of them moved right, left, down and up by `pixels`: five times as many.

    Zeros come in from the edges. Labels, classes and groups go along. Raises `InputError` where the images are no
    images, or not larger than the shift.
    Source: Nielsen, "Neural Networks and Deep Learning", expand_mnist.py.
    """
    if not is_whole(pixels) or pixels < 1:
        raise InputError(
            tr("A shift is a whole number of pixels."),
            where="expand_by_shifts(pixels)",
            expected=tr("1 or more"),
            received=repr(pixels),
        )
    if len(dataset.shape) != 3 or min(dataset.shape[:2]) <= pixels:
        raise InputError(
            tr("These images can't be shifted."),
            where="expand_by_shifts(dataset)",
            expected=tr("images (H, W, C) of more than 1 pixel either way")
            if pixels == 1
            else tr("images (H, W, C) of more than {pixels} pixels either way", pixels=pixels),
            received=f"{dataset.shape}",
        )
    (height, width, _), pixels, times = dataset.shape, int(pixels), len(SHIFTS)
    padded = np.pad(dataset.images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))
    starts = [(pixels * (1 - down), pixels * (1 - right)) for down, right in SHIFTS]
    images = np.concatenate([padded[:, top : top + height, left : left + width] for top, left in starts])
    groups, names = (None if a is None else np.concatenate([a] * times) for a in (dataset.groups, dataset.names))
    return Dataset(images, np.concatenate([dataset.labels] * times), dataset.classes, groups, names)
