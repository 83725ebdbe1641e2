"""Whether the ranks of a training were given the same recipe, data and version, before anything is written."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from glassnet import __version__
from glassnet.compiler.costs import costs_of_machine
from glassnet.data import Dataset, Splits
from glassnet.data.shards.manifest import manifest_of
from glassnet.errors import InputError
from glassnet.experiment.recipe import Recipe
from glassnet.kernels.library import cache_folder
from glassnet.runtime import Ranks
from glassnet.support.i18n import mark, tr

VERSION = "version"
SAMPLED = 1000  # images of a set that may be larger than the memory, evenly spaced
WHAT = {
    VERSION: mark("The ranks run different versions, or on different processors."),
    "recipe": mark("The ranks have different recipes."),
    "data": mark("The ranks have different data."),
}


def check_alike(ranks: Ranks, recipe: Recipe, splits: Splits) -> None:
    """Raise `InputError` on every rank unless all have what rank 0 has; the path of the data may differ."""
    own = {
        VERSION: {"glassnet": __version__, "kernels": cache_folder().name, "tuned": costs_of_machine()[1]},
        "recipe": _flat(recipe.model_dump(mode="json", exclude={"name": True, "overridden": True, "data": {"path"}})),
        "data": {"train": _digest(splits.train), "validation": _digest(splits.validation)},
    }
    first, *others = ranks.texts(own)
    for number, other in enumerate(others, 1):
        for part, what in WHAT.items():
            for key in first[part] | other[part]:
                here, there = first[part].get(key), other[part].get(key)
                if here != there:
                    raise InputError(
                        tr(what),
                        where=f"rank {number}, {key}",
                        expected=tr("{value}, as on rank 0", value=here),
                        received=there,
                    )


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in values.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: repr(value)}
    return found


def _digest(data: Dataset | None) -> str:
    """The size of a data set, and a checksum of its labels and its images, if memory-mapped of `SAMPLED` of them.

    Of shards, it is that of their manifest, which has the checksums of all.
    """
    if data is None:
        return "none"
    checksum = hashlib.blake2b(digest_size=8)
    manifest = manifest_of(data.images)
    if manifest is not None:
        checksum.update(repr((manifest.parts, data.images.shape, manifest.classes)).encode())
        return f"{len(data)} images, {checksum.hexdigest()}"
    images = data.images
    if data.block is not None:
        images = images[np.linspace(0, len(data) - 1, min(len(data), SAMPLED)).astype(np.int64)]
    for shape, array in ((data.images.shape, images), (data.labels.shape, data.labels)):
        checksum.update(repr((shape, array.dtype.str)).encode())
        checksum.update(np.ascontiguousarray(array).data)
    return f"{len(data)} images, {checksum.hexdigest()}"
