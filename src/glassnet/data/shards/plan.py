"""What will be written: which images, in which part, in which order; kept beside the shards until all are written."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.data.dataset import Dataset
from glassnet.data.options import as_options
from glassnet.data.readers.drawn import COPIES
from glassnet.data.shards.manifest import HEADER, MANIFEST, PARTS, PLAN, UNFINISHED, Manifest, header, images_file, sizes
from glassnet.data.shards.origins import Given, as_json, of_characters, of_data, of_drawings, of_files
from glassnet.data.shards.sources import rows_of
from glassnet.errors import DataError, InputError, writing
from glassnet.support.atomic import replacing, write_text
from glassnet.support.checks import whole_number
from glassnet.support.i18n import tr
from glassnet.support.memory import require_room
from glassnet.support.paths import as_path


@dataclass(frozen=True)
class ShardPlan:
    """Shards to be written into `folder`: `write(i)` for i in range(`shards`), in any order, anywhere; then `finish()`.

    It is small and can be pickled: what it is about lies in the folder, which all that write must see.

        plan = gn.plan_shards("photos/", "photos.shards", size=64)
        list(client.map(plan.write, range(plan.shards)))             # processes or Dask; Ray: docs/shards.md
        plan.finish()

    `shape` of an image; `counts`: images of each part; `made_from`: the source and the options.
    """

    folder: Path
    shape: tuple[int, ...]
    classes: tuple[str, ...] | None
    block: int
    shard: int
    counts: dict[str, int]
    names: bool
    source: dict[str, Any]
    made_from: dict[str, Any]
    left_out: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def shards(self) -> int:
        """The number of shards, of all parts."""
        return sum(-(-count // self.shard) for count in self.counts.values())

    @property
    def images(self) -> int:
        return sum(self.counts.values())

    @property
    def bytes(self) -> int:
        """Of all images."""
        return self.images * math.prod(self.shape)

    def place(self, number: int) -> tuple[str, int, slice]:
        """The part of a shard, its number there, and its rows."""
        left = whole_number(number, tr("There is no such shard."), "write(number)", f"0 … {self.shards - 1}", least=0)
        for part, count in self.counts.items():
            here = -(-count // self.shard)
            if left < here:
                return part, left, slice(left * self.shard, min((left + 1) * self.shard, count))
            left -= here
        raise InputError(
            tr("There is no such shard."), where="write(number)", expected=f"0 … {self.shards - 1}", received=number
        )

    def note(self, number: int) -> Path:
        """The file that says that a shard is written."""
        return self.folder / UNFINISHED / f"{number:06d}.json"

    @property
    def left(self) -> list[int]:
        """The shards that are not written yet."""
        return [] if self.finished else [number for number in range(self.shards) if not self.note(number).exists()]

    @property
    def finished(self) -> bool:
        return (self.folder / MANIFEST).exists()

    def write(self, number: int) -> int:
        """Write a shard, unless it is written, and return its number. Raises `DataError` and `WriteError`."""
        from glassnet.data.shards.write import write_shard

        write_shard(self, number)
        return number

    def finish(self) -> Manifest:
        """Write the manifest, without which the folder can't be read, when all shards are written."""
        from glassnet.data.shards.write import finish

        return finish(self)

    def array(self, name: str) -> Path:
        """A file of the plan."""
        return self.folder / UNFINISHED / f"{name}.npy"

    @cached_property
    def source_text(self) -> str:
        return json.dumps(self.source, sort_keys=True)

    def save(self) -> None:
        known = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "folder"}
        write_text(self.folder / UNFINISHED / PLAN, json.dumps(known, ensure_ascii=False), durable=True)

    @classmethod
    def load(cls, folder: Path) -> ShardPlan:
        """That of a folder that is not finished. Raises `DataError` for one that is damaged."""
        where = folder / UNFINISHED / PLAN
        try:
            known = json.loads(where.read_text(encoding="utf-8"))
            lists = {name: tuple(known[name]) for name in ("shape", "left_out", "reasons")}
            classes = None if known["classes"] is None else tuple(known["classes"])
            return cls(**known | lists | {"folder": folder, "classes": classes})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DataError(
                tr("The plan of these shards is damaged."),
                where=where,
                received=f"{type(error).__name__}: {error}",
                hint=tr("write the shards into another folder"),
            ) from None


