"""A larger training set by shifts of one pixel: Nielsen's expanded MNIST."""

from __future__ import annotations

import numpy as np

from glassnet.data.dataset import Dataset
from glassnet.errors import InputError
from glassnet.support.checks import whole_number
from glassnet.support.i18n import tr

SHIFTS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))  # rows, columns


def expand_by_shifts(dataset: Dataset, pixels: int = 1) -> Dataset:
    """The images, then all of them moved right, left, down and up by `pixels`: five times as many.

    Zeros come in from the edges. Labels, groups and names are repeated. Raises `InputError` where the images are rows of
    features, or not larger than the shift.
    Source: Nielsen, "Neural Networks and Deep Learning", expand_mnist.py.
    """
    pixels = whole_number(pixels, tr("A shift is a whole number of pixels."), "expand_by_shifts(pixels)", tr("1 or more"))
    if len(dataset.shape) != 3 or min(dataset.shape[:2]) <= pixels:
        raise InputError(
            tr("These images can't be shifted."),
            where="expand_by_shifts(dataset)",
            expected=tr("images (H, W, C) with H and W above {pixels}", pixels=pixels),
            received=f"{dataset.shape}",
        )
    (height, width, _), times = dataset.shape, len(SHIFTS)
    padded = np.pad(dataset.images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))
    starts = [(pixels * (1 - down), pixels * (1 - right)) for down, right in SHIFTS]
    images = np.concatenate([padded[:, top : top + height, left : left + width] for top, left in starts])
    groups, names = (None if a is None else np.concatenate([a] * times) for a in (dataset.groups, dataset.names))
    return Dataset(images, np.concatenate([dataset.labels] * times), dataset.classes, groups, names)
