"""What shards are made from: which images a folder, fonts or another data set have, before any is decoded or drawn."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from glassnet.data.catalog import NAMED_DATASETS
from glassnet.data.dataset import Dataset, Splits
from glassnet.data.decode_many import Reasons, measure
from glassnet.data.load import load_dataset
from glassnet.data.options import ImageOptions, ReadOptions
from glassnet.data.readers.drawn import Drawing, divide_drawings, plan_drawings
from glassnet.data.readers.gnt import SIZE, is_gnt, is_zip_without_images, scan_gnt
from glassnet.data.readers.image_files import read_image_files
from glassnet.data.readers.image_sources import ImageFiles, Zip, holds_images
from glassnet.data.remote import is_url, open_files
from glassnet.data.shards.manifest import PARTS
from glassnet.data.shards.sources import described, numbered
from glassnet.data.splits import divide
from glassnet.errors import DataError
from glassnet.support.i18n import tr
from glassnet.support.paths import as_path, exists

Given: TypeAlias = dict[str, Any]


@dataclass
class Origin:
    """`source`: for `open_source`; `made_from`: by which it is known again; `read`: splits of rows, and the shape."""

    source: Given
    made_from: Given
    read: Callable[[], tuple[Splits, tuple[int, ...]]]


def of_files(source: str | os.PathLike[str], options: ReadOptions) -> Origin | None:
    """Image files in a folder or zip, here or elsewhere; None for what is none."""
    where: str | Path = str(source) if is_url(source) else as_path(source).absolute()
    if isinstance(where, Path):
        named = isinstance(source, str) and source in NAMED_DATASETS
        zipped = where.is_file() and where.suffix.lower() == ".zip"
        if named or not exists(where) or not (zipped or (where.is_dir() and holds_images(where))):
            return None
    files = open_files(where)
    looked: list[tuple[int, ...]] = []
    colors: list[str] = []

    def look(of: ImageFiles, names: Sequence[str], how: ImageOptions) -> tuple[npt.NDArray[Any], Reasons]:
        size, color, indices, reasons = measure(of, names, how)
        looked.append((*size, 1 if color == "grey" else 3))
        colors.append(color)
        return numbered(0, len(names))[indices], reasons

    def read() -> tuple[Splits, tuple[int, ...]]:
        splits = divide(read_image_files(files, options, options.pattern, look), options)
        if isinstance(files, Zip):
            files.close()
        return splits, looked[-1]

    fingerprint = files.fingerprint(files.names)
    return Origin(
        {"kind": "files", "path": str(where), "fit": options.fit}, {"source": str(where), "files": fingerprint}, read
    )


def of_characters(source: str | os.PathLike[str], options: ReadOptions) -> Origin | None:
    """CASIA-HWDB's `.gnt` files; None for what is none, and where they are to become colour images."""
    path = as_path(source).absolute()
    if source in NAMED_DATASETS or options.color == "rgb" or not is_gnt(path):
        return None
    if path.is_file() and path.suffix.lower() == ".zip" and not is_zip_without_images(path):
        return None
    index = scan_gnt(path)
    rows = numbered(0, len(index))
    digest = hashlib.sha256(json.dumps([index.names, index.classes]).encode())
    for array in (index.file, index.offset, index.labels):
        digest.update(array.tobytes())

    def read() -> tuple[Splits, tuple[int, ...]]:
        return divide(index.splits(lambda chosen: rows[chosen]), options), (*(options.size or (SIZE, SIZE)), 1)

    return Origin({"kind": "gnt", "path": str(path)}, {"source": str(path), "files": digest.hexdigest()}, read)


def of_drawings(
    characters: str | Sequence[str],
    fonts: Sequence[str | os.PathLike[str]],
    test_fonts: Sequence[str | os.PathLike[str]],
    copies: int,
    options: ReadOptions,
) -> Origin:
    drawings = plan_drawings(characters, fonts, test_fonts, copies, options)
    numbers = {id(drawing): number for number, drawing in enumerate(drawings.parts)}
    source = {"kind": "drawn", "drawings": [described(drawing) for drawing in drawings.parts]}
    faces = [face for drawing in drawings.parts for face in drawing.faces]
    made_from = {
        "source": tr("{count} fonts", count=len(faces)).en,
        "fonts": hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest(),
        "characters": "".join(drawings.parts[0].characters),
        "copies": copies,
    }

    def rows(drawing: Drawing) -> npt.NDArray[np.uint8]:
        return numbered(numbers[id(drawing)], len(drawing))

    return Origin(source, made_from, lambda: (divide_drawings(drawings, options, rows), (*drawings.parts[0].size, 1)))


def of_data(source: str | os.PathLike[str], options: ReadOptions, given: Given) -> Origin:
    """Any other data set, read whole by its own reader."""
    name = os.fspath(source)
    path = name if name in NAMED_DATASETS else str(as_path(source).absolute())
    made_from: Given = {"source": path}
    with contextlib.suppress(OSError):
        status = Path(path).stat()
        made_from["file"] = f"{status.st_size} {status.st_mtime_ns}"

    def read() -> tuple[Splits, tuple[int, ...]]:
        splits = load_dataset(path if exists(path) or name in NAMED_DATASETS else source, **given)
        train = splits.train
        if train.images.dtype != np.uint8:
            raise DataError(
                tr("Shards hold images of bytes."),
                where=name,
                expected="uint8",
                received=str(train.images.dtype),
                hint=tr("scale the images to 0…255 and convert them to uint8"),
            )
        parts = [part for part in (splits.train, splits.validation, splits.test) if part is not None]
        rows = iter([
            Dataset(numbered(number, len(part)), part.labels, part.classes, part.groups, part.names)
            for number, part in enumerate(parts)
        ])  # fmt: skip
        changed: dict[str, Any] = {part: next(rows) for part in PARTS if getattr(splits, part) is not None}
        return replace(splits, **changed), train.shape

    return Origin({"kind": "data", "path": path, "options": as_json(given)}, made_from, read)


def as_json(options: Given) -> Given:
    """Options as JSON has them."""
    given = {name: value for name, value in options.items() if value is not None}
    plain = {name: value.pattern if isinstance(value, re.Pattern) else value for name, value in given.items()}
    return dict(json.loads(json.dumps(plain)))
