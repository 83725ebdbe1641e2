"""`inspect`: look at data before training on it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from glassnet.analysis.inspection import images as images
from glassnet.analysis.inspection import parts
from glassnet.analysis.inspection.duplicates import exact_groups, near_groups
from glassnet.analysis.inspection.findings import Finding, counted
from glassnet.analysis.inspection.labels import VOTERS, contradicted
from glassnet.analysis.inspection.neighbours import Neighbours, find_neighbours
from glassnet.analysis.inspection.pixels import blank, value_range
from glassnet.analysis.inspection.pool import Indices, Pool
from glassnet.analysis.inspection.reading import as_splits
from glassnet.analysis.inspection.result import Check, Inspection, Part
from glassnet.data import Dataset, Splits

_GRAVEST_FIRST = (
    "unreadable-images", "unlabelled-images", "missing-classes", "contradicting-duplicates",
    "duplicates-across-splits", "near-duplicates-across-splits", "groups-across-splits", "mixed-polarity", "ranges-differ",
    "unscaled-inputs", "narrow-range", "mixed-sizes", "blank-images", "contradicting-near-duplicates", "doubtful-labels",
    "uneven-splits", "class-imbalance", "duplicates", "near-duplicates",
)  # fmt: skip


def inspect(data: str | os.PathLike[str] | Splits | Dataset, **options: Any) -> Inspection:
    """Look at data before training on it: what is broken, blank, doubled, leaked, inverted, uneven or doubtfully labelled.

    `data` is a data set by name or path, as for `load_dataset`; the name of a recipe or the path of a TOML file, for the
    data that it names; or `Splits` or a `Dataset` at hand. `options` are those of `load_dataset`; over a recipe they take
    the place of its own. Images of different sizes are brought to 64 × 64 where no size is asked for.
    Nothing is changed. Raises `DataError`, `InputError` and `RecipeError` as the readers do.
    """
    splits, source, sizes = as_splits(data, options)
    pool = Pool.of(splits)
    facts = tuple(
        Part(
            name,
            len(part),
            part.counts if part.classes is not None else None,
            None if part.groups is None else len(np.unique(part.groups)),
            value_range(part.images),
        )
        for name, part in pool.parts.items()
    )
    findings = [*([sizes] if sizes else []), *images.left_out(splits)]
    checks = [
        Check(
            ("unreadable-images", "unlabelled-images"),
            "every file is decoded; Splits.left_out has those that can't be, or whose names give no label",
            f"{counted(len(splits.left_out), 'file')} left out",
        )
    ]
    findings += images.value_ranges(pool, {part.name: part.pixels for part in facts})
    low, high = min(part.pixels.low for part in facts), max(part.pixels.high for part in facts)
    checks.append(
        Check(
            ("narrow-range", "unscaled-inputs", "ranges-differ"),
            "the least and the greatest pixel of each part",
            f"{low:g}…{high:g} in all",
        )
    )
    findings += parts.class_balance(pool) + parts.shared_groups(pool)
    grouped = any(part.groups is not None for part in facts)
    checks += [
        Check(
            ("missing-classes", "class-imbalance", "uneven-splits"),
            "counts of each class in each part; a ratio above 3, fewer than 10, shares that differ by 10 % or more",
            "counted" if pool.labels is not None else "there are no classes",
        ),
        Check(
            ("groups-across-splits",),
            "groups, such as writers, that have images in two parts",
            "known" if grouped else "not known which images belong together",
        ),
    ]
    _look_at_images(pool, high - low, findings, checks)
    findings.sort(key=lambda finding: _GRAVEST_FIRST.index(finding.name))
    return Inspection(source, splits, tuple(findings), facts, tuple(checks))


def _look_at_images(pool: Pool, whole: float, findings: list[Finding], checks: list[Check]) -> None:
    is_blank = blank(pool.images, whole) if pool.are_images else np.zeros(len(pool), np.bool_)
    places = np.flatnonzero(~is_blank)
    findings += images.blank_images(pool, np.flatnonzero(is_blank))
    copies = exact_groups(pool.images, places)
    findings += parts.copies(pool, copies, near=False)
    exact = ("duplicates", "duplicates-across-splits", "contradicting-duplicates")
    checks += [
        Check(("blank-images",), "no pixel differs from another by more than 2 % of the whole range", f"{is_blank.sum():,}"),
        Check(exact, "images with the same pixels, blank ones aside", counted(len(copies), "group")),
    ]
    names = ("near-duplicates", "near-duplicates-across-splits", "contradicting-near-duplicates")
    if not pool.are_images:
        checks.append(Check((*names, "mixed-polarity", "doubtful-labels"), "", "not looked for: these are no images"))
        return
    found, ink = images.mixed_polarity(pool, places)
    findings += found
    checks.append(
        Check(("mixed-polarity",), "drawings whose ground, the median of their edge, is light where others' is dark", ink)
    )
    once = np.setdiff1d(places, np.concatenate([group[1:] for group in copies])) if copies else places
    if len(once) < 3:
        checks.append(Check((*names, "doubtful-labels"), "", "not looked for: too few images"))
        return
    neighbours = find_neighbours(pool.images, once)
    near = [_with_copies(group, copies) for group in near_groups(pool.images, neighbours)]
    findings += parts.copies(pool, near, near=True)
    checks.append(
        Check(
            names,
            "nearest neighbours by edge directions, then compared pixel by pixel; a pair counts "
            "when it is far closer than other similar images are; cropped, turned, mirrored "
            "and most shifted copies are missed",
            counted(len(near), "group"),
        )
    )
    checks.append(_look_at_labels(pool, neighbours, findings))


def _look_at_labels(pool: Pool, neighbours: Neighbours, findings: list[Finding]) -> Check:
    method = (
        f"labels that none of the {VOTERS} nearest neighbours by edge directions has, while most of them agree on another; "
        "they know shapes only: drawings can be judged so, most photographs can't"
    )
    if pool.labels is None:
        return Check(("doubtful-labels",), method, "there are no classes")
    doubts = contradicted(neighbours, pool.labels, len(pool.classes))
    agree = f"neighbours agree with {100 * doubts.agreement:.1f} % of the labels"
    if doubts.places is None:
        return Check(("doubtful-labels",), method, f"not judged: {agree}, too few to judge by")
    findings += parts.doubtful_labels(pool, doubts.places, doubts.said, doubts.votes, VOTERS)
    small = f"; {doubts.unjudged:,} images in classes too small to judge" if doubts.unjudged else ""
    return Check(("doubtful-labels",), method, f"{len(doubts.places):,}; {agree}{small}")


def _with_copies(group: Indices, copies: list[Indices]) -> Indices:
    """A group of images, each with its exact copies."""
    known = {int(copy[0]): copy for copy in copies}
    return np.sort(np.concatenate([known.get(int(place), np.array([place])) for place in group]))
