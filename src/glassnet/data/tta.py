"""Test-time augmentation: several views of each image, whose probabilities are averaged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from glassnet.data.augmentation import Augmentation, as_augmentation, image_shape
from glassnet.errors import InputError
from glassnet.support.arrays import Array
from glassnet.support.checks import is_whole
from glassnet.support.i18n import tr

VIEWS = 8
BLOCK = 1000  # images changed together: the floats on the way take several times the room of their bytes


def views_of(
    rows: Array, shape: tuple[int, ...], augmentation: Augmentation | dict[str, Any] | None, views: int | None, seed: int
) -> Iterator[Array]:
    """Rows (N, features) as they are, then `views` − 1 times (VIEWS − 1, if None) each under a change of its own.

    `shape`: of one image. Without an augmentation there is one view. Raises `InputError` for views that can't be made.
    """
    changes = as_augmentation(augmentation, "augmentation")
    if views is not None and not (is_whole(views) and views >= 1):
        raise InputError(tr("views must be a whole number above 0."), where="views", expected=tr("1 or more"), received=views)
    if augmentation is None and views is not None and views > 1:
        raise InputError(
            tr("Several views need an augmentation that tells them apart."),
            where="augmentation",
            expected=tr("for example Augmentation(shift=1, rotation=5)"),
            received="None",
        )
    yield rows
    if changes is None:
        return
    images = rows.reshape(len(rows), *image_shape([shape], "augmentation"))
    for view in range(1, VIEWS if views is None else views):
        changed = np.empty_like(images)
        for start in range(0, len(images), BLOCK):
            key = int(np.random.default_rng([seed, view, start]).integers(2**63))
            changed[start : start + BLOCK] = changes(images[start : start + BLOCK], key)
        yield changed.reshape(rows.shape)
