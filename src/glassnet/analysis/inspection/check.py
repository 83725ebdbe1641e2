"""`inspect`: check data before training on it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from glassnet.analysis.inspection import images, parts
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

_MOST_SEVERE_FIRST = (
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
    """Find unreadable, blank, duplicate, leaked and inverted images, class imbalance and doubtful labels.

    `data` is the name or path of a data set, as for `load_dataset`; the name or path of a recipe, for its data; or `Splits`
    or a `Dataset`. `options` are those of `load_dataset` and override those of a recipe. Images of different sizes are
    resized to 64 × 64 unless a size is given. Raises `DataError`, `InputError` and `RecipeError` as the readers do.
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
            tr("every file is decoded; Splits.left_out lists unreadable files and files without a label"),
            tr("{files} left out", files=counted(len(splits.left_out), "file")),
        )
    ]
    findings += images.value_ranges(pool, {part.name: part.pixels for part in facts})
    low, high = min(part.pixels.low for part in facts), max(part.pixels.high for part in facts)
    checks.append(
        Check(
            ("narrow-range", "unscaled-inputs", "ranges-differ"),
            tr("minimum and maximum of the pixels in each split"),
            tr("{low:g}…{high:g} over all splits", low=low, high=high),
        )
    )
    findings += parts.class_balance(pool) + parts.shared_groups(pool)
    grouped = any(part.groups is not None for part in facts)
    checks += [
        Check(
            ("missing-classes", "class-imbalance", "uneven-splits"),
            tr("counts of each class in each split; a ratio above 3, fewer than 10, proportions that differ by 10 % or more"),
            tr("counted") if pool.labels is not None else tr("there are no classes"),
        ),
        Check(
            ("groups-across-splits",),
            tr("groups, such as writers, with images in two splits"),
            tr("checked") if grouped else tr("the data has no groups"),
        ),
    ]
    _check_images(pool, high - low, findings, checks)
    findings.sort(key=lambda finding: _MOST_SEVERE_FIRST.index(finding.name))
    return Inspection(source, splits, tuple(findings), facts, tuple(checks))


def _check_images(pool: Pool, pixel_range: float, findings: list[Finding], checks: list[Check]) -> None:
    is_blank = blank(pool.images, pixel_range) if pool.are_images else np.zeros(len(pool), np.bool_)
    indices = np.flatnonzero(~is_blank)
    findings += images.blank_images(pool, np.flatnonzero(is_blank))
    copies = exact_groups(pool.images, indices)
    findings += parts.copies(pool, copies, near=False)
    exact = ("duplicates", "duplicates-across-splits", "contradicting-duplicates")
    checks += [
        Check(
            ("blank-images",), tr("pixels that differ by no more than 2 % of the range of all pixels"), f"{is_blank.sum():,}"
        ),
        Check(exact, tr("images with identical pixels, except blank ones"), counted(len(copies), "group")),
    ]
    names = ("near-duplicates", "near-duplicates-across-splits", "contradicting-near-duplicates")
    if not pool.are_images:
        checks.append(Check((*names, "mixed-polarity", "doubtful-labels"), "", tr("not checked: the data are not images")))
        return
    inverted, result = images.mixed_polarity(pool, indices)
    findings += inverted
    method = tr("drawings whose background, the median of their border, is light while that of the others is dark")
    checks.append(Check(("mixed-polarity",), method, result))
    unique = np.setdiff1d(indices, np.concatenate([group[1:] for group in copies])) if copies else indices
    if len(unique) < 3:
        checks.append(Check((*names, "doubtful-labels"), "", tr("not checked: too few images")))
        return
    neighbours = find_neighbours(pool.images, unique)
    near = [_with_copies(group, copies) for group in near_groups(pool.images, neighbours)]
    findings += parts.copies(pool, near, near=True)
    checks.append(
        Check(
            names,
            tr(
                "nearest neighbours by edge directions, compared pixel by pixel; a pair counts if it is much closer than "
                "other similar images; cropped, rotated, mirrored and most shifted copies are missed"
            ),
            counted(len(near), "group"),
        )
    )
    checks.append(_check_labels(pool, neighbours, findings))


def _check_labels(pool: Pool, neighbours: Neighbours, findings: list[Finding]) -> Check:
    method = tr(
        "labels that none of the {voters} nearest neighbours by edge directions has, while most of them agree on another "
        "one; works for drawings, but not for most photographs",
        voters=VOTERS,
    )
    if pool.labels is None:
        return Check(("doubtful-labels",), method, tr("there are no classes"))
    doubts = contradicted(neighbours, pool.labels, len(pool.classes))
    agreement = tr("neighbours agree with {share:.1f} % of the labels", share=100 * doubts.agreement)
    if doubts.indices is None:
        return Check(("doubtful-labels",), method, tr("not checked: {agreement}, too few", agreement=agreement))
    findings += parts.doubtful_labels(pool, doubts.indices, doubts.suggested, doubts.votes, VOTERS)
    results = [same(f"{len(doubts.indices):,}"), agreement]
    if doubts.skipped:
        results.append(tr("{count:,} images in classes that are too small", count=doubts.skipped))
    return Check(("doubtful-labels",), method, clauses(results))


def _with_copies(group: Indices, copies: list[Indices]) -> Indices:
    """A group of images together with their exact copies."""
    copies_of = {int(copy[0]): copy for copy in copies}
    return np.sort(np.concatenate([copies_of.get(int(index), np.array([index])) for index in group]))
