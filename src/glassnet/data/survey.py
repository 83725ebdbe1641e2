"""What can be said of a data set before it is read whole: its classes, and the sizes and kind of its images."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.data.dataset import Splits
from glassnet.data.decode import peek, quiet
from glassnet.data.decode_many import decode_all
from glassnet.data.load import find_reader, load_dataset
from glassnet.data.options import ImageOptions, ReadOptions, as_options
from glassnet.data.polarity import DRAWINGS, polarity
from glassnet.data.readers.drawn import draw_characters
from glassnet.data.readers.filename_labels import check_classes, understand
from glassnet.data.readers.image_sources import Folder, ImageFiles, Zip
from glassnet.data.remote import is_url
from glassnet.data.splits import DEFAULT_FRACTIONS
from glassnet.errors import DataError, InputError
from glassnet.support.i18n import tr
from glassnet.support.paths import as_path

SAMPLE = 400  # images that are looked at
SIDE = 48  # pixels to which they are brought
CHROMA = 8.0  # of 255: mean difference between the largest and the smallest channel of an image with colour
COLOURED = 0.02  # share of the images that must have colour


@dataclass(frozen=True)
class Survey:
    """`counts`: images by class, without those of a test part; `train`: how many of them the training part will have.

    `sizes` `(n, 2)`: heights and widths of some images; `channels`: 0 for rows of features, which are no images. `ink`: 1
    for light ink on a dark ground, −1 for dark ink on a light one, 0 for photographs. `colour`: whether they have any.
    `own_test`, `groups`: whether it has a test part of its own, and how many groups; None where that is not known.
    `block`: that of memory-mapped images, else None.
    """

    counts: dict[str, int]
    train: int
    sizes: npt.NDArray[np.int64]
    channels: int
    ink: int
    colour: bool
    own_test: bool | None = None
    groups: int | None = None
    block: int | None = None

    @property
    def images(self) -> int:
        """All images but those of a test part."""
        return sum(self.counts.values())


def survey(given: str | os.PathLike[str], **options: Any) -> Survey:
    """Look at the names of all images and at the pixels of some; `options` are those of `load_dataset`.

    Raises `DataError` and `InputError` as `load_dataset` does, and `DataError` for targets that are not classes.
    """
    if is_url(given):
        return survey_arrays(load_dataset(given, **options), given)
    chosen, path = as_options(**options), as_path(given)
    reader = find_reader(path, chosen)
    if not reader.takes_pattern:
        return survey_arrays(reader.read(path, chosen), path)
    if path.is_dir():
        return _of_files(Folder(path), chosen)
    with contextlib.closing(Zip(path)) as files:
        return _of_files(files, chosen)


def survey_drawn(options: dict[str, Any], copies: int) -> Survey:
    """The survey of characters that are drawn; `options` as in `draw_characters`. One copy of each is looked at."""
    found = survey_arrays(draw_characters(**options | {"copies": 1}), "fonts")
    counts = {name: copies * count for name, count in found.counts.items()}
    return replace(found, counts=counts, train=copies * found.train)


def _of_files(files: ImageFiles, options: ReadOptions) -> Survey:
    if not files.names:
        raise DataError(tr("There are no images here."), where=files.path, expected=tr("image files in one folder per class"))
    found, _ = understand(files.names, options.pattern, files.path)
    kept = [image for image in found if image.part != "test"]
    classes = check_classes([image.label for image in kept], files.path)
    labels = Counter(image.label for image in kept)
    parts = {image.part for image in found}
    fractions = np.array(options.fractions or DEFAULT_FRACTIONS)
    share = 1.0 if "validation" in parts else fractions[0] / (fractions[:2].sum() if "test" in parts else 1)
    train = sum(image.part == "train" for image in found)
    rng = np.random.default_rng(0)
    names = [found[index].name for index in np.sort(rng.permutation(len(found))[:SAMPLE])]
    heads = []
    with quiet():
        for name in names:
            with contextlib.suppress(InputError, OSError):
                heads.append(peek(files.open(name), name)[:2])
    pixels, _ = decode_all(files, names, ImageOptions((SIDE, SIDE), "rgb"))
    groups = {image.group for image in found} - {None}
    return Survey(
        {name: labels[name] for name in classes},
        max(1, round(train * share)),
        np.array(heads, np.int64),
        *_kind(pixels),
        "test" in parts,
        len(groups),
    )


def survey_arrays(splits: Splits, path: object) -> Survey:
    """The survey of images in arrays; `path`, for errors, is where they are from. Raises `DataError` for floating targets."""
    train = splits.train
    if train.classes is None:
        raise DataError(
            tr("A recipe for classes can't be made for floating targets."),
            where=path,
            expected=tr("labels that are class indices"),
            received=tr("targets of shape {shape}", shape=train.labels.shape),
        )
    counts = train.counts + (0 if splits.validation is None else splits.validation.counts)
    by_class = {name: int(count) for name, count in zip(train.classes, counts, strict=True)}
    groups = None if train.groups is None else len(np.unique(train.groups))
    if len(train.shape) != 3:
        return Survey(by_class, len(train), np.array([[1, train.shape[0]]]), 0, 0, False, groups=groups, block=train.block)
    chosen = np.sort(np.random.default_rng(0).permutation(len(train))[:SAMPLE])
    sizes = np.array([train.shape[:2]], np.int64)
    return Survey(by_class, len(train), sizes, *_kind(train.images[chosen]), groups=groups, block=train.block)


def _kind(images: npt.NDArray[Any]) -> tuple[int, int, bool]:
    """The channels, the ink and whether there is colour, of images `(N, H, W, C)`."""
    signs = polarity(images)
    ink = (1 if (signs == 1).sum() * 2 >= (signs != 0).sum() else -1) if (signs != 0).mean() >= DRAWINGS else 0
    if images.shape[-1] != 3:
        return images.shape[-1], ink, False
    chroma = (images.max(axis=-1).astype(np.float32) - images.min(axis=-1)).mean(axis=(1, 2))
    full = 255 if images.dtype == np.uint8 else max(float(images.max()), 1e-9)
    return 3, ink, bool((chroma / full * 255 > CHROMA).mean() > COLOURED)
