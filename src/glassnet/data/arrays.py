"""What a caller gives as images, labels, class names and groups, checked and brought to few kinds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.errors import InputError
from glassnet.support.i18n import tr
from glassnet.support.memory import require_memory_for_data

CHECKED = 1 << 22  # numbers at once
PIXEL_LIMIT = 2.0  # floats in 0…1 may overshoot a little, as resized images do; those in 0…255 lie far beyond
MOST_UNNAMED_CLASSES = 65_536
"""Higher labels are refused unless the classes are named: they are probably no class indices."""


def as_pixels(values: npt.ArrayLike, where: str) -> npt.NDArray[Any]:
    """Bring any numbers to C-contiguous `uint8` or `float32`, without a copy where they are already.

    `uint8` and `float32` stay. Booleans and other integers within 0…255 become `uint8`, other integers `float32`, other
    floats `float32`. Pixels have no unit here: 0…255 or 0…1 as the caller has them.
    Raises `InputError` for anything that is no array of real numbers.
    """
    array = _as_array(values, where)
    if array.dtype == np.bool_:
        array = _converted(array, np.uint8, where)
    elif array.dtype.kind in "iu" and array.dtype != np.uint8:
        fits = array.size == 0 or (array.min() >= 0 and array.max() <= 255)
        array = _converted(array, np.uint8 if fits else np.float32, where)
    elif array.dtype.kind == "f" and array.dtype != np.float32:
        with np.errstate(over="ignore"):  # what float32 can't hold becomes infinite, and `check_finite` says so
            array = _converted(array, np.float32, where)
    elif array.dtype.kind not in "iuf":
        raise InputError(
            tr("The images are not numbers."),
            where=where,
            expected=tr("integers, booleans or floats"),
            received=f"dtype {array.dtype}",
            hint=tr("read the images into one NumPy array of numbers first"),
        )
    return contiguous(array)


def contiguous(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array in C order and the machine's byte order, itself where it is, so that one that is memory-mapped stays so."""
    if array.flags.c_contiguous and array.dtype.isnative:
        return array
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def _converted(array: npt.NDArray[Any], dtype: type[np.number[Any]], where: str) -> npt.NDArray[Any]:
    """A copy of the images in another type. Raises `DataError` where there is no room for it, as for a memory-mapped file."""
    what = tr("a copy of the images as {dtype}", dtype=np.dtype(dtype))
    hint = tr("images as uint8 or float32, which are used where they are")
    require_memory_for_data(array.size * np.dtype(dtype).itemsize, what, where, hint)
    return array.astype(dtype)


