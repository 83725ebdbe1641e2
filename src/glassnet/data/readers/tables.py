"""A data set from the arrays of a file: the axis of the images, the layout of the pixels, the classes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.data.arrays import PIXEL_LIMIT, form
from glassnet.data.dataset import Dataset, Splits
from glassnet.data.options import ImageOptions
from glassnet.data.readers.array_names import Role
from glassnet.data.resize import bring
from glassnet.errors import DataError, DataWarning, InputError
from glassnet.support.i18n import mark, tr

Array = npt.NDArray[Any]
_CHANNELS = (1, 3)
_PARTS = ("train", "validation", "test")


def assemble(
    arrays: Mapping[Role, Array], others: Sequence[str], where: object, options: ImageOptions, *, matlab: bool = False
) -> Splits:
    """The splits in a file, from its arrays by role (`find_roles`), in the requested size and colour.

    Labels may be any integers, texts or one-hot rows; they name the classes unless the file has class names. The axis as
    long as the labels is that of the images. Flattened rows become images of `size`; with `matlab`, rows of square length
    become square images, flattened column by column.
    Raises `DataError` for arrays that are missing or do not fit each other.
    """
    missing = next((kind for kind in (mark("images"), mark("labels")) if ("train", kind) not in arrays), None)
    if missing:
        known = [f"{role[1]}: {array.shape}" for role, array in arrays.items()]
        raise DataError(
            tr("The file has no {missing} for training under a known name.", missing=tr(missing)),
            where=where,
            expected=tr("x_train and y_train, images and labels, x and y, train_set_x and train_set_y, or the like"),
            received=", ".join([*others, *known][:8]) or tr("no arrays"),
            hint=tr("rename the arrays"),
        )
    present = [part for part in _PARTS if (part, "images") in arrays and (part, "labels") in arrays]
    marks = {part: _marks(arrays[part, "labels"], arrays[part, "images"], where) for part in present}
    values, names = _classes(marks, arrays.get(("", "classes")), where)
    pixels = {part: _images(arrays[part, "images"], len(marks[part]), options, where, matlab=matlab) for part in present}
    if _are_bytes(list(pixels.values())):
        word = mark("{path}: the pixels are floats from 0 to {high:g}: they are read as bytes, rounded to whole numbers.")
        high = max(float(images.max()) for images in pixels.values())
        warnings.warn(tr(word, path=where, high=high), DataWarning, stacklevel=4)
        pixels = {part: np.rint(images).astype(np.uint8) for part, images in pixels.items()}
    made: dict[str, Any] = {}
    for part, images in pixels.items():
        groups = arrays.get((part, "groups"))
        order = np.argsort(values)
        labels = order[np.searchsorted(values, marks[part], sorter=order)]
        try:
            made[part] = Dataset(images, labels, names, None if groups is None else np.ravel(groups))
        except InputError as error:
            raise error.at(f"{where}, {part}: {error.where}", DataError) from None
    return bring(Splits(**made), options, where)


def _marks(labels: Array, images: Array, where: object) -> Array:
    """Integers or texts `(N,)` from labels `(N,)`, `(N, 1)`, `(1, N)` or one-hot rows."""
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    if labels.ndim == 2 and 1 not in labels.shape and labels.dtype.kind in "iufb":
        marked = labels if labels.shape[0] in (images.shape[0], images.shape[-1]) else labels.T
        if (np.isin(marked, (0, 1)).all()) and (marked.sum(axis=1) == 1).all():
            return np.asarray(marked.argmax(axis=1), np.int64)
    flat = labels.reshape(-1) if labels.ndim < 3 and (labels.ndim < 2 or 1 in labels.shape) else None
    if flat is not None and flat.dtype.kind == "f" and np.isfinite(flat).all() and (flat == np.rint(flat)).all():
        flat = flat.astype(np.int64)
    if not labels.size:
        raise DataError(tr("There are no images."), where=where, expected=tr("at least one"), received=form(images))
    if flat is None or flat.dtype.kind not in "iubU":
        what = tr("The labels are neither whole numbers nor texts, one for each image.")
        expected = tr("labels of shape (N,) or (N, 1), or rows of 0 with a single 1")
        received: str = form(labels)
        if flat is not None and flat.dtype.kind == "f":
            wrong = flat[flat != np.rint(flat)]  # NaN is not equal to itself
            received = tr("{value}, and {form}", value=wrong[0] if wrong.size else flat.max(), form=received)
        raise DataError(what, where=where, expected=expected, received=received)
    return flat


def _classes(marks: Mapping[str, Array], names: Array | None, where: object) -> tuple[Array, tuple[str, ...]]:
    """The sorted label values and the names of their classes."""
    if len({array.dtype.kind == "U" for array in marks.values()}) > 1:
        raise DataError(tr("The labels are numbers in one part and texts in another."), where=where, expected=tr("one kind"))
    values: Array = np.unique(np.concatenate(list(marks.values())))
    if values.dtype.kind == "U" and all(value.isdecimal() for value in values.tolist()):
        width = max(map(len, values.tolist()))  # "2" before "10"
        values = np.array(sorted(values.tolist(), key=lambda value: (value.zfill(width), value)))
    if names is None:
        return values, tuple(str(value) for value in values)
    texts = np.char.decode(names, "utf-8", "replace") if names.dtype.kind == "S" else names
    given = tuple(str(name) for name in np.ravel(texts))
    if values.dtype.kind == "U":
        return values, tuple(str(value) for value in values)
    first = 1 if values.min() == 1 and values.max() == len(given) else 0
    if values.min() < first or values.max() >= first + len(given):
        raise DataError(
            tr("There is no name for every class."),
            where=where,
            expected=tr("labels from 0 to {last}, or from 1 to {classes}", last=len(given) - 1, classes=len(given)),
            received=tr("labels from {low} to {high}", low=values.min(), high=values.max()),
        )
    return np.arange(first, first + len(given)), given


def _images(images: Array, count: int, options: ImageOptions, where: object, *, matlab: bool) -> Array:
    """Images `(N, H, W, C)`, `(N, H, W)` or rows `(N, features)`."""
    first_last = (images.shape[0] == count, images.shape[-1] == count) if images.ndim > 1 else (False, False)
    if not any(first_last):
        raise DataError(
            tr("There are not as many labels as images."),
            where=where,
            expected=tr("images with one axis of {count}, as there are {count} labels", count=count),
            received=tr("images of shape {shape}", shape=images.shape),
        )
    last = first_last[1] and (not first_last[0] or (matlab and images.ndim > 2))  # MATLAB's images are (H, W, C, N)
    if last:
        images = np.moveaxis(images, -1, 0)
    if images.ndim == 2:
        return _unflattened(images, options, matlab=matlab)
    if images.ndim == 4 and images.shape[1] in _CHANNELS and images.shape[3] not in _CHANNELS:
        images = np.moveaxis(images, 1, 3)  # (N, C, H, W)
    return images


def _are_bytes(parts: Sequence[Array]) -> bool:
    """Whether these are floats in 0…255 that were bytes: images, or rows of whole numbers; those up to 1 stay as they are."""
    if not all(images.dtype.kind == "f" and images.size for images in parts):
        return False
    low, high = min(images.min() for images in parts), max(images.max() for images in parts)  # NaN where there is one
    if not (low >= 0 and PIXEL_LIMIT < high <= 255):
        return False
    return all(images.ndim > 2 or bool((images == np.rint(images)).all()) for images in parts)


def _unflattened(rows: Array, options: ImageOptions, *, matlab: bool) -> Array:
    length = rows.shape[1]
    for channels in (1, 3):
        side = math.isqrt(length // channels)
        size = options.size if options.size and math.prod(options.size) * channels == length else None
        if size is None and matlab and side > 1 and side * side * channels == length:
            size = (side, side)
        if size is not None and matlab:
            return rows.reshape(len(rows), channels, size[1], size[0]).transpose(0, 3, 2, 1)
        if size is not None:
            return rows.reshape(len(rows), *size, channels)
    return rows
