"""The manifest of a folder of shards, and the names of its files."""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.errors import DataError
from glassnet.support.atomic import write_text
from glassnet.support.i18n import tr

VERSION = 1
"""Of the format: increase it when an older glassnet could not read what is written."""
MANIFEST, UNFINISHED, PLAN = "shards.json", "unfinished", "plan.json"
PARTS = ("train", "validation", "test")
BLOCK_BYTES, LEAST_BLOCK = 2**20, 32
"""A block is what is read at once: 1 MiB, which disks read at full speed, and at least a usual mini-batch of images. As
images are stored in random order, smaller blocks would not mix them any better."""
SHARD_BYTES = 2**25
"""A shard is what one task writes, and what is checked and fetched at once."""
CHUNK = 2**22  # bytes that are read at once for a checksum
HEADER = 128
"""Bytes before the data of an image file of NumPy: as many for any shape of images."""


@dataclass(frozen=True)
class PartFacts:
    """`images` of a part; `crc32` of each shard's images and of each other array; `bytes` of the files of other arrays."""

    images: int
    crc32: list[int]
    arrays: dict[str, int]
    bytes: dict[str, int]


@dataclass(frozen=True)
class Manifest:
    """What a folder of shards holds: images of `shape` in `parts`, `shard` images a shard, `block` of them a block.

    `made_from`: the source and the options, by which a run that continues is known; `source`: the same for people.
    """

    shape: tuple[int, ...]
    classes: tuple[str, ...] | None
    block: int
    shard: int
    parts: dict[str, PartFacts]
    source: str
    made_from: dict[str, Any]
    left_out: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        return sum(part.images for part in self.parts.values())

    @property
    def bytes(self) -> int:
        """Of all images."""
        return self.images * math.prod(self.shape)

    def shards(self, part: str) -> int:
        """The number of shards of a part."""
        return -(-self.parts[part].images // self.shard)

    def rows(self, part: str, number: int) -> slice:
        """The images of a shard."""
        return slice(number * self.shard, min((number + 1) * self.shard, self.parts[part].images))

    def write(self, folder: Path) -> None:
        known = {"format": VERSION, "glassnet": import_module("glassnet").__version__, "dtype": "uint8", **asdict(self)}
        write_text(folder / MANIFEST, json.dumps(known, indent=1, ensure_ascii=False), durable=True)

    @classmethod
    def read(cls, folder: Path, text: str | None = None) -> Manifest:
        """That of a folder, or of a `text`. Raises `DataError` for one that is damaged or of a newer version."""
        where = folder / MANIFEST
        try:
            known = json.loads(where.read_text(encoding="utf-8") if text is None else text)
            version = known.pop("format")
            newer = isinstance(version, int) and version > VERSION
        except (OSError, ValueError, KeyError, AttributeError, RecursionError) as error:
            raise _damaged(where, error) from None
        if newer:
            raise DataError(
                tr("These shards were written by a newer glassnet."),
                where=where,
                expected=tr("format {version} or older", version=VERSION),
                received=tr("format {version}, of glassnet {release}", version=version, release=known.get("glassnet")),
                hint="pip install --upgrade glassnet",
            )
        try:
            return _checked(version, known)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise _damaged(where, error) from None


def _checked(version: object, known: dict[str, Any]) -> Manifest:
    """The manifest of a version that is known; raises nearly anything for what is none."""
    parts = {name: PartFacts(**part) for name, part in known["parts"].items()}
    del known["glassnet"]
    dtype = known.pop("dtype")
    lists = {name: tuple(known[name]) for name in ("shape", "left_out", "reasons")}
    classes = None if known["classes"] is None else tuple(known["classes"])
    found = Manifest(**known | lists | {"parts": parts, "classes": classes})
    numbers: list[Any] = [version, found.block, found.shard, *found.shape]
    for name, part in parts.items():
        numbers.append(part.images)
        if len(part.crc32) != found.shards(name) or not {"labels"} <= part.arrays.keys() <= {"labels", "groups", "names"}:
            raise ValueError(name)
        if part.bytes.keys() != part.arrays.keys():
            raise ValueError(name)
        if not all(type(value) is int for value in (*part.crc32, *part.arrays.values(), *part.bytes.values())):
            raise ValueError(name)
    if dtype != "uint8" or not found.shape or any(type(number) is not int or number < 1 for number in numbers):
        raise ValueError(f"{dtype} {numbers}")
    if found.shard % found.block or not {"train"} <= parts.keys() <= set(PARTS):
        raise ValueError(f"{found.shard} {list(parts)}")
    if not isinstance(found.made_from, dict):
        raise TypeError("made_from")
    if not all(isinstance(text, str) for text in (found.source, *(classes or ()), *found.left_out, *found.reasons)):
        raise ValueError("texts")
    return found


def _damaged(where: Path, error: Exception) -> DataError:
    return DataError(
        tr("The manifest of these shards is damaged."),
        where=where,
        expected=tr("the JSON that `glassnet shard` writes"),
        received=f"{type(error).__name__}: {error}".splitlines()[0][:200],
        hint=tr("write the shards anew"),
    )


def manifest_of(images: npt.NDArray[Any]) -> Manifest | None:
    """The manifest of the shards that a memory-mapped array is from; None for other arrays."""
    path = getattr(images, "filename", None) if isinstance(images, np.memmap) else None
    if path is None or not (Path(path).parent / MANIFEST).is_file():
        return None
    return Manifest.read(Path(path).parent)


def images_file(part: str) -> str:
    return f"{part}.images.npy"


def header(shape: tuple[int, ...]) -> bytes:
    """What a .npy of `uint8` of this shape begins with, `HEADER` bytes."""
    text = repr({"descr": "|u1", "fortran_order": False, "shape": shape})
    return b"\x93NUMPY\x01\x00" + (HEADER - 10).to_bytes(2, "little") + text.ljust(HEADER - 11).encode() + b"\n"


def sizes(shape: tuple[int, ...], block: int | None, shard: int | None) -> tuple[int, int]:
    """Images of a block and of a shard, where they are not given."""
    each = math.prod(shape)
    in_block = block or max(LEAST_BLOCK, 2 ** round(math.log2(max(1, BLOCK_BYTES / each))))
    return in_block, in_block * max(1, round((shard or SHARD_BYTES / each) / in_block))


def checksum(path: Path, first: int, count: int) -> int:
    """The CRC-32 of some bytes of a file; of fewer where it ends before."""
    found = 0
    with path.open("rb") as file:
        file.seek(first)
        while count > 0 and (chunk := file.read(min(CHUNK, count))):
            found, count = zlib.crc32(chunk, found), count - len(chunk)
    return found
