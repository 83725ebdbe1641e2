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
from glassnet.support.i18n import clauses, mark, same, tr

_GRAVEST_FIRST = (
    mark("unreadable-images"),
    mark("unlabelled-images"),
    mark("missing-classes"),
    mark("contradicting-duplicates"),
    mark("duplicates-across-splits"),
    mark("near-duplicates-across-splits"),
    mark("groups-across-splits"),
    mark("mixed-polarity"),
    mark("ranges-differ"),
    mark("unscaled-inputs"),
    mark("narrow-range"),
    mark("mixed-sizes"),
    mark("blank-images"),
    mark("contradicting-near-duplicates"),
    mark("doubtful-labels"),
    mark("uneven-splits"),
    mark("class-imbalance"),
    mark("duplicates"),
    mark("near-duplicates"),
)


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
            tr("every file is decoded; Splits.left_out has those that can't be, or whose names give no label"),
            tr("{files} left out", files=counted(len(splits.left_out), "file")),
        )
    ]
    findings += images.value_ranges(pool, {part.name: part.pixels for part in facts})
    low, high = min(part.pixels.low for part in facts), max(part.pixels.high for part in facts)
    checks.append(
        Check(
            ("narrow-range", "unscaled-inputs", "ranges-differ"),
            tr("the least and the greatest pixel of each part"),
            tr("{low:g}…{high:g} in all", low=low, high=high),
        )
    )
    findings += parts.class_balance(pool) + parts.shared_groups(pool)
    grouped = any(part.groups is not None for part in facts)
    checks += [
        Check(
            ("missing-classes", "class-imbalance", "uneven-splits"),
            tr("counts of each class in each part; a ratio above 3, fewer than 10, shares that differ by 10 % or more"),
            tr("counted") if pool.labels is not None else tr("there are no classes"),
        ),
        Check(
            ("groups-across-splits",),
            tr("groups, such as writers, that have images in two parts"),
            tr("known") if grouped else tr("not known which images belong together"),
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
        Check(
            ("blank-images",), tr("no pixel differs from another by more than 2 % of the whole range"), f"{is_blank.sum():,}"
        ),
        Check(exact, tr("images with the same pixels, blank ones aside"), counted(len(copies), "group")),
    ]
    names = ("near-duplicates", "near-duplicates-across-splits", "contradicting-near-duplicates")
    if not pool.are_images:
        checks.append(Check((*names, "mixed-polarity", "doubtful-labels"), "", tr("not looked for: these are no images")))
        return
    found, ink = images.mixed_polarity(pool, places)
    findings += found
    checks.append(
        Check(("mixed-polarity",), tr("drawings whose ground, the median of their edge, is light where others' is dark"), ink)
    )
    once = np.setdiff1d(places, np.concatenate([group[1:] for group in copies])) if copies else places
    if len(once) < 3:
        checks.append(Check((*names, "doubtful-labels"), "", tr("not looked for: too few images")))
        return
    neighbours = find_neighbours(pool.images, once)
    near = [_with_copies(group, copies) for group in near_groups(pool.images, neighbours)]
    findings += parts.copies(pool, near, near=True)
    checks.append(
        Check(
            names,
            tr(
                "nearest neighbours by edge directions, then compared pixel by pixel; a pair counts when it is far closer "
                "than other similar images are; cropped, turned, mirrored and most shifted copies are missed"
            ),
            counted(len(near), "group"),
        )
    )
    checks.append(_look_at_labels(pool, neighbours, findings))


def _look_at_labels(pool: Pool, neighbours: Neighbours, findings: list[Finding]) -> Check:
    method = tr(
        "labels that none of the {voters} nearest neighbours by edge directions has, while most of them agree on another; "
        "they know shapes only: drawings can be judged so, most photographs can't",
        voters=VOTERS,
    )
    if pool.labels is None:
        return Check(("doubtful-labels",), method, tr("there are no classes"))
    doubts = contradicted(neighbours, pool.labels, len(pool.classes))
    agree = tr("neighbours agree with {share:.1f} % of the labels", share=100 * doubts.agreement)
    if doubts.places is None:
        return Check(("doubtful-labels",), method, tr("not judged: {agree}, too few to judge by", agree=agree))
    findings += parts.doubtful_labels(pool, doubts.places, doubts.said, doubts.votes, VOTERS)
    found = [same(f"{len(doubts.places):,}"), agree]
    if doubts.unjudged:
        found.append(tr("{count:,} images in classes too small to judge", count=doubts.unjudged))
    return Check(("doubtful-labels",), method, clauses(found))


def _with_copies(group: Indices, copies: list[Indices]) -> Indices:
    """A group of images, each with its exact copies."""
    known = {int(copy[0]): copy for copy in copies}
    return np.sort(np.concatenate([known.get(int(place), np.array([place])) for place in group]))
