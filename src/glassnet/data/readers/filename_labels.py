"""Labels, groups and parts from the names of image files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from glassnet.errors import DataError
from glassnet.support.i18n import Message, listing, mark, tr

NUMERALS = re.compile(r"input_(?P<group>\d+)_\d+_(?P<label>\d+)\.jpe?g", re.IGNORECASE)
"""The Chinese numerals' own names, input_<writer>_<sample>_<label>.jpg, which are known without a pattern."""
NUMERAL_CLASSES = "零一二三四五六七八九十百千万亿"

PARTS = {
    "train": "train", "training": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip


@dataclass(frozen=True)
class Labelled:
    """One image file: the name of its class, its group if there are groups, and its part of explicit splits.

    `folder`: that of its class, where folders give the labels.
    """

    name: str
    label: str
    group: str | None = None
    part: str = "train"
    folder: PurePosixPath | None = None


def understand(
    names: Sequence[str], pattern: re.Pattern[str] | None, where: Path | str
) -> tuple[list[Labelled], dict[str, str]]:
    """Image files with labels, by the pattern, the numerals' own pattern, or one folder a class; and why others have none.

    Leading folders common to all images are ignored. Folders train, validation (val) and test above the rest are explicit
    splits. A pattern is searched for in the file's name or, if it has a "/", in the whole path.
    Raises `DataError` where no name has a label and where labels could be read in two ways.
    """
    folders = _below([tuple(name.split("/")[:-1]) for name in names])
    firsts = {folder[0].lower() for folder in folders if folder}
    parts = ["train"] * len(names)
    explicit = len({PARTS.get(first, first) for first in firsts}) > 1 and firsts <= PARTS.keys()
    if explicit and "train" in {PARTS[first] for first in firsts}:
        parts = [PARTS[folder[0].lower()] if folder else "train" for folder in folders]
        folders = [folder[1:] for folder in folders]
    numerals = pattern is None and all(NUMERALS.fullmatch(name.rpartition("/")[2]) for name in names)
    if numerals and len({folder[0] for folder in folders if folder}) > 1:
        raise DataError(
            tr("Two readers fit these images."),
            where=where,
            expected=tr("labels in the names of the folders, or in those of the files"),
            received=tr(
                "one folder per class, and files named input_<writer>_<sample>_<label>.jpg, such as {name}", name=names[0]
            ),
            hint=tr(
                "pattern = 'input_(?P<group>\\d+)_\\d+_(?P<label>\\d+)' by the files, '(?P<label>[^/]+)/[^/]+$' by folders"
            ),
        )
    if numerals:
        pattern = NUMERALS
    images: list[Labelled] = []
    unlabelled: dict[str, str] = {}
    reason = tr("names the pattern does not match") if pattern else tr("not in a class folder")
    for name, part, folder in zip(names, parts, folders, strict=True):
        label, group = _label(name, folder, pattern)
        if label is None:
            unlabelled[name] = reason
        else:
            of_class = None if pattern else PurePosixPath(*name.split("/")[: -len(folder)])
            images.append(Labelled(name, label, group, part, of_class))
    if not images:
        what, expected, hint = (
            tr("The pattern matches no image's name."),
            tr("names like {pattern}", pattern=pattern.pattern),
            tr('a pattern is searched for in the file\'s name, or in the whole path if it has a "/"'),
        ) if pattern else (
            tr("The images have no labels: they are all in one folder."),
            tr("one folder per class, or a pattern of the files' names with (?P<label>…)"),
            tr("--set pattern='(?P<label>[a-z]+)\\.\\d+\\.jpg' for cat.17.jpg"),
        )  # fmt: skip
        received = tr("{names} images, such as {some}", names=len(names), some=", ".join(names[:3]))
        raise DataError(what, where=where, expected=expected, received=received, hint=hint)
    if numerals and all(1 <= int(image.label) <= len(NUMERAL_CLASSES) for image in images):
        images = [replace(image, label=NUMERAL_CLASSES[int(image.label) - 1]) for image in images]
    return images, unlabelled


def check_classes(labels: Sequence[str], where: Path | str) -> tuple[str, ...]:
    """The sorted classes: numbers by value, Chinese numerals in counting order. Raises `DataError` for a single class."""
    counts = Counter(labels)
    if len(counts) < 2:
        raise DataError(
            tr("There is only one class."),
            where=where,
            expected=tr("at least two classes"),
            received=tr("{label} ({total} images)", label=repr(labels[0]), total=len(labels)),
            hint=tr("one folder per class, or a pattern whose (?P<label>…) differs between classes"),
        )
    return tuple(sorted(counts, key=_order(counts)))


def doubtful_folders(images: Sequence[Labelled], empty: Sequence[str]) -> list[Message]:
    """What to say of `empty` folders beside those of the classes, and of folders of one name inside several of them."""
    folders = {image.folder for image in images if image.folder is not None}
    if not folders:
        return []
    places = {folder.parent for folder in folders}
    said = []
    if lacking := [repr(name) for name in empty if PurePosixPath(name).parent in places]:
        text = mark("these folders have no images, so there are no such classes: {names}")
        said.append(tr(text, names=_some(lacking)))
    inner: dict[str, set[str]] = {}
    for image in images:
        below = PurePosixPath(image.name).relative_to(image.folder or "").parts[:-1]
        if below:
            inner.setdefault(below[0], set()).add(image.label)
    if shared := [listing(f"{label}/{name}" for label in sorted(inner[name])[:3]) for name in inner if len(inner[name]) > 1]:
        text = mark(
            "the classes are the outer folders ({classes}), although folders of one name are in several of them: {names}. If "
            "the inner folders are the classes: --set pattern='(?P<label>[^/]+)/[^/]+$'"
        )
        said.append(tr(text, classes=_some(sorted({image.label for image in images})), names=_some(shared)))
    return said


def _some(names: Sequence[str]) -> Message:
    """The first three of some names."""
    return listing([*names[:3], *(["…"] if len(names) > 3 else [])])


def _order(labels: Counter[str]) -> Callable[[str], tuple[int, str]]:
    if all(label in NUMERAL_CLASSES and len(label) == 1 for label in labels):
        return lambda label: (NUMERAL_CLASSES.index(label), label)
    if all(re.fullmatch(r"-?\d{1,18}", label) for label in labels):
        return lambda label: (int(label), label)
    return lambda label: (0, label)


def _below(folders: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The folders of each image without the leading ones common to all, as long as there are folders below."""
    while True:
        inside = [folder for folder in folders if folder]
        if len({folder[0] for folder in inside}) != 1 or all(len(folder) < 2 for folder in inside):
            return folders
        folders = [folder[1:] for folder in folders]


def _label(name: str, folder: tuple[str, ...], pattern: re.Pattern[str] | None) -> tuple[str | None, str | None]:
    """The label and the group of an image; None where it has none."""
    if pattern is None:
        return (folder[0] if folder else None), None
    match = pattern.search(name if "/" in pattern.pattern else name.rpartition("/")[2])
    if match and match["label"]:
        return match["label"], (match["group"] or "") if "group" in pattern.groupindex else None
    return None, None
