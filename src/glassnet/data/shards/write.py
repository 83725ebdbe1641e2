"""Writing one shard, and the manifest when all are written."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.data.shards.manifest import HEADER, PLAN, UNFINISHED, Manifest, PartFacts, checksum, header, images_file
from glassnet.data.shards.plan import ShardPlan
from glassnet.data.shards.sources import open_source
from glassnet.errors import DataError, writing
from glassnet.support.atomic import files_named, replacing, sweep, write_text
from glassnet.support.i18n import tr

OURS = re.compile(rf"\d{{6}}\.json|{re.escape(PLAN)}|(train|validation|test)\.(rows|labels|groups|names)\.npy")
"""The files of a plan, which are removed when it is done."""


def write_shard(plan: ShardPlan, number: int) -> None:
    """Write a shard at its place, and then a note with its checksum; nothing if the note is there already."""
    part, _, rows = plan.place(number)
    if plan.finished or plan.note(number).exists():
        return
    ids = np.load(plan.array(f"{part}.rows"), mmap_mode="r")[rows]
    names = np.load(plan.array(f"{part}.names"), mmap_mode="r")[rows].tolist() if plan.names else []
    images = np.zeros((len(ids), *plan.shape), np.uint8)
    reasons = open_source(plan.source_text).fill(images, np.array(ids), names)
    for row in reasons:
        images[row] = 0
    with writing(plan.folder, tr("The shard can't be written.")):
        with (plan.folder / images_file(part)).open("r+b") as file:
            file.seek(HEADER + rows.start * math.prod(plan.shape))
            file.write(images.data)
            file.flush()
            os.fsync(file.fileno())
        note = {"crc32": zlib.crc32(images.data), "unreadable": {str(row): str(why) for row, why in reasons.items()}}
        write_text(plan.note(number), json.dumps(note, ensure_ascii=False), durable=True)


def finish(plan: ShardPlan) -> Manifest:
    """Close the gaps that unreadable images left, write labels, groups, names and the manifest, and remove the plan.

    Can be interrupted at any point and called again. Raises `DataError` while shards are missing.
    """
    if plan.finished:
        _clear(plan.folder / UNFINISHED)
        return Manifest.read(plan.folder)
    if left := plan.left:
        raise DataError(
            tr("Not all shards are written yet."),
            where=plan.folder,
            expected=tr("{count} shards", count=plan.shards),
            received=tr("{count} of them, without shard {number}", count=plan.shards - len(left), number=left[0]),
            hint=tr("write them: the same command goes on"),
        )
    notes = [json.loads(plan.note(number).read_text(encoding="utf-8")) for number in range(plan.shards)]
    left_out = dict(zip(plan.left_out, plan.reasons, strict=True))
    facts, at = {}, 0
    with writing(plan.folder, tr("The shards can't be finished.")):
        for part, count in plan.counts.items():
            mine = notes[at : at + -(-count // plan.shard)]
            at += len(mine)
            bad = {k * plan.shard + int(row): why for k, note in enumerate(mine) for row, why in note["unreadable"].items()}
            if bad and plan.names:
                names = np.load(plan.array(f"{part}.names"), mmap_mode="r")
                left_out |= {str(names[row]): why for row, why in sorted(bad.items())}
            facts[part] = _finish_part(plan, part, sorted(bad), [note["crc32"] for note in mine])
        source = str(plan.made_from["source"])
        names_left, reasons = tuple(left_out), tuple(left_out.values())
        made = Manifest(plan.shape, plan.classes, plan.block, plan.shard, facts, source, plan.made_from, names_left, reasons)
        made.write(plan.folder)
        _clear(plan.folder / UNFINISHED)
    return made


def _finish_part(plan: ShardPlan, part: str, bad: list[int], checksums: list[int]) -> PartFacts:
    """Move the last images to the places of those that can't be read; write the other arrays in the same order."""
    count = plan.counts[part]
    kept, size = count - len(bad), math.prod(plan.shape)
    path, whole = plan.folder / images_file(part), HEADER + kept * size
    if not kept:
        raise DataError(tr("None of the images of the part {part} can be read.", part=part), where=plan.made_from["source"])
    holes = np.array([row for row in bad if row < kept], np.int64)
    tail = np.setdiff1d(np.arange(kept, count), np.array(bad, np.int64))
    order = np.arange(kept)
    order[holes] = tail
    if bad:
        if path.stat().st_size > whole:  # else this was done before
            images = np.memmap(path, np.uint8, "r+", HEADER, (count, *plan.shape))
            for hole, last in zip(holes, tail, strict=True):
                images[hole] = images[last]
            images.flush()
            del images
        with path.open("r+b") as file:
            file.truncate(whole)
            file.write(header((kept, *plan.shape)))
            file.flush()
            os.fsync(file.fileno())
        changed = {int(hole) // plan.shard for hole in holes} | {(kept - 1) // plan.shard}
        for number in changed:
            first = number * plan.shard
            checksums[number] = checksum(path, HEADER + first * size, min(plan.shard, kept - first) * size)
        del checksums[-(-kept // plan.shard) :]
    arrays, lengths = {}, {}
    for kind in ("labels", "groups", "names"):
        planned, target = plan.array(f"{part}.{kind}"), plan.folder / f"{part}.{kind}.npy"
        if planned.exists():
            _copy(planned, target, order if bad else None)
            lengths[kind] = target.stat().st_size
            arrays[kind] = checksum(target, 0, lengths[kind])
    return PartFacts(kept, checksums, arrays, lengths)


def _copy(planned: Path, target: Path, order: npt.NDArray[Any] | None) -> None:
    with replacing(target, durable=True) as file:
        if order is None:
            with planned.open("rb") as source:
                shutil.copyfileobj(source, file)
        else:
            np.save(file, np.load(planned, mmap_mode="r")[order], allow_pickle=False)


def _clear(folder: Path) -> None:
    """Remove the files of a plan, and its folder if nothing else is in it."""
    if folder.is_dir():
        sweep(folder)
        for path, _ in files_named(folder, OURS):
            path.unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
