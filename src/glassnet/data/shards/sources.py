"""Where the images of shards come from: files to decode, characters to read or draw, or another data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from glassnet.data.dataset import Dataset, Splits
from glassnet.data.decode_many import Reasons, decode_into
from glassnet.data.fonts import Face
from glassnet.data.options import Fit
from glassnet.data.readers.drawn import Drawing
from glassnet.data.readers.gnt import GntIndex, read_characters, scan_gnt
from glassnet.data.readers.image_sources import ImageFiles
from glassnet.data.remote import open_files

Bytes = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.uint64]
SHIFT = np.uint64(48)  # a row of a source with several parts: number of the part, then the row in it


class Source(Protocol):
    """Images by their rows, or by the names of their files; and why some, by their place among these, can't be read."""

    def fill(self, images: Bytes, rows: Rows, names: Sequence[str]) -> Reasons: ...


class FileSource:
    """Image files in a folder, a zip, or one of these elsewhere."""

    def __init__(self, files: ImageFiles, fit: Fit) -> None:
        self.files, self.fit = files, fit

    def fill(self, images: Bytes, rows: Rows, names: Sequence[str]) -> Reasons:
        return decode_into(self.files, names, images, self.fit)


class DrawnSource:
    """Characters drawn from fonts."""

    def __init__(self, drawings: Sequence[Drawing]) -> None:
        self.drawings = drawings

    def fill(self, images: Bytes, rows: Rows, names: Sequence[str]) -> Reasons:
        parts, own = rows >> SHIFT, (rows & ((np.uint64(1) << SHIFT) - np.uint64(1))).astype(np.int64)
        for number in np.unique(parts):
            mine = parts == number
            images[mine] = self.drawings[number].some(own[mine])
        return {}


class CharacterSource:
    """The characters of `.gnt` files."""

    def __init__(self, index: GntIndex) -> None:
        self.index = index

    def fill(self, images: Bytes, rows: Rows, names: Sequence[str]) -> Reasons:
        images[...] = read_characters(self.index, rows.astype(np.int64), images.shape[1:3])
        return {}


class ArraySource:
    """Another data set, whose parts are those of the shards."""

    def __init__(self, splits: Splits) -> None:
        self.parts = [part for part in (splits.train, splits.validation, splits.test) if part is not None]

    def fill(self, images: Bytes, rows: Rows, names: Sequence[str]) -> Reasons:
        parts, own = rows >> SHIFT, (rows & ((np.uint64(1) << SHIFT) - np.uint64(1))).astype(np.int64)
        for number in np.unique(parts):
            mine = parts == number
            images[mine] = self.parts[number].images[own[mine]]
        return {}


def numbered(part: int, count: int) -> npt.NDArray[np.uint8]:
    """What stands for the images of a part while they are divided: their rows, as bytes (N, 8)."""
    return ((np.uint64(part) << SHIFT) + np.arange(count, dtype=np.uint64)).view(np.uint8).reshape(count, 8)


def rows_of(part: Dataset) -> Rows:
    """The rows of `numbered` that a part has."""
    return np.ascontiguousarray(part.images).view(np.uint64)[:, 0]


def described(source: Any) -> dict[str, Any]:
    """What `open_source` makes the source from, as JSON."""
    faces = [{**asdict(face), "path": str(face.path)} for face in source.faces]
    return {**asdict(source), "faces": faces}


@lru_cache(maxsize=1)  # of a worker, which writes shard after shard
def open_source(text: str) -> Source:
    """The source that a plan describes."""
    import json

    known = json.loads(text)
    if known["kind"] == "files":
        return FileSource(open_files(known["path"], listed=False), known["fit"])
    if known["kind"] == "gnt":
        return CharacterSource(scan_gnt(Path(known["path"])))
    if known["kind"] == "drawn":
        return DrawnSource([_drawing(part) for part in known["drawings"]])
    from glassnet.data.load import load_dataset

    return ArraySource(load_dataset(known["path"], **known["options"]))


def _drawing(known: dict[str, Any]) -> Drawing:
    faces = tuple(Face(Path(face["path"]), face["index"], face["family"], face["style"]) for face in known["faces"])
    lists = {name: tuple(known[name]) for name in ("characters", "size", "seed")}
    return Drawing(faces, copies=known["copies"], **lists)
