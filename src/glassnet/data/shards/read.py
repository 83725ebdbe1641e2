"""Reading a folder of shards: its images are memory-mapped, so that opening it takes no time and no memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.data.dataset import Dataset, Splits
from glassnet.data.options import ReadOptions
from glassnet.data.shards.manifest import HEADER, MANIFEST, PLAN, UNFINISHED, Manifest, checksum, header, images_file
from glassnet.errors import DataError, reason
from glassnet.support.i18n import tr


def holds_shards(path: Path) -> bool:
    """Whether a folder has shards, or some that are not finished."""
    return (path / MANIFEST).is_file() or (path / UNFINISHED / PLAN).is_file()


def read_shards(path: Path, options: ReadOptions = ReadOptions()) -> Splits:  # noqa: B008  # frozen
    """The parts of a folder of shards; images are read-only `np.memmap`.

    Checks the sizes of all files and the checksums of labels; training checks those of images when it first reads them.
    Raises `DataError` for shards that are not finished, damaged or of a newer version, and for options that contradict them.
    """
    if not (path / MANIFEST).is_file():
        raise DataError(
            tr("These shards are not finished."),
            where=path,
            expected=MANIFEST,
            hint=tr("the `glassnet shard` command that began them goes on"),
        )
    known = Manifest.read(path)
    _check_options(path, known, options)
    parts: dict[str, Any] = {part: _read_part(path, known, part) for part in known.parts}
    return Splits(**parts, left_out=known.left_out, reasons=known.reasons)


def _read_part(path: Path, known: Manifest, part: str) -> Dataset:
    facts = known.parts[part]
    shape = (facts.images, *known.shape)
    file = path / images_file(part)
    size = HEADER + facts.images * math.prod(known.shape)
    _check_size(file, size)
    with file.open("rb") as opened:
        if opened.read(HEADER) != header(shape):
            raise _damaged(file, tr("images of shape {shape}", shape=shape), tr("another header"))
    arrays: dict[str, npt.NDArray[Any]] = {}
    for kind, crc in facts.arrays.items():
        other = path / f"{part}.{kind}.npy"
        _check_size(other, facts.bytes[kind])
        if kind != "names" and checksum(other, 0, facts.bytes[kind]) != crc:
            raise _damaged(other, tr("the bytes that were written"), tr("others (the checksum differs)"))
        try:
            arrays[kind] = np.load(other, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise _damaged(other, tr("a .npy file"), reason(error)) from None
    images = np.memmap(file, np.uint8, "r", HEADER, shape)
    made = Dataset(images, arrays["labels"], known.classes, arrays.get("groups"), arrays.get("names"))
    made.block, made.verify = known.block, CheckOnce(path, part, known)
    return made


class CheckOnce:
    """`check_shard` for the shards that images from the first to behind the last are in, for each of them once."""

    def __init__(self, folder: Path, part: str, known: Manifest) -> None:
        self._folder, self._part, self._known = folder, part, known
        self._right: set[int] = set()

    def __call__(self, first: int, last: int) -> None:
        for number in range(first // self._known.shard, -(-last // self._known.shard)):
            if number not in self._right:
                check_shard(self._folder, self._part, number, self._known)
                self._right.add(number)


def _check_size(file: Path, size: int) -> None:
    try:
        found = file.stat().st_size
    except OSError as error:
        raise _damaged(file, tr("{size:,} bytes", size=size), reason(error)) from None
    if found != size:
        raise _damaged(file, tr("{size:,} bytes", size=size), tr("{size:,} bytes", size=found))


def _check_options(path: Path, known: Manifest, options: ReadOptions) -> None:
    """Raise `DataError` for a size, a colour or a split other than that of the shards."""
    color = {1: "grey", 3: "rgb"}.get(known.shape[-1])
    made = known.made_from
    split = [made.get("split"), made.get("fractions"), made.get("fold")]
    mine = [options.split, None if options.fractions is None else list(options.fractions), options.fold]
    for what, wrong, there, asked in (
        (tr("The images of these shards have another size."), options.size not in (None, known.shape[:2]), known.shape[:2],
         options.size),
        (tr("The images of these shards have another colour."), options.color not in (None, color), color, options.color),
        (tr("The split of these shards was decided when they were written."), options.given and split != mine, split, mine),
    ):  # fmt: skip
        if wrong:
            hint = tr("leave the option out, or write the shards anew with it")
            raise DataError(what, where=path, expected=there, received=asked, hint=hint)


def check_shard(folder: str | Path, part: str, number: int, known: Manifest | None = None) -> None:
    """Raise `DataError` unless the images of a shard of a part are those that were written, by their CRC-32.

    gn.check_shard("photos.shards", "train", 0)
    """
    path = Path(folder)
    manifest = known or Manifest.read(path)
    rows, size = manifest.rows(part, number), math.prod(manifest.shape)
    file = path / images_file(part)
    try:
        found = checksum(file, HEADER + rows.start * size, (rows.stop - rows.start) * size)
    except OSError as error:
        raise _damaged(file, tr("a file that can be read"), reason(error)) from None
    expected = manifest.parts[part].crc32[number]
    if found != expected:
        where = tr("{file}, shard {number} (images {first} to {last})", file=file, number=number, first=rows.start,
                   last=rows.stop - 1)  # fmt: skip
        others = [k for k, crc in enumerate(manifest.parts[part].crc32) if crc == found]
        received = tr("those of shard {number}", number=others[0]) if others else f"CRC-32 {found:08x}"
        raise _damaged(where, f"CRC-32 {expected:08x}", received)


def check_shards(folder: str | Path, advance: Callable[[int], object] = lambda count: None) -> Manifest:
    """`check_shard` for all, and the checksums of all other files; `advance` is called after each."""
    path = Path(folder)
    read_shards(path)
    known = Manifest.read(path)
    for part, facts in known.parts.items():
        for number in range(known.shards(part)):
            check_shard(path, part, number, known)
            advance(1)
        file = path / f"{part}.names.npy"
        if "names" in facts.arrays and checksum(file, 0, facts.bytes["names"]) != facts.arrays["names"]:
            raise _damaged(file, tr("the bytes that were written"), tr("others (the checksum differs)"))
    return known


def _damaged(where: object, expected: object, received: object) -> DataError:
    return DataError(
        tr("These shards are damaged: a file is not what the manifest says."),
        where=where,
        expected=expected,
        received=received,
        hint=tr("write or fetch the shards anew"),
    )
