"""Image files, in a folder or a zip, as a data set."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from glassnet.data.dataset import Dataset, Splits
from glassnet.data.decode_many import Reasons, cached_images
from glassnet.data.options import Fractions, ImageOptions, ReadOptions
from glassnet.data.readers.filename_labels import Labelled, check_classes, doubtful_folders, understand
from glassnet.data.readers.image_sources import Folder, ImageFiles, Zip
from glassnet.data.splits import DEFAULT_FRACTIONS, divide
from glassnet.errors import DataError, DataWarning
from glassnet.support.i18n import clauses, tr

Decode: TypeAlias = Callable[[ImageFiles, Sequence[str], ImageOptions], tuple[npt.NDArray[Any], Reasons]]


def read_images(path: Path, options: ReadOptions, default: Fractions = DEFAULT_FRACTIONS) -> Splits:
    """The images in a folder or a zip, in splits (`divide`)."""
    if path.is_dir():
        return divide(read_image_files(Folder(path), options, options.pattern), options, default)
    with contextlib.closing(Zip(path)) as files:
        return divide(read_image_files(files, options, options.pattern), options, default)


def read_image_files(
    files: ImageFiles, options: ImageOptions, pattern: re.Pattern[str] | None = None, decode: Decode = cached_images
) -> Splits:
    """The images with the labels, groups and parts that their names give (`understand`), as `uint8`.

    All images are in `train` where there are no folders for parts. Images that can't be read, and those without a
    label, are left out with a `DataWarning` and named in `left_out`. `decode` gives what becomes of the images, and why some
    can't be read.
    Raises `DataError` where there are no images, and as `understand` and `decode_all` do.
    """
    if not files.names:
        raise DataError(
            tr("There are no images here."),
            where=files.path,
            expected=tr("image files in one folder per class, or with labels in their names"),
            received=tr("{count} other files", count=files.others) if files.others else tr("nothing"),
        )
    found, unlabelled = understand(files.names, pattern, files.path)
    check_classes([image.label for image in found], files.path)
    images, reasons = decode(files, [image.name for image in found], options)
    labelled = [image for index, image in enumerate(found) if index not in reasons]
    left_out = unlabelled | {found[index].name: reasons[index] for index in sorted(reasons)}
    left_out |= {name: tr("the zip has another file of this name, which is read instead") for name in files.doubled}
    for text in doubtful_folders(found, files.empty):
        warnings.warn(tr("{path}: {text}", path=files.path, text=text), DataWarning, stacklevel=5)
    if left_out:
        shown = [tr("{name} ({reason})", name=name, reason=reason) for name, reason in list(left_out.items())[:3]]
        if len(left_out) > 3:
            shown.append(tr("and {count} more", count=len(left_out) - 3))
        counts = {"path": files.path, "count": len(left_out), "total": len(files.names) + len(files.doubled)}
        warnings.warn(
            tr("{path}: {count} of {total} images are left out: {shown}", **counts, shown=clauses(shown)),
            DataWarning,
            stacklevel=5,  # the line that called load_dataset
        )
    classes = check_classes([image.label for image in labelled], files.path)
    index = {name: number for number, name in enumerate(classes)}
    labels = np.array([index[image.label] for image in labelled], np.int64)
    everything = Dataset(images, labels, classes, _groups(labelled), [image.name for image in labelled])
    part_of = np.array([image.part for image in labelled])
    lacking = np.flatnonzero(np.bincount(labels[part_of == "train"], minlength=len(classes)) == 0)
    if len(lacking):
        what = tr("Class {name} has no images in the training part.", name=repr(classes[lacking[0]]))
        received = tr("of {classes} classes, {lacking} are missing there", classes=len(classes), lacking=len(lacking))
        raise DataError(what, where=files.path, expected=tr("images of every class in the folder train"), received=received)
    explicit = {part: everything[part_of == part] for part in dict.fromkeys(part_of)} if len(set(part_of)) > 1 else {}
    parts = explicit or {"train": everything}
    return Splits(**parts, left_out=tuple(left_out), reasons=tuple(left_out.values()), unlabelled=tuple(unlabelled))


def _groups(images: Sequence[Labelled]) -> npt.NDArray[np.int64] | npt.NDArray[np.str_] | None:
    groups = [image.group for image in images if image.group is not None]
    if not groups:
        return None
    if all(re.fullmatch(r"\d{1,18}", group) for group in groups):
        return np.array([int(group) for group in groups], np.int64)
    return np.array(groups, np.str_)
