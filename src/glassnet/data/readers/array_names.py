"""Roles of the arrays in a file, by the usual spellings of their names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from glassnet.data.readers.filename_labels import PARTS
from glassnet.errors import DataError
from glassnet.support.i18n import tr

_PARTS = PARTS | {"tr": "train", "te": "test"}
_KINDS = {
    "images": ("x", "image", "images", "img", "imgs", "picture", "pictures", "data", "pixels", "features", "inputs"),
    "labels": ("y", "label", "labels", "target", "targets"),
    "groups": ("group", "groups", "writer", "writers", "subject", "subjects"),
}
_KIND = {word: kind for kind, words in _KINDS.items() for word in words}
_CLASSES = ("classes", "names")  # list_classes, class_names, label_names
_FILLERS = ("set", "dataset", "orig")

Role = tuple[str, str]


def find_roles(names: Iterable[str], where: object, part: str = "train") -> dict[Role, str]:
    """The arrays that matter, `{(part, kind): name}`: part "train", "validation" or "test", kind "images", "labels" or …

    Known are x_train, X, train_set_x, trainX, train_images, images, labels, y, data, target, groups, writers, classes,
    list_classes, class_names, dataset/train/images and their like; and arr_0, arr_1 as `np.savez(images, labels)` names
    them. `part`: of names that do not say. Raises `DataError` for two names with the same meaning.
    """
    names = list(names)
    found: dict[Role, str] = {}
    if set(names) == {"arr_0", "arr_1"}:
        return {(part, "images"): "arr_0", (part, "labels"): "arr_1"}
    for name in names:
        role = _role(name, part)
        if role is None:
            continue
        if role in found:
            raise DataError(
                tr("Two arrays have the same meaning."),
                where=where,
                expected=tr("one array for the {role}", role=" ".join(filter(None, role))),
                received=tr("{first} and {name}", first=found[role], name=name),
                hint=tr("leave one of them out of the file"),
            )
        found[role] = name
    return found


def part_of(name: str) -> str:
    """The part that a file's name says it holds, as "train_catvnoncat" does; "train" where it says none, or several."""
    parts = {_PARTS[word] for word in _words(name) if word in _PARTS}
    return parts.pop() if len(parts) == 1 else "train"


def _role(name: str, part: str) -> Role | None:
    words = _words(name)
    if any(word in _CLASSES for word in words):
        return "", "classes"
    parts = {_PARTS[word] for word in words if word in _PARTS}
    rest = [word for word in words if word not in _PARTS and word not in _FILLERS]
    if len(parts) > 1 or len(rest) != 1 or rest[0] not in _KIND:
        return None
    return (parts.pop() if parts else part), _KIND[rest[0]]


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    words = [word for word in re.split(r"[^A-Za-z0-9]+", spaced.lower()) if word]
    return [piece for word in words for piece in _pieces(word)]


def _pieces(word: str) -> tuple[str, ...]:
    """xtrain and trainlabels in two."""
    for part in ("training", "train", "validation", "valid", "val", "testing", "test"):
        if word.startswith(part) and word[len(part) :] in _KIND:
            return part, word[len(part) :]
        if word.endswith(part) and word[: -len(part)] in _KIND:
            return word[: -len(part)], part
    return (word,)
