"""Labelled images: `Dataset`, and its `Splits` into training, validation and test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from glassnet.data.arrays import as_classes, as_groups, as_labels, as_names, as_pixels, check_finite, contiguous, form
from glassnet.errors import DataError, InputError
from glassnet.support.checks import is_whole
from glassnet.support.habits import answered
from glassnet.support.i18n import mark, tr
from glassnet.support.mapped import is_mapped
from glassnet.support.memory import require_memory_for_data
from glassnet.support.upwards import Shown

Selection: TypeAlias = slice | Sequence[int] | Sequence[bool] | npt.NDArray[np.integer[Any]] | npt.NDArray[np.bool_]
Label: TypeAlias = int | npt.NDArray[np.float64]
BLOCK = 1 << 20  # bytes that a disk reads nearly as fast, in any order of such pieces, as all in a row


class Dataset(Shown):
    """Images with one label each, checked once, then read-only.

    `images`   `(N, H, W, C)`; `(N, H, W)` gets a channel axis; `(N, features)` for what is no image.
               Kept as `uint8` or `float32`, other numbers become one of the two. Not copied where it need not be.
    `labels`   `(N,)` class indices, kept as `int64`; or floating targets `(N, outputs)`, kept as `float64`.
    `classes`  the names of the classes, "0" to the highest label if not given; None for targets.
    `groups`   `(N,)` integers or texts: images with the same value belong together, such as those of one writer; or None.
    `names`    `(N,)` texts: the file of each image; or None.

    Two attributes are for images in a memory-mapped file, and None otherwise; slices with step 1 keep them, other selections
    are in memory. `block`: so many images in a row are read together, those of 1 MiB unless the file says more.
    `verify`: a function (first, last) that raises `DataError` where the images from the first to behind the last are not
    what was written; training calls it, in a thread of its own, before their first use, with any bounds and more than once.

    Raises `InputError` for anything that does not fit, with the item that does not.
    """

    __slots__ = ("block", "classes", "groups", "images", "labels", "names", "verify")

    images: npt.NDArray[Any]
    labels: npt.NDArray[Any]
    classes: tuple[str, ...] | None
    groups: npt.NDArray[Any] | None
    names: npt.NDArray[Any] | None
    block: int | None
    verify: Callable[[int, int], None] | None

    @answered
    def __init__(
        self,
        images: npt.ArrayLike,
        labels: npt.ArrayLike,
        classes: Sequence[object] | None = None,
        groups: npt.ArrayLike | None = None,
        names: Sequence[str] | npt.NDArray[np.str_] | None = None,
    ) -> None:
        pixels = _with_channels(as_pixels(images, "Dataset(images)"))
        marks = as_labels(labels, "Dataset(labels)")
        group_of = None if groups is None else as_groups(groups, "Dataset(groups)")
        name_of = None if names is None else as_names(names, "Dataset(names)")
        for name, part in (("labels", marks), ("groups", group_of), ("names", name_of)):
            if part is not None and len(part) != len(pixels):
                raise InputError(
                    tr("There are not as many {name} as images.", name=name),
                    where=f"Dataset({name})",
                    expected=tr("{images} {name}, one for each image", images=len(pixels), name=name),
                    received=f"{len(part)} {name}",
                )
        if marks.ndim == 2 and classes is not None:
            raise InputError(
                tr("Floating targets have no classes."),
                where="Dataset(classes)",
                expected=tr("None, or labels that are class indices"),
                received=tr("{classes} classes, and targets of shape {shape}", classes=len(classes), shape=marks.shape),
            )
        check_finite(pixels, "Dataset(images)")
        self.classes = None if marks.ndim == 2 else as_classes(classes, marks, "Dataset")
        self.images, self.labels = _read_only(pixels), _read_only(marks)
        self.groups = None if group_of is None else _read_only(group_of)
        self.names = None if name_of is None else _read_only(name_of)
        self.block = max(1, BLOCK * len(self) // self.images.nbytes) if is_mapped(self.images) else None
        self.verify = None

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        """What copies and pickles hold: all arrays, in memory."""
        return None, {name: getattr(self, name) for name in self.__slots__ if name not in ("block", "verify")}

    def __setstate__(self, state: tuple[dict[str, Any] | None, dict[str, Any]]) -> None:
        self.block = self.verify = None
        for name, value in {**(state[0] or {}), **state[1]}.items():  # copied and pickled arrays come back writable
            setattr(self, name, _read_only(value) if isinstance(value, np.ndarray) else value)

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[tuple[npt.NDArray[Any], Label]]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, key: int | np.integer[Any]) -> tuple[npt.NDArray[Any], Label]: ...
    @overload
    def __getitem__(self, key: Selection) -> Dataset: ...
    def __getitem__(self, key: int | np.integer[Any] | Selection) -> tuple[npt.NDArray[Any], Label] | Dataset:
        """One `(image, label)` for an integer; a Dataset for a slice, an array of indices or a mask `(N,)` of booleans.

        Slices with step 1 share the memory. Raises `InputError` for indices out of range and for empty selections.
        """
        if is_whole(key):
            index = int(self._positions(np.array([int(key)]))[0])
            label = self.labels[index]
            return self.images[index], int(label) if self.is_classification else label
        chosen = key if isinstance(key, slice) else self._positions(np.asarray(key))
        subset = object.__new__(Dataset)  # what was checked once need not be checked again
        if not isinstance(chosen, slice):
            size = len(chosen) * self.images[:1].nbytes
            hint = tr("a slice with step 1 shares the memory")
            require_memory_for_data(size, tr("{images:,} chosen images", images=len(chosen)), "Dataset[…]", hint)
        subset.classes, subset.block, subset.verify = self.classes, None, None
        for name in ("images", "labels", "groups", "names"):
            values = getattr(self, name)
            setattr(subset, name, None if values is None else _read_only(values[chosen]))
        if not len(subset):
            expected = tr("at least one of {total} images", total=len(self))
            raise _wrong_selection(tr("The selection holds no images."), expected, repr(key))
        if isinstance(chosen, slice) and (bounds := chosen.indices(len(self)))[2] == 1:
            subset.block = self.block
            subset.verify = None if self.verify is None else partial(_verify_part, self.verify, bounds[0])
        return subset

    @property
    def is_classification(self) -> bool:
        """Whether the labels are class indices, not floating targets."""
        return self.labels.ndim == 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one image, `(H, W, C)`, or `(features,)`."""
        return self.images.shape[1:]

    @property
    def flat(self) -> npt.NDArray[Any]:
        """The images as rows, `(N, features)`: the same memory, C-contiguous and read-only."""
        return self.images.reshape(len(self), -1)

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """How many images each class has, `(classes,)`. Raises `InputError` where there are no classes."""
        if self.classes is None:
            raise InputError(
                tr("Only class labels can be counted."),
                where="Dataset.counts",
                expected=tr("labels that are class indices"),
                received=tr("targets of shape {shape}", shape=self.labels.shape),
            )
        return np.bincount(self.labels, minlength=len(self.classes)).astype(np.int64, copy=False)

    def head(self, n: int = 5) -> Dataset:
        """The first `n` images, or all where there are fewer. Raises `InputError` for `n` below 1."""
        return self[: max(n, 0)]

    def __repr__(self) -> str:
        noun = "images" if len(self.shape) == 3 else "examples"
        size = "×".join(map(str, self.shape)) + ("" if len(self.shape) > 1 else " features")
        parts = [f"{len(self)} {noun} of {size}", str(self.images.dtype)]
        if self.classes is None:
            parts.append(f"targets of {self.labels.shape[1]}")
        else:
            names = self.classes if len(self.classes) <= 10 else (*self.classes[:9], "…", self.classes[-1])
            parts.append(f"{len(self.classes)} classes: {' '.join(names)}")
        if self.groups is not None:
            parts.append(f"{len(np.unique(self.groups))} groups")
        return f"Dataset({', '.join(parts)})"

    def _positions(self, chosen: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
        """Indices `(n,)` from 0, out of indices that may count from the end, or out of a mask."""
        if chosen.dtype == np.bool_ and chosen.shape == (len(self),):
            return np.flatnonzero(chosen)
        if chosen.ndim != 1 or (chosen.dtype.kind not in "iu" and chosen.size):
            expected = tr("an integer, a slice, integers of shape (n,), or booleans of shape ({total},)", total=len(self))
            raise _wrong_selection(tr("This does not select images."), expected, form(chosen))
        outside = np.flatnonzero((chosen < -len(self)) | (chosen >= len(self)))
        if len(outside):
            expected = tr("{first} to {last}", first=-len(self), last=len(self) - 1)
            raise _wrong_selection(tr("There is no such image."), expected, chosen[outside[0]])
        positions = chosen.astype(np.intp)
        return np.where(positions < 0, positions + len(self), positions)


@dataclass(frozen=True)
class Splits(Shown):
    """The training, validation and test parts of a data set.

    All parts have images of one shape, and the same classes. Raises `DataError` where they do not.
    `left_out` names the image files that belong to none of them: those that can't be read, or have no label;
    `reasons` says why, for each of these; `unlabelled` are those among them that have no label.
    """

    train: Dataset
    validation: Dataset | None = None
    test: Dataset | None = None
    left_out: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, part in (("validation", self.validation), ("test", self.test)):
            for what in (mark("shape"), mark("classes")):
                mine, theirs = getattr(self.train, what), getattr(part, what, None)
                if part is not None and mine != theirs:
                    raise DataError(
                        tr("The parts of a data set differ in their {what}.", what=tr(what)),
                        where=f"Splits({name})",
                        expected=tr("{mine}, as in the training part", mine=mine),
                        received=theirs,
                        hint=tr("pass the same classes= for every part") if what == "classes" else None,
                    )

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The names of the classes; None for floating targets."""
        return self.train.classes


def _verify_part(verify: Callable[[int, int], None], start: int, first: int, last: int) -> None:
    """`verify` for a data set that begins at image `start` of another."""
    verify(start + first, start + last)


def _wrong_selection(what: str, expected: str, received: object) -> InputError:
    return InputError(what, where="Dataset[…]", expected=expected, received=received)


def _with_channels(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if pixels.ndim < 2 or pixels.size == 0:
        raise InputError(
            tr("There are no images.") if pixels.size == 0 else tr("These are single numbers, not images."),
            where="Dataset(images)",
            expected=tr("at least one image, as an array (N, H, W, C), or (N, features)"),
            received=tr("shape {shape}", shape=pixels.shape),
            hint="images.reshape(-1, 1)" if pixels.ndim == 1 and pixels.size else None,
        )
    return pixels[..., np.newaxis] if pixels.ndim == 3 else pixels


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    view = contiguous(array).view()  # a view, so that the caller's own array stays writable
    view.flags.writeable = False
    return view