def plan_shards(
    source: str | os.PathLike[str] | None,
    out: str | os.PathLike[str],
    *,
    block: int | None = None,
    shard_images: int | None = None,
    characters: str | Sequence[str] | None = None,
    fonts: Sequence[str | os.PathLike[str]] | None = None,
    test_fonts: Sequence[str | os.PathLike[str]] = (),
    copies: int = COPIES,
    **options: Any,
) -> ShardPlan:
    """The plan of `shard`, which takes the same arguments; that of a folder that was begun, if it was begun with the same.

    Raises as `shard` does. The folder is made, with the labels, groups and names of all images, and room for the images.
    """
    folder = as_path(out).absolute()
    chosen = as_options(**options)
    for name, number in (("block", block), ("shard_images", shard_images)):
        if number is not None:
            whole_number(number, tr("This is not a number of images."), f"shard({name})", tr("1 or more"), least=1)
    drawn = fonts is not None or characters is not None
    if drawn is (source is not None):
        raise InputError(
            tr("Give either a source of images, or fonts to draw them from."),
            where="shard",
            expected=tr("a folder, zip, file, name or address, or fonts"),
            received=tr("both") if drawn else tr("neither"),
        )
    given = {"block": block, "shard_images": shard_images} | as_json(options | {"fractions": chosen.fractions})
    if drawn:
        found = of_drawings(characters or "digits", fonts or ["system"], test_fonts, copies, chosen)
    else:
        assert source is not None
        found = of_characters(source, chosen) or of_files(source, chosen) or of_data(source, chosen, options)
    made_from = found.made_from | given
    if (begun := _begun(folder, made_from)) is not None:
        return begun
    splits, shape = found.read()
    in_block, in_shard = sizes(shape, block, shard_images)
    parts = {name: part for name in PARTS if (part := getattr(splits, name)) is not None}
    plan = ShardPlan(
        folder,
        shape,
        splits.classes,
        in_block,
        in_shard,
        {name: len(part) for name, part in parts.items()},
        splits.train.names is not None,
        found.source,
        made_from,
        splits.left_out,
        splits.reasons,
    )
    require_room(folder, plan.bytes + 32 * plan.images)
    with writing(folder, tr("The folder can't be written.")):
        _write(plan, parts, chosen.seed)
    return plan


def _begun(folder: Path, made_from: Given) -> ShardPlan | None:
    """The plan of a folder that was begun or finished with the same options; None for one that is empty or not there."""
    if not folder.exists():
        return None
    if (folder / MANIFEST).exists():
        known = Manifest.read(folder)
        _check_same(folder, known.made_from, made_from)
        counts = {name: part.images for name, part in known.parts.items()}
        return ShardPlan(folder, known.shape, known.classes, known.block, known.shard, counts, False, {}, known.made_from)
    if (folder / UNFINISHED / PLAN).exists():
        plan = ShardPlan.load(folder)
        _check_same(folder, plan.made_from, made_from)
        return plan
    if not folder.is_dir() or not _is_free(folder):
        raise DataError(
            tr("There is something else in this place."),
            where=folder,
            expected=tr("a folder that does not exist, is empty, or was begun with the same command"),
            hint=tr("choose another folder"),
        )
    return None


OURS = re.compile(r"(train|validation|test)\.(images|labels|groups|names)\.npy")


def _is_free(folder: Path) -> bool:
    """Whether a folder is empty, or has only what is there when a plan was interrupted before it was written.

    Arrays of these names without the folder of a plan, which is made first, are somebody's own.
    """
    names = [entry.name for entry in folder.iterdir()]
    return not names or (UNFINISHED in names and all(name == UNFINISHED or OURS.fullmatch(name) for name in names))


def _check_same(folder: Path, before: Given, now: Given) -> None:
    for key in {**before, **now}:
        if before.get(key) != now.get(key):
            raise DataError(
                tr("These shards were begun from another source, or with other options."),
                where=tr("{folder}, {key}", folder=folder, key=key),
                expected=tr("{value}, as before", value=_short(before.get(key))),
                received=_short(now.get(key)),
                hint=tr("choose another folder, or give the same source and options"),
            )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) < 80 else text[:77] + "…"


def _write(plan: ShardPlan, parts: dict[str, Dataset], seed: int) -> None:
    """The labels, groups, names and rows of each part in a random order, files for the images, and the plan."""
    (plan.folder / UNFINISHED).mkdir(parents=True, exist_ok=True)
    for number, (name, part) in enumerate(parts.items()):
        order = np.random.default_rng([seed, number]).permutation(len(part))
        arrays = {"rows": rows_of(part), "labels": part.labels, "groups": part.groups, "names": part.names}
        for kind, array in arrays.items():
            if array is not None:
                with replacing(plan.array(f"{name}.{kind}"), durable=True) as file:
                    np.save(file, array[order], allow_pickle=False)
        with (plan.folder / images_file(name)).open("wb") as file:
            file.write(header((len(part), *plan.shape)))
            file.truncate(HEADER + len(part) * math.prod(plan.shape))
    plan.save()
