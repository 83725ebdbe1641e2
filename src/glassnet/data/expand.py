"""More training data from what there is, without chance: Nielsen's expanded MNIST."""

from __future__ import annotations

import numpy as np

from glassnet.data.dataset import Dataset
from glassnet.errors import InputError
from glassnet.support.i18n import tr

SHIFTS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))  # rows, columns


def expand_by_shifts(dataset: Dataset, pixels: int = 1) -> Dataset:
    """The images, then all of them moved right, left, down and up by `pixels`: five times as many.

    Zeros come in from the edges. Labels, classes and groups go along. Raises `InputError` where the images are no
    images, or not larger than the shift.
    Source: Nielsen, "Neural Networks and Deep Learning", expand_mnist.py.
    """
    if isinstance(pixels, bool) or not isinstance(pixels, (int, np.integer)) or pixels < 1:
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
    count, (height, width, _) = len(dataset), dataset.shape
    images = np.zeros((len(SHIFTS) * count, *dataset.shape), dtype=dataset.images.dtype)
    for number, (down, right) in enumerate(SHIFTS):
        down, right = down * int(pixels), right * int(pixels)
        target = images[number * count : (number + 1) * count]
        kept = dataset.images[:, max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)]
        target[:, max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)] = kept
    times = len(SHIFTS)
    labels = np.concatenate([dataset.labels] * times)
    groups = None if dataset.groups is None else np.concatenate([dataset.groups] * times)
    names = None if dataset.names is None else np.concatenate([dataset.names] * times)
    return Dataset(images, labels, dataset.classes, groups, names)
