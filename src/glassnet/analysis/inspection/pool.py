"""All images of a data set, or a sample of them, in one array, with split, index in the split, label and file of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.analysis.inspection.findings import ImageReference
from glassnet.data import Dataset, Splits
from glassnet.support.i18n import Message, listing, tr

Indices = npt.NDArray[np.intp]
PARTS = ("train", "validation", "test")
MOST, SAMPLE = 100_000, 20_000
"""Of more images than the first, so many are looked at: their neighbours alone would take hours."""


@dataclass(frozen=True)
class Pool:
    """`images` `(N, …)` of all splits, or a sample, concatenated; `part_of` `(N,)`: index of the split, whole in `parts`, and
    `index_of` `(N,)`: index there; `labels`: None for targets."""

    parts: dict[str, Dataset]
    images: npt.NDArray[Any]
    part_of: Indices
    index_of: Indices
    labels: npt.NDArray[np.int64] | None
    classes: tuple[str, ...]

    @classmethod
    def of(cls, splits: Splits) -> Pool:
        """The pool of all splits, or of `SAMPLE` random images of more than `MOST`; a single one is not copied."""
        parts = {name: part for name in PARTS if (part := getattr(splits, name)) is not None}
        counts = [len(part) for part in parts.values()]
        total = sum(counts)
        chosen = np.arange(total)
        if total > MOST:
            chosen = np.sort(np.random.default_rng(0).choice(total, SAMPLE, replace=False))
        starts = np.cumsum([0, *counts])
        part_of = np.searchsorted(starts, chosen, side="right") - 1
        index_of = chosen - starts[part_of]
        rows = [index_of[part_of == number] for number in range(len(parts))]
        sets = [part if len(mine) == len(part) else part[mine] for part, mine in zip(parts.values(), rows, strict=True)]
        images = sets[0].images if len(sets) == 1 else np.concatenate([part.images for part in sets])
        labels = np.concatenate([part.labels for part in sets]) if splits.classes is not None else None
        return cls(parts, images, part_of, index_of, labels, splits.classes or ())

    @property
    def total(self) -> int:
        """The number of images of all splits, of which the pool may be a sample."""
        return sum(map(len, self.parts.values()))

    @property
    def groups(self) -> npt.NDArray[Any] | None:
        """The group of each image `(N,)`; None where a split has none."""
        found = []
        for number, part in enumerate(self.parts.values()):
            if part.groups is None:
                return None
            found.append(part.groups[self.index_of[self.part_of == number]])
        return np.concatenate(found)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def are_images(self) -> bool:
        """Whether the data are images rather than rows of features."""
        return self.images.ndim == 4 and min(self.images.shape[1:3]) > 2

    def reference(self, index: int, note: str = "") -> ImageReference:
        """The reference to an image by its split and its index there."""
        number = int(self.part_of[index])
        name = list(self.parts)[number]
        index_in_part = int(self.index_of[index])
        files = self.parts[name].names
        label = None if self.labels is None else self.classes[self.labels[index]]
        return ImageReference(name, index_in_part, label, None if files is None else str(files[index_in_part]), note)

    def references(self, indices: Iterable[int]) -> tuple[ImageReference, ...]:
        return tuple(self.reference(index) for index in indices)

    def count_by_part(self, indices: Indices) -> Message:
        """The number of images in each split: "3 in train, 1 in test"."""
        counts = np.bincount(self.part_of[indices], minlength=len(self.parts))
        found = zip(self.parts, counts, strict=True)
        return listing(tr("{count:,} in {part}", count=count, part=name) for name, count in found if count)