def check_finite(values: npt.NDArray[Any], where: str) -> None:
    """Raise `InputError` where floats `(N, …)` hold NaN or infinity; it names the first item and counts."""
    if values.dtype.kind != "f" or not values.size:
        return
    block = max(1, CHECKED * len(values) // values.size)
    parts = [values[i : i + block].reshape(-1, values[0].size) for i in range(0, len(values), block)]
    if all(np.isfinite(part).all() for part in parts):
        return
    items = np.flatnonzero(~np.concatenate([np.isfinite(part).all(axis=1) for part in parts]))
    count = (~np.isfinite(values[items[0]])).sum()
    raise InputError(
        tr("Some values are NaN or infinite as {dtype}.", dtype=values.dtype),
        where=f"{where}, item {items[0]}",
        expected=tr("finite numbers"),
        received=tr("{bad} in that item; {items} of {total} items have any", bad=count, items=len(items), total=len(values)),
        hint=tr("leave these items out, or replace the numbers (np.nan_to_num)"),
    )


def as_labels(values: npt.ArrayLike, where: str) -> npt.NDArray[Any]:
    """Bring labels to `int64` class indices `(N,)`, or floating targets to `float64` `(N, outputs)`.

    Raises `InputError` for labels that are neither.
    """
    array = _as_array(values, where)
    if array.ndim == 2 and array.dtype.kind == "f":
        targets = np.ascontiguousarray(array, dtype=np.float64)
        check_finite(targets, where)
        return targets
    if array.ndim != 1 or array.dtype.kind not in "iub":
        hint = None
        if array.dtype.kind in "USO":
            hint = "classes, labels = np.unique(names, return_inverse=True)"
        elif array.ndim == 2:
            hint = "labels.ravel()" if array.shape[1] == 1 else tr("labels.argmax(axis=1), if each row marks one class")
        elif array.dtype.kind == "f":
            hint = tr("labels.astype(int) for classes, or labels.reshape(-1, 1) for targets to fit")
        expected = tr("integers of shape (N,), or floating targets of shape (N, outputs)")
        what = tr("The labels are not integers, one for each image.")
        raise InputError(what, where=where, expected=expected, received=form(array), hint=hint)
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        array = np.minimum(array, np.uint64(np.iinfo(np.int64).max))  # out of any range, and stays so in int64
    return np.ascontiguousarray(array, dtype=np.int64)


def as_classes(classes: Sequence[object] | None, labels: npt.NDArray[np.int64], where: str) -> tuple[str, ...]:
    """The class names as a tuple, "0" to the highest label where none are given; every label must be one of them.

    Raises `InputError` for names that repeat and for labels out of range; it names the first such item.
    """
    if isinstance(classes, (str, bytes)):
        raise InputError(
            tr("The classes are a single string, not a sequence of names."),
            where=f"{where}(classes)",
            expected=tr('a tuple of names, as ("cat", "other")'),
            received=repr(classes),
            hint=f"classes=({classes!r},)",
        )
    names = None if classes is None else tuple(str(name) for name in classes)
    if names is not None and (not names or len(set(names)) < len(names)):
        repeated, times = Counter(names).most_common(1)[0] if names else ("", 0)
        raise InputError(
            tr("The class names are not all different.") if names else tr("There are no class names."),
            where=f"{where}(classes)",
            expected=tr("one name for each class, each only once"),
            received=tr("{repeated}, {times} times", repeated=repr(repeated), times=times) if names else tr("none"),
        )
    limit = MOST_UNNAMED_CLASSES if names is None else len(names)
    highest = int(labels.max())
    if labels.min() < 0 or highest >= limit:
        wrong = np.flatnonzero((labels < 0) | (labels >= limit))
        label, total = labels[wrong[0]], len(labels)
        raise InputError(
            tr("A label is out of range."),
            where=f"{where}(labels), item {wrong[0]}",
            expected=f"0 to {limit - 1}",
            received=tr("{label}; labels out of range: {wrong} of {total}", label=label, wrong=len(wrong), total=total),
            hint=tr("classes, labels = np.unique(labels, return_inverse=True) counts them from 0"),
        )
    return tuple(str(index) for index in range(highest + 1)) if names is None else names


def as_groups(values: npt.ArrayLike, where: str) -> npt.NDArray[Any]:
    """Bring groups (who wrote an image, which photograph it is cut from) to `int64` or text, shape `(N,)`."""
    array = _as_array(values, where)
    if array.dtype.kind == "O" and all(isinstance(value, str) for value in array.flat):
        array = array.astype(np.str_)
    what, expected = (
        tr("The groups are neither integers nor texts, one for each image."),
        tr("integers or texts of shape (N,)"),
    )
    _check_vector(array, "iuU", where, what, expected)
    return np.ascontiguousarray(array, dtype=np.str_ if array.dtype.kind == "U" else np.int64)


def as_names(values: Sequence[str] | npt.NDArray[np.str_], where: str) -> npt.NDArray[np.str_]:
    """Bring the names of the images' files to an array of texts, shape `(N,)`."""
    array = _as_array(values, where)
    _check_vector(array, "U", where, tr("The names are not texts, one for each image."), tr("texts of shape (N,)"))
    return np.ascontiguousarray(array)


def form(array: npt.NDArray[Any]) -> str:
    """The shape and type of an array, for messages."""
    return tr("shape {shape}, dtype {dtype}", shape=array.shape, dtype=array.dtype)


def _check_vector(array: npt.NDArray[Any], kinds: str, where: str, what: str, expected: str) -> None:
    if array.ndim != 1 or array.dtype.kind not in kinds:
        raise InputError(what, where=where, expected=expected, received=form(array))


def _as_array(values: npt.ArrayLike, where: str) -> npt.NDArray[Any]:
    try:
        return values if isinstance(values, np.memmap) else np.asarray(values)
    except (ValueError, TypeError) as error:
        what, expected = tr("This can't be made into one array."), tr("items that all have the same shape")
        hint = tr("bring all images to one size first")
        raise InputError(what, where=where, expected=expected, received=str(error), hint=hint) from error
