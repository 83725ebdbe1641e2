"""Multi-crop: the fixed views of an image that test-time augmentation averages over, without chance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from glassnet.errors import InputError
from glassnet.support.arrays import Array
from glassnet.support.checks import whole_number
from glassnet.support.habits import option_class
from glassnet.support.i18n import tr
from glassnet.support.registry import make_named


@option_class
class MultiCrop:
    """The image, and the image shifted by `shift` pixels up and left, and down and right, each as it is and mirrored.

    In this order: six views, or with `flip=False` three. Beyond the image lies its reflection. It is an `augmentation` of
    `predict_proba` and `evaluate`; `views` takes the first few alone. As in Jordan, arXiv 2404.00498, but of equal weight.

        net.evaluate(splits.test, augmentation=gn.MultiCrop())
    """

    shift: int = 1
    flip: bool = True

    def __post_init__(self) -> None:
        what = tr("A shift is a whole number of pixels.")
        whole_number(self.shift, what, "MultiCrop(shift)", tr("{least} or more", least=1))

    @property
    def count(self) -> int:
        return 6 if self.flip else 3

    def views(self, images: Array, count: int | None = None) -> Iterator[Array]:
        """The first `count` views of images (N, H, W, C), all by default: arrays like them."""
        if count is not None and count > self.count:
            raise InputError(
                tr("MultiCrop has fewer views."),
                where="views",
                expected=tr("at most {most}", most=self.count),
                received=count,
            )
        (height, width), shift = images.shape[1:3], self.shift
        if min(height, width) <= shift:
            raise InputError(
                tr("These images can't be shifted."),
                where="MultiCrop(shift)",
                expected=tr("images (H, W, C) with H and W above {pixels}", pixels=shift),
                received=f"{images.shape[1:]}",
            )
        for number in range(self.count if count is None else count):
            crop, mirrored = divmod(number, 2) if self.flip else (number, 0)
            view = images
            if crop:
                around = np.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="reflect")
                start = 2 * shift if crop == 1 else 0
                view = around[:, start : start + height, start : start + width]
            yield np.ascontiguousarray(view[:, :, ::-1] if mirrored else view)


def as_multicrop(value: Any, where: str) -> MultiCrop | None:
    """A MultiCrop from itself, its name or its description; None where it is something else."""
    if isinstance(value, MultiCrop):
        return value
    if value == "MultiCrop" or (isinstance(value, dict) and value.get("type") == "MultiCrop"):
        return make_named(value, {"MultiCrop": MultiCrop}, "MultiCrop", where)
    return None
