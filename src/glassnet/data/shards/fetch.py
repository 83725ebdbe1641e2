"""Shards at an address: fetched into glassnet's cache shard by shard, each checked, and then memory-mapped like any other."""

from __future__ import annotations

import hashlib
import json
import math
import re
import zlib
from collections.abc import Callable
from pathlib import Path

from glassnet.data.decode_many import progress
from glassnet.data.fetch import cache_folder
from glassnet.data.remote import read_bytes
from glassnet.data.shards.manifest import HEADER, MANIFEST, UNFINISHED, Manifest, header, images_file
from glassnet.errors import DataError, writing
from glassnet.support import cache
from glassnet.support.atomic import files_named, write_bytes
from glassnet.support.i18n import tr
from glassnet.support.memory import require_room

NOTE = re.compile(r"fetched\.(train|validation|test)\.\d{6}")
TRIES = 3  # of a shard whose checksum is wrong


def fetch_shards(url: str) -> Path:
    """The folder in the cache with the shards of an address, fetched unless they are there.

    What an earlier call fetched before it was interrupted is not fetched again. Raises `DataError` for an address without
    shards, one that can't be read, and shards whose checksums are wrong; `InputError` without fsspec.
    """
    base = url.rstrip("/")
    text = read_bytes(f"{base}/{MANIFEST}").decode("utf-8", "replace")
    known = Manifest.read(Path(base), text)
    key = hashlib.sha256(f"{base}\0{json.dumps(json.loads(text), sort_keys=True)}".encode()).hexdigest()[:40]
    folder = cache_folder() / "shards" / key
    if (folder / MANIFEST).exists():
        return folder
    require_room(folder, known.bytes)
    with writing(folder, tr("The folder for downloaded data can't be made.")):
        cache.make_folder(folder.parent)
        (folder / UNFINISHED).mkdir(parents=True, exist_ok=True)
        total = sum(known.shards(part) for part in known.parts)
        with progress(tr("fetching shards"), total) as advance:
            for part in known.parts:
                _fetch_part(base, folder, known, part, advance)
        write_bytes(folder / MANIFEST, text.encode(), durable=True)
        for note, _ in files_named(folder / UNFINISHED, NOTE):
            note.unlink()
        if not any((folder / UNFINISHED).iterdir()):
            (folder / UNFINISHED).rmdir()
    return folder


def _fetch_part(base: str, folder: Path, known: Manifest, part: str, advance: Callable[[int], None]) -> None:
    facts, size = known.parts[part], math.prod(known.shape)
    for kind, crc in facts.arrays.items():
        name = f"{part}.{kind}.npy"
        write_bytes(folder / name, _fetched(f"{base}/{name}", 0, facts.bytes[kind], crc), durable=True)
    file = folder / images_file(part)
    with file.open("r+b" if file.exists() else "w+b") as target:
        target.truncate(HEADER + facts.images * size)  # the parts that are not there yet take no room
        target.write(header((facts.images, *known.shape)))
        for number in range(known.shards(part)):
            note = folder / UNFINISHED / f"fetched.{part}.{number:06d}"
            if not note.exists():
                rows = known.rows(part, number)
                first, last = HEADER + rows.start * size, HEADER + rows.stop * size
                target.seek(first)
                target.write(_fetched(f"{base}/{file.name}", first, last, facts.crc32[number]))
                target.flush()
                write_bytes(note, b"", durable=True)
            advance(1)


def _fetched(url: str, first: int, last: int, crc: int) -> bytes:
    """The bytes of a file, whose checksum is right at one of a few tries."""
    found = b""
    for _ in range(TRIES):
        found = read_bytes(url, first, last)
        if len(found) == last - first and zlib.crc32(found) == crc:
            return found
    raise DataError(
        tr("Shards can't be fetched: the bytes are not those that the manifest says."),
        where=tr("{url}, bytes {first:,} to {last:,}", url=url, first=first, last=last - 1),
        expected=tr("{count:,} bytes with the CRC-32 {crc}", count=last - first, crc=f"{crc:08x}"),
        received=tr("{count:,} bytes with the CRC-32 {crc}", count=len(found), crc=f"{zlib.crc32(found):08x}"),
        hint=tr("look whether the upload is complete; a server that ignores byte ranges can't be used"),
    )
